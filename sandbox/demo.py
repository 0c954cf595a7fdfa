"""`make demo`: a shopper's journey over HTTP, each step with its time; ends with 1 at the first thing that is wrong.

It uses the platform that `make run` serves, or starts one of its own that goes away at the end. The mail is read from
the platform's mail directory; the gateway's part, the signed webhook, is played with the dummy provider's functions.
"""

import argparse
import email
import email.policy
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from fashionistar_common.money import Money
from fashionistar_payments.providers.dummy import sign, webhook_body
from launch.errors import LaunchError
from launch.running import running_platform

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
PATIENCE = 15  # seconds for what happens in the background


class WrongError(Exception):
    """Something is not as it should be."""


class Shopper:
    """One customer with an HTTP client and a mailbox.

    Args:
        url: where the platform answers.
        version: `v1` or `v2`.
        mail: the platform's mail directory.
    """

    def __init__(self, url: str, version: str, mail: Path) -> None:
        self.api, self.mail = f"{url}/api/{version}", mail
        self.address = f"amara.{uuid.uuid4().hex[:8]}@example.com"
        self.token = ""

    def call(self, method: str, path: str, body: object = None, *, expect: int = 200, **headers: str) -> Any:
        """Send one request; its JSON.

        Raises:
            WrongError: when the status is not the expected one.
        """
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.api}{path}", data, method=method)  # noqa: S310 - our own server
        request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        if status != expect:
            raise WrongError(f"{method} {path} answered {status} instead of {expect}: {text.decode()}")
        return json.loads(text) if text else None

    def mails(self) -> list[str]:
        """The texts of all mails to this shopper, with their subjects."""
        found = []
        for path in sorted(self.mail.glob("*.eml"), key=lambda path: path.stat().st_mtime):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            if message["To"] == self.address:
                body = message.get_body(("plain",))
                found.append(f"{message['Subject']}\n{body.get_content() if body else ''}")
        return found

    def wait_for[T](self, what: str, look: Any) -> Any:
        """Look until there is something to see.

        Raises:
            WrongError: when there is nothing after PATIENCE seconds.
        """
        deadline = time.monotonic() + PATIENCE
        while not (found := look()):
            if time.monotonic() > deadline:
                raise WrongError(f"{what} did not come within {PATIENCE} seconds.")
            time.sleep(0.05)
        return found


@contextmanager
def step(name: str) -> Iterator[list[str]]:
    """Time a step and print it with what it found out."""
    start, facts = time.perf_counter(), list[str]()
    yield facts
    print(f"  {name:<10} {(time.perf_counter() - start) * 1000:7.0f} ms   {' '.join(facts)}", flush=True)


def must(true: object, otherwise: str) -> None:
    """Raise WrongError unless it is so."""
    if not true:
        raise WrongError(otherwise)


def journey(shopper: Shopper) -> None:
    """Register, verify, log in, search, fill the cart, order, pay, and wait for the confirmation.

    Raises:
        WrongError: at the first thing that is wrong.
    """
    password = f"Aso-oke-{uuid.uuid4().hex}"
    with step("register") as facts:
        shopper.call("POST", "/auth/register", {"email": shopper.address, "password": password}, expect=201)
        facts.append(shopper.address)
    with step("verify") as facts:
        text = shopper.wait_for("The mail with the code", lambda: "\n".join(shopper.mails()))
        code = re.search(r"\b\d{6}\b", text)
        must(code, f"There is no 6-digit code in this mail: {text}")
        shopper.call("POST", "/auth/verify-email", {"email": shopper.address, "code": code and code[0]})
        facts.append(f"code {code and code[0]}")
    with step("login") as facts:
        tokens = shopper.call("POST", "/auth/login", {"email": shopper.address, "password": password})
        shopper.token = tokens["access"]
        me = shopper.call("GET", "/auth/me")
        must(me["email"] == shopper.address, f"Somebody else is logged in: {me}")
        facts.append(f"as {me['role']}")
    with step("search") as facts:
        found = shopper.call("GET", "/catalog/products?q=linen&in_stock=true&limit=5")["results"]
        must(found, "Nothing in stock is made of linen.")
        product = shopper.call("GET", f"/catalog/products/{found[0]['slug']}")
        variant = next(item for item in product["variants"] if item["in_stock"])
        facts.append(f"{product['name']}, {variant['sku']}")
    with step("cart") as facts:
        shopper.call("POST", "/orders/cart/lines", {"sku": variant["sku"], "quantity": 1}, expect=201)
        cart = shopper.call("GET", "/orders/cart")
        must(cart["total"] == variant["price"], f"The cart's total is not the price of one: {cart}")
        facts.append(str(Money.from_json(cart["total"])))
    with step("order") as facts:
        body = {
            "email": shopper.address,
            "shipping_address": {"name": "Amara Obi", "line1": "12 Marina", "city": "Lagos", "country": "NG"},
        }
        key = uuid.uuid4().hex
        order = shopper.call("POST", "/orders", body, expect=201, Idempotency_Key=key)
        again = shopper.call("POST", "/orders", body, expect=201, Idempotency_Key=key)
        must(order == again, "The same Idempotency-Key got another answer.")
        must(order["status"] == "placed" and order["total"] == cart["total"], f"The order is not as the cart: {order}")
        facts.append(order["number"])
    with step("pay") as facts:
        body = {"order_number": order["number"], "provider": "dummy"}
        payment = shopper.call("POST", "/payments", body, expect=201, Idempotency_Key=uuid.uuid4().hex)
        must(payment["status"] == "pending", f"The payment is not pending: {payment}")
        facts.append(f"{payment['id']}, {payment['status']}")
    with step("webhook") as facts:
        now, secret = int(time.time()), settings.FASHIONISTAR_PAYMENTS["PROVIDERS"]["dummy"]["OPTIONS"]["SECRET"]
        amount, event_id = Money.from_json(payment["amount"]), f"evt_{uuid.uuid4().hex}"
        notice = webhook_body(
            "payment.succeeded", payment_id=payment["id"], amount=amount, event_id=event_id, created=now
        )
        for _ in range(2):  # gateways repeat themselves
            shopper.call("POST", "/payments/webhooks/dummy", notice, Dummy_Signature=sign(notice, secret, now))
        facts.append(f"{event_id}, sent twice")
    with step("paid") as facts:
        path = f"/orders/{order['number']}"
        shopper.wait_for("The payment of the order", lambda: shopper.call("GET", path)["status"] == "paid")
        facts.append(f"{order['number']} is paid")
    with step("mail") as facts:

        def confirmations() -> list[str]:
            return [text for text in shopper.mails() if order["number"] in text]

        shopper.wait_for("The confirmation", confirmations)
        time.sleep(0.5)  # a second one would come now
        must(len(confirmations()) == 1, f"There are {len(confirmations())} confirmations.")
        facts.append(confirmations()[0].splitlines()[0])


def is_serving(url: str) -> bool:
    """Whether a platform answers there."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:  # noqa: S310 - our own server
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0] if __doc__ else None)
    parser.add_argument("--api", choices=["v1", "v2", "both"], default="both", help="which API to walk through")
    versions = {"both": ["v2", "v1"]}.get(api := parser.parse_args().api, [api])
    url = f"http://127.0.0.1:{os.environ.get('PORT') or 8000}"
    try:
        if is_serving(url):
            walk(url, versions, Path(settings.FASHIONISTAR_COMMON["MAIL_DIRECTORY"]))
        else:
            print("Nothing is running, so a platform of its own is started ...", flush=True)
            with running_platform() as platform:
                walk(platform.url, versions, platform.mail_directory)
    except (WrongError, LaunchError) as error:
        print(f"\n  WRONG: {error}", file=sys.stderr)
        return 1
    print("\n  Everything was right.")
    return 0


def walk(url: str, versions: list[str], mail: Path) -> None:
    """The journey, once per version."""
    for version in versions:
        print(f"\n  {url}/api/{version}", flush=True)
        start = time.perf_counter()
        journey(Shopper(url, version, mail))
        print(f"  {'in all':<10} {(time.perf_counter() - start) * 1000:7.0f} ms", flush=True)


if __name__ == "__main__":
    sys.exit(main())
