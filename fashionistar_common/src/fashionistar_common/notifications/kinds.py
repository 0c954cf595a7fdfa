"""What an app writes to people about."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..models import Category, Channel

#: Every kind of the installed apps, by name.
kinds: dict[str, "NotificationKind"] = {}

_NAME = re.compile(r"[a-z_]+\.[a-z0-9_]+")

#: Makes the templates' context from the stored one, at the moment of sending; None: no longer worth sending.
type ContextSource = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]


@dataclass(frozen=True, kw_only=True)
class NotificationKind:
    """One kind of message. To make one is to register it, so make it at the top of a module that is always imported.

    Attributes:
        name: `<app>.<what>`, such as `orders.order_confirmation`.
        channels: by which it is sent, where the project has a provider and the recipient an address.
        template: one file that holds the partials `subject`, `text` and `html` (e-mail), `sms`, and `subject` and
            `push` (web push).
        description: one sentence for the people who run the site.
        context: turns the stored context, which holds ids, into the templates' context. Runs when the message is sent,
            so what is secret or personal need not wait in a table. Without it the templates see what was stored.
        urgent: somebody sits and waits for it: it goes by the queue `critical`.

    Raises:
        ValueError: for a name that is malformed or taken.
    """

    name: str
    category: Category
    channels: tuple[Channel, ...]
    template: str
    description: str
    context: ContextSource | None = None
    urgent: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name of the form app.what.")
        if self.name in kinds:
            raise ValueError(f"There is a notification kind {self.name!r} already.")
        kinds[self.name] = self
