"""What is known of the request, task or event that runs at the moment, and how it is handed on.

A request's id, its trace and its user follow it into the events it publishes, the tasks those start and the calls they
make: `carrier()` writes them down as plain JSON, `carried()` restores them where the work goes on.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from opentelemetry import context as otel
from opentelemetry import propagate

from .types import Actor


@dataclass(slots=True)
class Origin:
    """Where the work that runs comes from. One object for each request, filled in as more becomes known.

    Attributes:
        user_id: the public id of the user who is asking; empty: nobody, or not known yet.
        role: what the user is asking as.
        ip: the caller's address, read behind trusted proxies only.
        browser: the caller's `User-Agent`, cut to 200 characters.
        session: who is logged in, as far as that is known without a query; None outside of a request.
    """

    user_id: str = ""
    role: str = ""
    ip: str = ""
    browser: str = ""
    session: Callable[[], Actor | None] | None = field(default=None, repr=False, compare=False)

    def user(self) -> tuple[str, str]:
        """Public id and role of whom the route has admitted, else of whom the request has found in its session."""
        if not self.user_id and self.session and (actor := self.session()):
            self.user_id, self.role = actor.id, actor.role
        return self.user_id, self.role


#: Follows a request into the events it publishes and the tasks those start; empty outside of any.
request_id: ContextVar[str] = ContextVar("request_id", default="")
#: The present origin; None outside of a request, task or event.
origin: ContextVar[Origin | None] = ContextVar("origin", default=None)


def carrier() -> dict[str, str]:
    """The present request id, user and trace (W3C Trace Context) as JSON that `carried()` understands."""
    facts = {"request_id": request_id.get()}
    if (now := origin.get()) and (user := now.user())[0]:
        facts |= {"user_id": user[0], "role": user[1]}
    propagate.inject(facts)
    return facts


@contextmanager
def carried(facts: Mapping[str, str]) -> Iterator[None]:
    """Run the block in the context that a `carrier()` has written down."""
    id_token = request_id.set(facts.get("request_id", ""))
    origin_token = origin.set(Origin(user_id=facts.get("user_id", ""), role=facts.get("role", "")))
    trace_token = otel.attach(propagate.extract(facts))
    try:
        yield
    finally:
        otel.detach(trace_token)
        origin.reset(origin_token)
        request_id.reset(id_token)
