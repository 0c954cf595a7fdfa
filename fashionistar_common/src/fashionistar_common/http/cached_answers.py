"""Where cached answers are kept: in Redis, an entry and a lock for each, and the versions of tags.

What there is to do is written once, as steps that a generator yields; `run()` does them here, `arun()` on the event
loop without a thread hop. An entry and its lock lie in one slot of a Cluster, the tags in another.

A tag's version is a random word, new at each change. What was computed is kept with the versions that were read
*before* it was computed, and is valid while those are the present ones: an answer that was computed before a change and
stored after it is not. Should Redis lose the versions, it loses the epoch among them, which no two lives of it share.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from .. import optional_redis

type Steps[T] = Generator["Step", Any, T]
type Versions = list[str]

#: KEYS: entry, lock. ARGV: the lock's token, the entry, its milliseconds. The lock may be another's by now.
WRITE = """
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
"""
UNLOCK = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"
EPOCH = " epoch"  # no tag is called so: a tag has no space


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do with Redis; or, without `work`, a pause."""

    key: str = ""
    work: Callable[[Any], Any] | None = None
    seconds: float = 0


def run[T](steps: Steps[T]) -> T:
    """Do the steps and return what the generator does.

    Raises:
        RedisAwayError: when Redis does not answer, unless the generator catches it.
    """
    try:
        step = next(steps)
        while True:
            try:
                result = optional_redis.call(step.key, step.work) if step.work else _sleep(step.seconds)
            except optional_redis.RedisAwayError as error:
                step = steps.throw(error)
            else:
                step = steps.send(result)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


async def arun[T](steps: Steps[T]) -> T:
    """See run()."""
    try:
        step = next(steps)
        while True:
            try:
                if step.work:
                    result = await optional_redis.acall(step.key, _awaited(step.work))
                else:
                    result = await asyncio.sleep(step.seconds, None)
            except optional_redis.RedisAwayError as error:
                step = steps.throw(error)
            else:
                step = steps.send(result)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


def _sleep(seconds: float) -> Any:
    time.sleep(seconds)


def _awaited(work: Callable[[Any], Any]) -> Callable[[Any], Awaitable[Any]]:
    async def awaited(client: Any) -> Any:
        return await work(client)

    return awaited


def entry_key(digest: str) -> str:
    return optional_redis.prefixed(f"answer:{{{digest}}}")


def read(digest: str) -> Steps[tuple[bytes | None, int]]:
    """The entry, and the milliseconds that it has left."""
    key = entry_key(digest)

    def work(client: Any) -> Any:
        pipeline = client.pipeline(transaction=False)
        pipeline.get(key)
        pipeline.pttl(key)
        return pipeline.execute()

    entry, left = yield Step(key, work)
    return entry, max(0, left)


def write(digest: str, entry: bytes, *, milliseconds: int, token: str) -> Steps[None]:
    """Keep the entry, and give the lock back."""
    key = entry_key(digest)
    yield Step(key, lambda client: client.eval(WRITE, 2, key, f"{key}:lock", token, entry, milliseconds))


def lock(digest: str, *, token: str, seconds: float) -> Steps[bool]:
    """Whether the lock is ours now. It opens by itself after so many seconds."""
    key = f"{entry_key(digest)}:lock"
    return bool((yield Step(key, lambda client: client.set(key, token, nx=True, px=int(seconds * 1000)))))


def unlock(digest: str, *, token: str) -> Steps[None]:
    key = f"{entry_key(digest)}:lock"
    yield Step(key, lambda client: client.eval(UNLOCK, 1, key, token))


def versions(tags: Sequence[str]) -> Steps[Versions]:
    """The present versions of these tags, and the epoch."""
    key = _tags_key()
    found = yield Step(key, lambda client: client.hmget(key, [EPOCH, *tags]))
    if found[0] is None:
        yield Step(key, lambda client: client.hsetnx(key, EPOCH, uuid.uuid4().hex))
        found = yield Step(key, lambda client: client.hmget(key, [EPOCH, *tags]))
    return [(version or b"").decode() for version in found]


def bump(tags: Sequence[str]) -> Steps[None]:
    """Give these tags new versions: no answer that was begun before is valid any more."""
    key, new = _tags_key(), {tag: uuid.uuid4().hex for tag in tags}
    if new:
        yield Step(key, lambda client: client.hset(key, mapping=new))


def _tags_key() -> str:
    return optional_redis.prefixed("answer-tags")


def pack(facts: Any, body: bytes) -> bytes:
    """An entry: a line of JSON, and the body."""
    return json.dumps(facts, separators=(",", ":")).encode() + b"\n" + body


def unpack(entry: bytes | None) -> tuple[dict[str, Any], bytes]:
    """What pack() was given; nothing, when it is no entry."""
    facts, _, body = (entry or b"{}").partition(b"\n")
    try:
        return dict(json.loads(facts)), body
    except (TypeError, ValueError):
        return {}, b""
