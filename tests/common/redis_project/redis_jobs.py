"""Tasks for tests. Each notes in Redis what it did, in a list named after its first argument."""

import asyncio
import os
import signal
import time

import redis
import redis.asyncio
from django.tasks import task
from fashionistar_common.tasks import UnsettledError
from fashionistar_common.tasks import task as retrying_task


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


@retrying_task(retry_base=0.05)
def stumble(name: str, falls: int) -> str:
    """Fails until it has been tried often enough."""
    note(name, "tried")
    if len(notes(name)) <= falls:
        raise ValueError("not yet")
    return "done"


@retrying_task(max_attempts=1)
def lose(name: str) -> None:
    raise ValueError(name)


@retrying_task()
async def astumble(name: str, falls: int) -> str:
    note(name, "tried")
    if len(notes(name)) <= falls:
        raise ValueError("not yet")
    return "done"


@retrying_task(time_limit=0.2, max_attempts=1)
def dawdle(name: str) -> None:
    time.sleep(20)


@task()
def unsettled(name: str) -> None:
    note(name, "tried")
    if len(notes(name)) == 1:
        raise UnsettledError("neither database nor queue")


@task()
async def aunsettled(name: str) -> None:
    note(name, "tried")
    if len(notes(name)) == 1:
        raise UnsettledError("neither database nor queue")


@retrying_task()
def kill_worker_with_policy(name: str) -> None:
    note(name, "killing")
    os.kill(os.getpid(), signal.SIGKILL)
