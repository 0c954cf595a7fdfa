"""Redis behind one door: one server, a master that Sentinels watch, or a Cluster.

    servers = redis_servers({"SENTINELS": ["10.0.0.1:26379", "10.0.0.2:26379"], "SERVICE": "shop"})
    servers.call("{stock}:limits", lambda client: client.incr("{stock}:limits"), patience=2)

What is called gets a plain client of the master that holds the key. When that master is gone, has become a replica or
has given the key away, the door asks anew who holds it and calls again, until `patience` is over. So what is called
must be harmless when it is done twice.
"""

import asyncio
import json
import random
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from django.core.exceptions import ImproperlyConfigured

try:
    import redis
    import redis.asyncio
    from redis.asyncio.retry import Retry as AsyncRetry
    from redis.backoff import NoBackoff
    from redis.crc import key_slot
    from redis.retry import Retry
    from redis.sentinel import Sentinel
except ImportError as error:
    raise ImproperlyConfigured('Redis needs the extra: pip install "fashionistar-common[redis]".') from error

type Address = tuple[str, int]

#: What a connection is made with unless CLIENT says otherwise. Seconds; the door itself repeats what failed.
CLIENT: Mapping[str, Any] = {
    "socket_timeout": 5.0,
    "socket_connect_timeout": 2.0,
    "health_check_interval": 30,
    "decode_responses": True,
    "protocol": 2,
}
#: Answers that mean "not this server, or not yet": a failover or a move of slots is under way.
PASSING = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.ReadOnlyError,
    redis.exceptions.AskError,
    redis.exceptions.TryAgainError,
    redis.exceptions.ClusterDownError,
)
PASSING_CODES = ("NOREPLICAS", "UNBLOCKED", "MISCONF", "LOADING")
REFUSALS = (redis.AuthenticationError, redis.exceptions.AuthorizationError)


class NotReplicatedError(redis.RedisError):
    """Fewer replicas than asked for have taken over a write in time."""


def is_passing(error: Exception) -> bool:
    """Whether the same call may succeed a moment later, perhaps on another server."""
    if isinstance(error, REFUSALS):
        return False
    return isinstance(error, (*PASSING, NotReplicatedError)) or str(error).startswith(PASSING_CODES)


def redis_servers(options: Mapping[str, Any]) -> "RedisServers":
    """The door to the servers that these options name; one for each process and set of options.

    Args:
        options: `URL` (`redis://`, `rediss://` or `unix://`), or `SENTINELS` (a list of `host:port`) and `SERVICE`, or
            `CLUSTER` (a list of `host:port`); `CLIENT` and `SENTINEL_CLIENT`: more arguments for the connections, such
            as `username`, `password`, `ssl`, `ssl_ca_certs`. Other keys are not looked at.

    Raises:
        ImproperlyConfigured: when they name no servers, or two kinds of them.
    """
    names = ("URL", "SENTINELS", "SERVICE", "CLUSTER", "CLIENT", "SENTINEL_CLIENT")
    chosen = {name: options[name] for name in names if options.get(name)}
    if len(chosen.keys() & {"URL", "SENTINELS", "CLUSTER"}) != 1 or ("SENTINELS" in chosen) != ("SERVICE" in chosen):
        raise ImproperlyConfigured("Name Redis by exactly one of URL, SENTINELS with SERVICE, and CLUSTER.")
    return _servers(json.dumps(chosen, sort_keys=True))


@lru_cache(maxsize=32)
def _servers(options: str) -> "RedisServers":
    return RedisServers(**{name.lower(): value for name, value in json.loads(options).items()})


class RedisServers:
    """See the module and `redis_servers()`, which makes one. Safe for use by many threads and event loops."""

    def __init__(
        self,
        *,
        url: str = "",
        sentinels: list[str] | None = None,
        service: str = "",
        cluster: list[str] | None = None,
        client: dict[str, Any] | None = None,
        sentinel_client: dict[str, Any] | None = None,
    ) -> None:
        self._kwargs: dict[str, Any] = {**CLIENT, **(client or {})}
        self._lock = threading.Lock()
        self._clients: dict[Address, redis.Redis] = {}
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _OfLoop] = WeakKeyDictionary()
        self._slots: list[tuple[int, int, Address]] = []
        self._sentinel: Sentinel | None = None
        self._service = service
        self._seeds = [_address(node) for node in cluster or []]
        if url:
            self._kwargs |= _url_arguments(url)
            home = self._kwargs.pop("host", "localhost"), int(self._kwargs.pop("port", 6379))
            self._slots = [(0, 16383, home)]
        elif sentinels:
            quick = {name: self._kwargs[name] for name in ("socket_timeout", "socket_connect_timeout")}
            arguments = {**quick, "retry": Retry(NoBackoff(), 0), "protocol": 2, **(sentinel_client or {})}
            self._sentinel = Sentinel([_address(node) for node in sentinels], sentinel_kwargs=arguments)

    @property
    def is_cluster(self) -> bool:
        """Whether keys lie on different servers."""
        return bool(self._seeds)

    def client(self, key: str) -> redis.Redis:
        """A client of the master that held the key when last asked."""
        address = self._holder(key)
        with self._lock:
            if address not in self._clients:
                self._clients[address] = redis.Redis(**self._arguments(address), retry=Retry(NoBackoff(), 0))
            return self._clients[address]

    async def aclient(self, key: str) -> redis.asyncio.Redis:
        """See client(); for the event loop that runs, which closes it when it ends as `asyncio.run()` does."""
        address = self._holder(key) if self._slots else await asyncio.to_thread(self._holder, key)
        loop = asyncio.get_running_loop()
        with self._lock:
            held = self._loops.setdefault(loop, _OfLoop(self._loops))
        await held.open()
        if address not in held.clients:
            arguments = self._arguments(address)
            held.clients[address] = redis.asyncio.Redis(**arguments, retry=AsyncRetry(NoBackoff(), 0))
        return held.clients[address]

    def call[T](self, key: str, work: Callable[[redis.Redis], T], *, patience: float) -> T:
        """Return `work(client)`, done by the key's master; tried again for `patience` seconds when that is not there.

        Raises:
            redis.RedisError: the last error, when the patience is over or time would not help.
        """
        tries = _Tries(patience)
        while True:
            try:
                return work(self.client(key))
            except redis.RedisError as error:
                pause = tries.pause_after(error)
            time.sleep(pause)
            self.forget()

    async def acall[T](self, key: str, work: Callable[[redis.asyncio.Redis], Awaitable[T]], *, patience: float) -> T:
        """See call()."""
        tries = _Tries(patience)
        while True:
            try:
                return await work(await self.aclient(key))
            except redis.RedisError as error:
                pause = tries.pause_after(error)
            await asyncio.sleep(pause)
            self.forget()

    def forget(self) -> None:
        """Ask anew who holds what, at the next call. Of one server there is nothing to ask."""
        if self._sentinel or self._seeds:
            self._slots = []

    def _arguments(self, address: Address) -> dict[str, Any]:
        return {**self._kwargs, "host": address[0], "port": address[1]}

    def _holder(self, key: str) -> Address:
        slots = self._slots
        if not slots:
            slots = self._slots = self._ask_sentinel(self._sentinel) if self._sentinel else self._ask_cluster()
        slot = key_slot(key.encode())
        for first, last, address in slots:
            if first <= slot <= last:
                return address
        self.forget()
        raise redis.exceptions.ClusterDownError(f"CLUSTERDOWN slot {slot} is not served")

    def _ask_sentinel(self, sentinel: Sentinel) -> list[tuple[int, int, Address]]:
        host, port = sentinel.discover_master(self._service)
        return [(0, 16383, (str(host), int(port)))]

    def _ask_cluster(self) -> list[tuple[int, int, Address]]:
        """The map of slots from whichever node answers. Any of them, for one that is cut off tells old tales."""
        problem: Exception = redis.ConnectionError("no node of the cluster answers")
        for seed in random.sample(self._seeds, len(self._seeds)):
            try:
                with redis.Redis(**self._arguments(seed), retry=Retry(NoBackoff(), 0)) as client:
                    ranges: Any = client.execute_command("CLUSTER SLOTS")
            except redis.RedisError as error:
                problem = error
                continue
            slots = [(first, last, (master[0] or seed[0], master[1])) for first, last, master, *_ in ranges]
            nodes = [(node[0] or seed[0], node[1]) for _, _, *of_range in ranges for node in of_range]
            self._seeds = list(dict.fromkeys([*nodes, *self._seeds]))[:32]
            return slots
        raise problem


class _OfLoop:
    """The clients of one event loop. An asynchronous generator is what a loop closes before it ends."""

    def __init__(self, loops: "WeakKeyDictionary[asyncio.AbstractEventLoop, _OfLoop]") -> None:
        self.clients: dict[Address, redis.asyncio.Redis] = {}
        self._loops = loops
        self._life: AsyncGenerator[None] | None = None

    async def open(self) -> None:
        if self._life is None:
            self._life = self._live()
            await anext(self._life)

    async def _live(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            self._loops.pop(asyncio.get_running_loop(), None)
            for client in self.clients.values():
                await client.aclose()


class _Tries:
    """How often, and when, a call is tried again: after 0.02 s, doubled up to half a second, with jitter."""

    def __init__(self, patience: float) -> None:
        self._until = time.monotonic() + patience
        self._pause = 0.02

    def pause_after(self, error: redis.RedisError) -> float:
        if not is_passing(error) or time.monotonic() + self._pause > self._until:
            raise error
        pause, self._pause = self._pause, min(0.5, self._pause * 2)
        return pause * random.uniform(0.7, 1.3)  # noqa: S311 - not a secret


def _address(node: str) -> Address:
    host, _, port = node.rpartition(":")
    return host.strip("[]"), int(port)


def _url_arguments(url: str) -> dict[str, Any]:
    arguments = dict(redis.connection.parse_url(url))
    kind = arguments.pop("connection_class", None)
    if kind is redis.SSLConnection:
        arguments["ssl"] = True
    if path := arguments.pop("path", None):
        arguments["unix_socket_path"] = path
    return arguments
