"""What this app does when it hears its own events: mails are queued, in the transaction that marks them as heard."""

from dataclasses import dataclass

from fashionistar_common.events import event_bus

from .notifications import send_code, tell_owner


@dataclass(frozen=True, kw_only=True)
class AboutUser:
    """What the handlers here need of an event."""

    event_id: str
    user_id: str


@event_bus.subscribe("auth.user_registered", version=1)
def send_code_on_user_registered(event: AboutUser) -> None:
    send_code(event.user_id)


@event_bus.subscribe("auth.verification_requested", version=1)
def send_code_on_verification_requested(event: AboutUser) -> None:
    send_code(event.user_id)


@event_bus.subscribe("auth.registration_repeated", version=1)
def tell_owner_on_registration_repeated(event: AboutUser) -> None:
    tell_owner(event.user_id, event_id=event.event_id)
