"""A small HTTP client that says what it saw when an answer is not the expected one."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# Never through a proxy: the servers are on this machine.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
TIMEOUT = 30  # seconds for one answer


class UnexpectedAnswerError(Exception):
    """An answer has another status than the journey expects."""


@dataclass(frozen=True)
class Caller:
    """Calls one server: `call("POST", "/api/v2/orders", token="amara", body={...}, status=201)` returns the JSON."""

    url: str

    def __call__(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        raw: bytes | None = None,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        status: int = 200,
    ) -> Any:
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with OPENER.open(request, timeout=TIMEOUT) as response:
                found, text = response.status, response.read().decode()
                media_type = response.headers.get_content_type()
        except urllib.error.HTTPError as error:
            found, text = error.code, error.read().decode()
            media_type = error.headers.get_content_type()
        if found != status:
            raise UnexpectedAnswerError(f"{method} {path} answered {found}, not {status}: {text[:2000]}")
        if found >= 400 and media_type != "application/problem+json":
            raise UnexpectedAnswerError(f"{method} {path} answered {found} as {media_type}, not as a problem.")
        return json.loads(text) if text else None

    def wait(self, alive: Callable[[], bool], *, seconds: float = 30) -> None:
        """Return when the server answers /healthz.

        Raises:
            UnexpectedAnswerError: it has ended, or does not answer in time.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and alive():
            try:
                self("GET", "/healthz")
            except OSError:  # URLError is one
                time.sleep(0.1)
            else:
                return
        raise UnexpectedAnswerError(f"{self.url} never answered.")
