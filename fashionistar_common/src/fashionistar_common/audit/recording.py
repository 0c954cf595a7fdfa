from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connections, router
from django.db.models import Model
from opentelemetry import trace

from ..conf import conf
from ..context import Origin, origin, request_id
from ..db.text import storable
from ..exceptions import FashionistarError
from ..models import AuditEntry
from ..observability.redaction import REMOVED, is_secret, redact
from ..types import Actor

#: Characters of one value that are kept.
LONGEST_VALUE = 2000


class OutsideTransactionError(FashionistarError):
    """{action} was recorded outside a transaction; the entry and the change it tells of would not be one."""

    code = "outside_transaction"


def record(
    action: str,
    subject: Model,
    *,
    public_id: str | None = None,
    changes: Mapping[str, Sequence[Any]] | None = None,
    actor: Actor | None = None,
) -> None:
    """Note what was done, as part of the transaction that runs. One INSERT; takes no lock.

    Address, browser, request id and trace id are those of the request that runs.

    Args:
        action: what happened, as events are named: `orders.order_cancelled`.
        subject: the row it happened to.
        public_id: the subject's public name; by default its attribute `public_id`, else its primary key.
        changes: for each field what it was and what it is. Values whose names tell of secrets or personal data, or are
            in `AUDIT_REDACTED`, are replaced; so is what looks like a secret inside of texts.
        actor: who did it; by default whom `context.origin` names, and nobody outside of any request: the system.

    Raises:
        OutsideTransactionError: no transaction runs.
        TypeError: a change is no pair.
    """
    using = router.db_for_write(AuditEntry)
    if not connections[using].in_atomic_block:
        raise OutsideTransactionError(action=action)
    now = origin.get() or Origin()
    user_id, role = (actor.id, actor.role) if actor else now.user()
    span = trace.get_current_span().get_span_context()
    AuditEntry.objects.using(using).create(
        action=action,
        object_type=subject._meta.label_lower,
        object_id=_text(public_id or getattr(subject, "public_id", None) or subject.pk, 200),
        actor_id=_text(user_id, 64),
        actor_role=_text(role, 16),
        changes={_text(name, 200): _pair(name, pair) for name, pair in (changes or {}).items()},
        ip=_text(now.ip, 45),
        browser=_text(now.browser, 200),
        request_id=_text(request_id.get(), 64),
        trace_id=trace.format_trace_id(span.trace_id) if span.is_valid else "",
    )


def _pair(name: str, pair: Sequence[Any]) -> list[Any]:
    if isinstance(pair, str) or len(pair) != 2:
        raise TypeError(f"The change of {name} is no pair of before and after.")
    hidden = is_secret(name) or name in conf.AUDIT_REDACTED
    if hidden:
        return [None if value is None else REMOVED for value in pair]
    return [_plain(redact(value, longest=LONGEST_VALUE)) for value in pair]


def _plain(value: Any) -> Any:
    """Redacted JSON as a database takes it, without what AUDIT_REDACTED names further in."""
    if isinstance(value, dict):
        return {storable(key): REMOVED if key in conf.AUDIT_REDACTED else _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return storable(value) if isinstance(value, str) else value


def _text(value: object, longest: int) -> str:
    return storable(str(value))[:longest]
