"""What every line of the log says about its request."""

import logging

from fashionistar_common.context import request_id


class RequestFilter(logging.Filter):
    """Puts the current request's id on each record, so that one request's lines can be found together."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Annotate the record; never drop it."""
        record.request_id = request_id.get() or None
        return True
