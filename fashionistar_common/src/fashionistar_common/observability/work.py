"""One event handled or one task attempted: a span, facts on every line of its log, and its time."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from opentelemetry.trace import SpanKind, StatusCode

from .logs import bound
from .metrics import histogram
from .tracing import span

logger = logging.getLogger(__name__)

SECONDS = histogram("work_seconds", "How long events and tasks took.", ("kind", "name", "outcome"))


@dataclass(slots=True)
class Work:
    """What runs. Whoever catches its error says so here, so that it is told as failed all the same."""

    error: BaseException | None = None


@contextmanager
def work(kind: Literal["event", "task"], name: str, facts: Mapping[str, str | int]) -> Iterator[Work]:
    """Observe the block; it stands within `context.carried()`, so its span continues the trace of whoever caused it.

    Args:
        kind: what it is.
        name: a name from the code; it becomes a label.
        facts: for the span and the log.
    """
    began, present = time.perf_counter(), Work()
    with span(f"{kind} {name}", kind=SpanKind.CONSUMER, attributes=facts) as recorded, bound(**facts):
        try:
            yield present
        except BaseException as error:
            present.error = error
            raise
        finally:
            outcome = "done" if present.error is None else "failed"
            if present.error is not None:
                recorded.set_status(StatusCode.ERROR)
                recorded.set_attribute("error.type", type(present.error).__qualname__)
            SECONDS.labels(kind, name, outcome).observe(time.perf_counter() - began)
            logger.debug("%s %s: %s", kind, name, outcome)
