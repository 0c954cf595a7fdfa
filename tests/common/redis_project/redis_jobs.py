"""Tasks for tests. Each notes in Redis what it did, in a list named after its first argument."""

import asyncio
import os
import signal
import time

import redis
import redis.asyncio
from django.tasks import task


def note(name: str, text: str) -> None:
    with redis.Redis.from_url(os.environ["NOTES_URL"]) as client:
        client.rpush(f"notes:{name}", text)


def notes(name: str) -> list[str]:
    with redis.Redis.from_url(os.environ["NOTES_URL"], decode_responses=True) as client:
        return client.lrange(f"notes:{name}", 0, -1)


@task()
def write(name: str, text: str) -> str:
    note(name, text)
    return text.upper()


@task(takes_context=True)
def attempts(context, name: str) -> int:
    note(name, str(context.attempt))
    return context.attempt


@task()
def fail(name: str) -> None:
    raise ValueError(f"{name} is creased\0")


@task()
def leave(name: str) -> None:
    raise SystemExit(3)


@task()
def unstorable() -> object:
    return object()


@task()
def nothing() -> None:
    pass


@task()
def nap(name: str, seconds: float) -> None:
    note(name, "begun")
    time.sleep(seconds)
    note(name, "done")


@task()
async def anap(name: str, seconds: float) -> None:
    note(name, "begun")
    await asyncio.sleep(seconds)
    note(name, "done")


@task()
async def chain(name: str) -> str:
    """An async task that enqueues another one."""
    result = await write.aenqueue(name, "from a loop")
    return result.id


@task()
def kill_worker(name: str) -> None:
    note(name, "killing")
    os.kill(os.getpid(), signal.SIGKILL)
