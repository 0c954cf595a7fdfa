"""`make chaos`: publishers, three relays and a worker are killed with SIGKILL at random points, under load.

Afterwards every committed event has had each of its effects exactly once and in the order of its aggregate, nothing
that was rolled back has had any, and every task ran. One subscriber always fails and one always hangs: nobody waits for
them. Ends with 1 where that is not so.
"""

import argparse
import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "sandbox"))

import psycopg
from launch.services import services

PROCESSES = {"publisher 1": "publisher", "publisher 2": "publisher", "worker": "worker"}
PROCESSES |= {f"relay {number}": "relay" for number in (1, 2, 3)}
SOUND = ("steady", "asynchronous", "flaky", "enqueuing")
SETTLE_SECONDS = 90
# What must come out empty, with the sentence that says what is wrong.
WRONG = {
    "events of rolled-back transactions": """
        SELECT 1 FROM fashionistar_common_outboxevent WHERE (payload->>'doomed')::boolean
    """,
    "effects without an event": """
        SELECT 1 FROM effect LEFT JOIN fashionistar_common_outboxevent event USING (event_id) WHERE event.id IS NULL
    """,
    "missing or doubled effects": """
        SELECT 1 FROM fashionistar_common_outboxevent event CROSS JOIN unnest(ARRAY[{sound}]) AS wanted
        LEFT JOIN effect ON effect.event_id = event.event_id AND effect.subscriber = wanted
        GROUP BY event.id, wanted HAVING count(effect.id) <> 1
    """,
    "effects of the one that fails or the one that hangs": """
        SELECT 1 FROM effect WHERE subscriber IN ('failing', 'hanging')
    """,
    "effects out of order": """
        SELECT 1 FROM (
            SELECT stroke, lag(stroke, 1, 0) OVER (PARTITION BY subscriber, coat ORDER BY id) AS former FROM effect
        ) AS pairs WHERE stroke <> former + 1
    """,
    "strokes without an event, or the other way round": """
        SELECT 1 FROM coat WHERE strokes <> (
            SELECT count(*) FROM fashionistar_common_outboxevent event WHERE event.stream = 'coat:' || coat.id
        )
    """,
    "tasks that did not run": """
        SELECT 1 FROM fashionistar_common_outboxevent event
        LEFT JOIN task_effect ON task_effect.event_id = event.event_id::text
        WHERE (payload->>'stroke')::integer % 5 = 0 AND task_effect.event_id IS NULL
    """,
}
LEFT = """
    SELECT (SELECT count(*) FROM fashionistar_common_outboxevent WHERE fanned_out_at IS NULL)
    + (SELECT count(*) FROM fashionistar_common_eventdelivery
       WHERE status = 'pending' AND subscriber !~ '(failing|hanging)$')
    + (SELECT count(*) FROM fashionistar_common_outboxevent WHERE (payload->>'stroke')::integer % 5 = 0)
    - (SELECT count(*) FROM task_effect)
"""

LAGS = """
    SELECT subscriber, count(*), percentile_cont(ARRAY[0.5, 0.95, 1]) WITHIN GROUP (ORDER BY lag) FROM effect
    GROUP BY subscriber ORDER BY subscriber
"""
STATES = """
    SELECT subscriber, status, count(*) FROM fashionistar_common_eventdelivery
    WHERE subscriber ~ '(failing|hanging)$' GROUP BY subscriber, status ORDER BY subscriber, status
"""


def query(sql: str) -> list[tuple[Any, ...]]:
    """Ask on a connection of its own: a forked process must not inherit one."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        return connection.execute(sql).fetchall()  # type: ignore[call-overload, no-any-return]


@contextmanager
def processes() -> Any:
    """Every process by name while the block runs; killed at its end."""
    from outbox_roles import start

    running = {name: start(role) for name, role in PROCESSES.items()}
    try:
        yield running
    finally:
        for pid in running.values():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def kill_at_random(running: dict[str, int], kills: int, chance: random.Random) -> Counter[str]:
    from outbox_roles import start

    killed = Counter[str]()
    for number in range(kills):
        time.sleep(chance.uniform(0.0, 0.6))
        name = chance.choice(list(running))
        os.kill(running[name], signal.SIGKILL)
        _, status = os.waitpid(running[name], 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            raise SystemExit(f"{name} had ended by itself: {status}")
        running[name] = start(PROCESSES[name])
        killed[PROCESSES[name]] += 1
        if number % 10 == 9:
            print(".", end="", flush=True)
    print()
    return killed


def settle() -> float:
    """Wait until all that can be done is done; seconds that took."""
    began = time.monotonic()
    while left := query(LEFT)[0][0]:
        if time.monotonic() - began > SETTLE_SECONDS:
            raise SystemExit(f"not settled after {SETTLE_SECONDS} s: {left} left")
        time.sleep(0.2)
    return time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    os.environ.pop("DATABASE_URL", None)  # a server of its own
    os.environ["REDIS_URL"] = "redis://127.0.0.1:1/0"  # none is needed
    print(f"{options.kills} kills, seed {options.seed}", flush=True)
    began = time.monotonic()
    with services() as environment:
        os.environ |= environment
        from outbox_roles import start

        _, status = os.waitpid(start("prepare"), 0)
        if status:
            raise SystemExit("the database could not be prepared")
        with processes() as running:
            killed = kill_at_random(running, options.kills, random.Random(options.seed))
            for name in [name for name, role in PROCESSES.items() if role == "publisher"]:
                pid = running.pop(name)
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            settled = settle()
        sound = ", ".join(f"'{name}'" for name in SOUND)
        wrong = [f"{len(rows)} {what}" for what, sql in WRONG.items() if (rows := query(sql.format(sound=sound)))]
        report(killed, settled)
    print("\n".join(wrong) or "every event once for each subscriber, in order; nothing of what was rolled back")
    print(f"{time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


def report(killed: Counter[str], settled: float) -> None:
    """Print what there was."""
    ((events, streams),) = query("SELECT count(*), count(DISTINCT stream) FROM fashionistar_common_outboxevent")
    print(
        f"killed: {dict(killed)}; {events} events of {streams} aggregates; settled {settled:.1f} s after the last kill"
    )
    for subscriber, count, (p50, p95, worst) in query(LAGS):
        print(f"  {subscriber:<13} {count} effects, seconds after event: p50 {p50:.3f}, p95 {p95:.2f}, max {worst:.1f}")
    for subscriber, status, count in query(STATES):
        print(f"  {subscriber.rpartition('.')[2]:<13} {count} {status}")
    ((tasks, runs),) = query("SELECT (SELECT count(*) FROM task_effect), (SELECT count(*) FROM task_run)")
    print(f"  tasks: {tasks}, run {runs} times")


if __name__ == "__main__":
    sys.exit(main())
