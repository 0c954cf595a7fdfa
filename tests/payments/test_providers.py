"""What every provider promises. A new provider adds a row to PROVIDERS."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core import checks
from django.db import transaction
from fashionistar_common.money import Money
from fashionistar_payments.checks import check_payments, check_payments_deploy
from fashionistar_payments.exceptions import (
    ProviderCallInTransactionError,
    ProviderMisconfiguredError,
    SignatureError,
    UnknownProviderError,
    UnsupportedOperationError,
)
from fashionistar_payments.providers import BaseProvider, payment_providers, refuse_inside_transaction
from fashionistar_payments.providers.dummy import DummyProvider, sign, webhook_body
from fashionistar_payments.types import NoticeKind, PaymentRequest, PaymentStatus, ProviderPayment

NOW = 1_760_000_000
PRICE = Money(12_900_00, "NGN")
DUMMY = "fashionistar_payments.providers.dummy.DummyProvider"


def ask(payment_id: str = "pay_one", amount: Money = PRICE) -> PaymentRequest:
    return PaymentRequest(
        payment_id=payment_id,
        order_number="FS-1",
        amount=amount,
        customer_id="customer-1",
        customer_email="ada@example.com",
    )


@dataclass(frozen=True)
class Recorded:
    """A provider, and how its gateway speaks.

    Attributes:
        webhooks: for each kind of notice, the gateway's body about payment `pay_one` of PRICE.
        sign: body -> the headers, in lower case, that the gateway sends at NOW.
    """

    provider: BaseProvider
    webhooks: Mapping[NoticeKind, bytes]
    sign: Callable[[bytes], Mapping[str, str]]


def dummy() -> Recorded:
    secret = "the-secret-of-the-gateway"
    kinds = {
        NoticeKind.PAYMENT_SUCCEEDED: "payment.succeeded",
        NoticeKind.PAYMENT_FAILED: "payment.failed",
        NoticeKind.PAYMENT_CANCELLED: "payment.cancelled",
        NoticeKind.OTHER: "balance.changed",
    }
    return Recorded(
        DummyProvider("dummy", {"SECRET": secret}),
        {
            kind: webhook_body(name, payment_id="pay_one", amount=PRICE, event_id=f"evt-{kind}", created=NOW)
            for kind, name in kinds.items()
        },
        lambda body: {"dummy-signature": sign(body, secret, NOW)},
    )


PROVIDERS = {"dummy": dummy}


@pytest.fixture(params=PROVIDERS)
def recorded(request: pytest.FixtureRequest) -> Recorded:
    return PROVIDERS[request.param]()


def parse(recorded: Recorded, body: bytes, headers: Mapping[str, str] | None = None) -> Any:
    at = datetime.fromtimestamp(NOW, UTC)
    return recorded.provider.parse_webhook(body, recorded.sign(body) if headers is None else headers, at)


def test_a_created_payment_has_a_reference_and_is_not_paid_before_the_customer_has_paid(recorded: Recorded) -> None:
    payment = recorded.provider.create_payment(ask())
    assert isinstance(payment, ProviderPayment)
    assert 0 < len(payment.reference) <= 255
    assert payment.status is PaymentStatus.PENDING
    assert payment.next_action is not None
    action = payment.next_action.to_json()
    assert set(action) == {"type", "url", "data"}
    assert all(isinstance(value, str) for value in action["data"].values())


def test_a_payment_created_twice_is_one_payment_and_two_are_two(recorded: Recorded) -> None:
    first, again, other = (recorded.provider.create_payment(ask(name)) for name in ("pay_one", "pay_one", "pay_two"))
    assert first == again
    assert first.reference != other.reference


@pytest.mark.parametrize("kind", NoticeKind)
def test_each_kind_of_webhook_becomes_a_notice_about_the_created_payment(recorded: Recorded, kind: NoticeKind) -> None:
    (notice,) = parse(recorded, recorded.webhooks[kind])
    assert notice.kind is kind
    assert 0 < len(notice.event_id) <= 255
    assert notice.occurred_at.tzinfo is UTC
    assert notice.raw
    if kind is not NoticeKind.OTHER:
        assert notice.provider_reference == recorded.provider.create_payment(ask()).reference
        assert notice.amount == PRICE


def test_what_was_verified_once_can_be_read_again_without_its_signature(recorded: Recorded) -> None:
    for body in recorded.webhooks.values():
        assert list(recorded.provider.read_webhook(body)) == list(parse(recorded, body))


def test_no_headers_no_belief_and_other_peoples_headers_neither(recorded: Recorded) -> None:
    body = recorded.webhooks[NoticeKind.PAYMENT_SUCCEEDED]
    for headers in ({}, recorded.sign(body + b"\n")):
        with pytest.raises(SignatureError):
            parse(recorded, body, headers)


def test_stored_headers_are_few_in_lower_case_and_open_no_door(recorded: Recorded) -> None:
    stored = recorded.provider.stored_headers
    assert all(name == name.lower() for name in stored)
    assert not stored & {"authorization", "cookie", "proxy-authorization", *recorded.sign(b"")}


class Bare(BaseProvider):
    """The least a provider can be."""

    def create_payment(self, request: PaymentRequest) -> ProviderPayment:
        return ProviderPayment(reference=request.payment_id)


OPERATIONS: dict[str, tuple[str, Callable[[BaseProvider], object]]] = {
    "capture": ("supports_capture", lambda provider: provider.capture("r", amount=PRICE)),
    "void": ("supports_void", lambda provider: provider.void("r")),
    "refund": ("supports_refund", lambda provider: provider.refund("r", amount=PRICE, key="k")),
    "receive webhooks": ("supports_webhooks", lambda provider: provider.parse_webhook(b"", {}, datetime.now(UTC))),
    "read": ("supports_webhooks", lambda provider: provider.read_webhook(b"")),
}


DENIED = [
    (provider, call)
    for provider in (Bare("bare", {}), *(build().provider for build in PROVIDERS.values()))
    for flag, call in OPERATIONS.values()
    if not getattr(provider, flag)
]


@pytest.mark.parametrize(("provider", "call"), DENIED)
def test_what_a_flag_denies_is_refused(provider: BaseProvider, call: Callable[[BaseProvider], object]) -> None:
    with pytest.raises(UnsupportedOperationError, match=provider.alias):
        call(provider)


def test_a_provider_takes_every_currency_unless_it_names_some() -> None:
    class Local(Bare):
        currencies = frozenset({"NGN", "GHS"})

    assert Bare("bare", {}).takes("XOF")
    assert Bare("bare", {}).check(deploy=True) == []
    assert Local("local", {}).takes("NGN")
    assert not Local("local", {}).takes("USD")


@pytest.mark.parametrize("value", [ask(), ProviderPayment(reference="r")])
def test_what_crosses_the_interface_is_frozen(value: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.reference = value.payment_id = "other"


# The handler ------------------------------------------------------------------------------------------------------


def configure(settings: Any, **providers: Any) -> None:
    settings.FASHIONISTAR_PAYMENTS = {"ORDERS": "fashionistar_payments.testing.fake_orders", "PROVIDERS": providers}


def test_providers_are_found_by_alias_built_once_and_rebuilt_when_the_settings_change(settings: Any) -> None:
    configure(settings, house={"BACKEND": DUMMY, "OPTIONS": {"SECRET": "one"}})
    first = payment_providers["house"]
    assert payment_providers["house"] is first
    assert (first.alias, list(payment_providers), "house" in payment_providers) == ("house", ["house"], True)
    configure(settings, house={"BACKEND": DUMMY, "OPTIONS": {"SECRET": "two"}})
    assert payment_providers["house"] is not first
    with pytest.raises(UnknownProviderError, match="'dummy'"):
        payment_providers["dummy"]


@pytest.mark.parametrize("backend", ["", "nowhere.Provider", "fashionistar_payments.types.Money", "decimal.Decimal"])
def test_a_provider_that_cannot_be_built_says_why(settings: Any, backend: str) -> None:
    configure(settings, house={"BACKEND": backend})
    with pytest.raises(ProviderMisconfiguredError, match=repr(backend)):
        payment_providers["house"]


# The guard --------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_provider_is_not_called_inside_a_transaction() -> None:
    refuse_inside_transaction()
    with transaction.atomic(), pytest.raises(ProviderCallInTransactionError, match="rows would stay locked"):
        refuse_inside_transaction()
    refuse_inside_transaction()


@pytest.mark.django_db
def test_the_transaction_around_a_test_case_does_not_count() -> None:
    refuse_inside_transaction()
    with transaction.atomic(), pytest.raises(ProviderCallInTransactionError):
        refuse_inside_transaction()


# The checks -------------------------------------------------------------------------------------------------------

GOOD: dict[str, Any] = {"BACKEND": DUMMY, "OPTIONS": {"SECRET": "long-enough-to-count"}}
PORT = "fashionistar_payments.testing.fake_orders"


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        ({"ORDERS": PORT, "PROVIDERS": {"dummy": GOOD}}, []),
        ({"ORDERS": PORT, "PROVIDERS": {"dummy": GOOD}, "DEFAULT_PROVIDER": "dummy"}, []),
        ({}, ["W001", "W002"]),
        ({"ORDER": PORT}, ["E001"]),
        ({"ORDERS": 7}, ["E002"]),
        ({"ORDERS": "nowhere.orders", "PROVIDERS": {"dummy": GOOD}}, ["E003"]),
        ({"ORDERS": "fashionistar_payments.testing.PRICE", "PROVIDERS": {"dummy": GOOD}}, ["E003"]),
        ({"ORDERS": PORT, "PROVIDERS": {"dummy": {"BACKEND": "nowhere.Provider"}}}, ["E004"]),
        ({"ORDERS": PORT, "PROVIDERS": {"dummy": GOOD}, "DEFAULT_PROVIDER": "stripe"}, ["E005"]),
        ({"ORDERS": PORT, "PROVIDERS": {"dummy": {"BACKEND": DUMMY}}}, ["E006"]),
        ({"ORDERS": PORT, "PROVIDERS": {"dummy": {"BACKEND": DUMMY, "OPTIONS": {"SECRET": "short"}}}}, ["E006"]),
    ],
)
def test_settings_are_checked(settings: Any, given: dict[str, Any], ids: list[str]) -> None:
    settings.FASHIONISTAR_PAYMENTS = given
    assert [message.id for message in check_payments()] == [f"fashionistar_payments.{number}" for number in ids]


@pytest.mark.parametrize(
    ("debug", "allowed", "ids"),
    [(False, False, ["fashionistar_payments.E007"]), (False, True, []), (True, False, [])],
)
def test_the_dummy_is_refused_in_production(settings: Any, debug: bool, allowed: bool, ids: list[str]) -> None:
    options = GOOD["OPTIONS"] | {"ALLOW_IN_PRODUCTION": allowed}
    settings.FASHIONISTAR_PAYMENTS = {"ORDERS": PORT, "PROVIDERS": {"dummy": GOOD | {"OPTIONS": options}}}
    settings.DEBUG = debug
    assert [message.id for message in check_payments_deploy()] == ids
    assert check_payments() == []


def test_the_deploy_check_leaves_broken_settings_to_the_other_one(settings: Any) -> None:
    settings.FASHIONISTAR_PAYMENTS = {"PROVIDER": {}}
    assert check_payments_deploy() == []
    assert check_payments_deploy in checks.registry.registry.deployment_checks
