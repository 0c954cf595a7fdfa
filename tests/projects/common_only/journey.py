"""What this project must answer; `call` is tests/packaging/calling.py."""

BOTH = ("/api/v1", "/api/v2")

# Afterwards: what was booked is told, a receipt is written for each ride, and the audit log holds.
AFTERWARDS = [("relay_events", "--once"), ("verify_audit",)]
RECEIPTS = 2


def journey(call):
    """A fare is read, a ride is booked once however often it is asked for, and mistakes are problems."""
    for api in BOTH:
        fare = call("GET", f"{api}/fares/yaba", token="amara")
        assert fare == {"district": "yaba", "fare": {"amount": "1800.00", "currency": "NGN"}}, fare
        assert call("POST", f"{api}/fares/ikeja", token="amara", status=201)["fare"]["amount"] == "2500.00"
        assert call("GET", f"{api}/fares/nowhere", token="amara", status=404)["code"] == "not_found"
        assert call("GET", f"{api}/fares/yaba", status=401)["code"] == "not_authenticated"
        assert call("GET", f"{api}/fares/yaba", token="vera", status=401)["code"] == "wrong_audience"
