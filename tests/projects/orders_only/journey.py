"""What this project must answer; `call` is tests/packaging/calling.py."""

ADDRESS = {"name": "Amara Obi", "line1": "1 Broad Street", "city": "Lagos", "country": "NG"}


def journey(call):
    """A cart becomes an order; more than there is does not; nobody sees another's order."""
    for version, other in (("v1", "v2"), ("v2", "v1")):
        api = f"/api/{version}/orders"
        call("POST", f"{api}/cart/lines", token="amara", body={"sku": "WRAP-M", "quantity": 1}, status=201)
        cart = call("GET", f"/api/{other}/orders/cart", token="amara")
        assert cart["total"] == {"amount": "42500.00", "currency": "NGN"}, cart
        order = call(
            "POST", api, token="amara", body={"email": "amara@example.com", "shipping_address": ADDRESS}, status=201
        )
        number = order["number"]
        assert call("GET", f"/api/{other}/orders/{number}", token="amara") == order
        assert number in [listed["number"] for listed in call("GET", api, token="amara")["results"]]
        call("GET", f"{api}/{number}", token="bola", status=404)
        call("GET", f"{api}/{number}", token="vera", status=401)
        call("POST", f"{api}/cart/lines", token="bola", body={"sku": "WRAP-M", "quantity": 90}, status=201)
        refused = call(
            "POST", api, token="bola", body={"email": "bola@example.com", "shipping_address": ADDRESS}, status=409
        )
        assert refused["code"] == "out_of_stock", refused
        call("DELETE", f"{api}/cart", token="bola")
        assert call("POST", f"{api}/{number}/cancel", token="amara")["status"] == "cancelled"
