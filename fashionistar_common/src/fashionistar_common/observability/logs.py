"""Log lines that say whose they are: `LOGGING = logging_config()` in the settings.

Every line has the same keys: `request_id`, `user_id`, `method`, `path`, `status`, `execution_time` (milliseconds since
the request, task or event began), `trace_id` and `span_id`; null where there is none. Whatever a caller passes as
`extra` comes beside them. Secrets and personal data are removed (`redaction`), and no text can begin a line of its own.
"""

import copy
import importlib.util
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from opentelemetry import trace

from ..context import origin, request_id
from .redaction import redact_text

type Facts = Callable[[], Mapping[str, Any]]

_facts: ContextVar[Facts] = ContextVar("facts", default=dict)

#: What every line has, in this order.
CONTEXT = ("request_id", "user_id", "method", "path", "status", "execution_time", "trace_id", "span_id")


@contextmanager
def bound(facts: Facts | None = None, /, **more: Any) -> Iterator[None]:
    """Put facts on every line logged in the block, and the time since it began.

    Args:
        facts: called for each line; for what is not known yet when the block begins.
        more: facts that stay as they are.
    """
    began = time.perf_counter()

    def now() -> Mapping[str, Any]:
        elapsed = round((time.perf_counter() - began) * 1000, 1)
        return {"execution_time": elapsed, **more, **(facts() if facts else {})}

    token = _facts.set(now)
    try:
        yield
    finally:
        _facts.reset(token)


class ContextFilter(logging.Filter):
    """Puts on each record what is known of the work that logs it; what the caller has said itself stays."""

    def filter(self, record: logging.LogRecord) -> bool:
        known = record.__dict__
        present = trace.get_current_span().get_span_context()
        facts: dict[str, Any] = dict.fromkeys(CONTEXT) | {
            "request_id": request_id.get() or None,
            "user_id": (now.user_id or None) if (now := origin.get()) else None,
            "trace_id": trace.format_trace_id(present.trace_id) if present.is_valid else None,
            "span_id": trace.format_span_id(present.span_id) if present.is_valid else None,
        }
        for name, value in (facts | dict(_facts.get()())).items():
            known.setdefault(name, value)
        return True


class LineFormatter(logging.Formatter):
    """A line for a person. What would begin another line, or command a terminal, is spelt out."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the standard library's name
        record.message = self._spelt_out(redact_text(record.message))
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        """The line; below it what was raised, without secrets and set in, so that it cannot be taken for lines."""
        plain = copy.copy(record)
        if plain.exc_info:
            plain.exc_text = None  # another handler's, with what this one removes
        first, *more = super().format(plain).split("\n")
        below = redact_text("\n".join(more)).splitlines()
        return "\n".join([first, *(f"    {self._spelt_out(line)}" for line in below)])

    @staticmethod
    def _spelt_out(text: str) -> str:
        return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def logging_config(*, level: str = "INFO", json: bool = True) -> dict[str, Any]:
    """The value of Django's LOGGING: everything to standard error, one line each.

    Args:
        level: of the root logger; the probes' and scrapers' own requests are DEBUG.
        json: objects for a machine, else lines for a person.

    Raises:
        ImproperlyConfigured: JSON is wanted without the extra `observability`.
    """
    formatter: dict[str, Any] = {
        "()": LineFormatter,
        "format": "{asctime} {levelname:<7} {name}: {message}",
        "style": "{",
    }
    if json:
        if importlib.util.find_spec("pythonjsonlogger") is None:
            raise ImproperlyConfigured("JSON logs need the extra: pip install 'fashionistar-common[observability]'.")
        formatter = {"()": "fashionistar_common.observability.json_lines.JsonFormatter"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"context": {"()": ContextFilter}},
        "formatters": {"line": formatter},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["context"]}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": "INFO", "propagate": True},
            "django.request": {"level": "ERROR"},  # a refused request has its line of `requests`, with its id
            "httpx": {"level": "WARNING"},  # at INFO it tells each URL with its query; `outgoing` has a line of its own
        },
    }
