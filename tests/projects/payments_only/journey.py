"""What this project must answer; `call` is tests/packaging/calling.py."""

import hashlib
import hmac
import json
import time

SECRET = "only-for-this-example-0123456789"  # as in settings.py


def journey(call):
    """A payment is started in one version, settled by a signed webhook, and shown in the other."""
    for version, other, customer, number in (("v1", "v2", "amara", "INV-1"), ("v2", "v1", "bola", "INV-2")):
        api = f"/api/{version}/payments"
        payment = call("POST", api, token=customer, body={"order_number": number}, status=201)
        assert payment["status"] == "pending", payment
        assert call("GET", f"/api/{other}/payments/{payment['id']}", token=customer) == payment
        call("POST", api, token=customer, body={"order_number": "INV-9"}, status=404)
        call("GET", f"{api}/{payment['id']}", token="amara" if customer == "bola" else "bola", status=404)

        amount = payment["amount"]
        event = {
            "id": f"event-{number}",
            "type": "payment.succeeded",
            "created": int(time.time()),
            "data": {
                "reference": payment["next_action"]["data"]["reference"],
                "payment_id": payment["id"],
                "amount": int(amount["amount"].replace(".", "")),  # both currencies of this example have two decimals
                "currency": amount["currency"],
            },
        }
        hook, raw = f"{api}/webhooks/dummy", json.dumps(event).encode()
        call("POST", hook, raw=raw, headers={"Dummy-Signature": "t=1,v1=00"}, status=400)
        now = int(time.time())
        signature = hmac.new(SECRET.encode(), b"%d." % now + raw, hashlib.sha256).hexdigest()
        for _ in range(2):
            call("POST", hook, raw=raw, headers={"Dummy-Signature": f"t={now},v1={signature}"})
        assert call("GET", f"/api/{other}/payments/{payment['id']}", token=customer)["status"] == "succeeded"
