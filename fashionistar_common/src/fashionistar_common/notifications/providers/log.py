"""Messages for developers to look at."""

import dataclasses
import json
import logging
from pathlib import Path

from . import Message

logger = logging.getLogger(__name__)


class LogProvider:
    """Carries messages of any channel to a file, or to the log. They hold personal data: for development only.

    Args:
        path: a file that gets one JSON object a line; empty: the log, level INFO.
    """

    def __init__(self, *, path: str = "") -> None:
        self.path = path

    def send(self, message: Message) -> str:
        line = json.dumps(dataclasses.asdict(message), ensure_ascii=False)
        if self.path:
            with Path(self.path).open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
        else:
            logger.info("message: %s", line)
        return message.id
