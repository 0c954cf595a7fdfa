"""One JSON object for each log line; needs python-json-logger, of the extra `observability`."""

import logging
import traceback
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter as PlainJsonFormatter

from .logs import CONTEXT
from .redaction import redact

#: What Django puts on its records and is no text: the request, whose `str()` has the query, and a query's parameters.
OMITTED = ("request", "server_time", "params")


class JsonFormatter(PlainJsonFormatter):
    """`time`, `level`, `logger`, `message`, the context, the extra, and what was raised as `exception`."""

    def __init__(self) -> None:
        super().__init__(
            ["asctime", "levelname", "name", "message", *CONTEXT],
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger", "exc_info": "exception"},
            reserved_attrs=[*RESERVED_ATTRS, *OMITTED],
        )

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def formatException(self, ei: Any) -> dict[str, str]:  # type: ignore[override] # noqa: N802
        kind, error, _ = ei
        return {
            "type": f"{kind.__module__}.{kind.__qualname__}",
            "message": str(error),
            "stack": "".join(traceback.format_exception(error))[-20_000:],
        }

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        clean: dict[str, Any] = redact(log_data)
        return clean
