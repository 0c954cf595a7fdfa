"""The chain of the audit log: what becomes of one that somebody touches, that many write, and that is purged."""

import json
import os
import random
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone
from fashionistar_common import audit
from fashionistar_common.audit import chain as chaining
from fashionistar_common.audit.retention import PURGED
from fashionistar_common.models import AuditChain, AuditEntry, IdempotencyRecord
from fashionistar_common.types import Actor, Role

pytestmark = pytest.mark.django_db(transaction=True)

STAFF = Actor(id="ada", role=Role.STAFF)


def subject(pk=1):
    """Any row will do."""
    return IdempotencyRecord(pk=pk, key="k")


def note(*names, seal=True, days_ago=0, **kwargs):
    for name in names:
        with transaction.atomic():
            audit.record(f"tests.{name}", subject(), public_id=name, **kwargs)
            if days_ago:
                behind_the_guard(
                    "UPDATE {} SET at = %s WHERE object_id = %s", timezone.now() - timedelta(days=days_ago), name
                )
    if seal:
        audit.seal()


def behind_the_guard(sql, *values):
    """What somebody does who owns the database."""
    quoted = sql.format("fashionistar_common_auditentry")
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(quoted, values)


def found():
    return [finding.what for finding in audit.verify().findings]


def places():
    return list(AuditEntry.objects.order_by("sequence").values_list("sequence", "object_id"))


# The chain ----------------------------------------------------------------------------------------------------------


def test_a_chain_that_nobody_touched_is_whole():
    assert found() == []
    note("a", "b", "c")
    note("d")
    report = audit.verify()
    assert (report.entries, report.findings) == (4, [])
    assert places() == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]
    last = AuditEntry.objects.get(sequence=4)
    assert report.head == f"4:{last.hash}" == str(AuditChain.objects.get())
    assert last.previous_hash == AuditEntry.objects.get(sequence=3).hash


def test_the_hash_is_what_the_documentation_says():
    """Whoever verifies an export elsewhere relies on it."""
    import hashlib

    note("a", changes={"ü": [1, None]})
    entry = AuditEntry.objects.get()
    names = ("actor_id", "actor_role", "action", "object_type", "object_id", "changes", "ip", "browser", "request_id")
    facts = {name: getattr(entry, name) for name in (*names, "trace_id", "sequence", "previous_hash")}
    facts["at"] = entry.at.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    assert entry.hash == hashlib.sha256(text.encode()).hexdigest()


LONG_AGO = "'2020-01-01 00:00:00+00:00'"
TAMPERINGS = {
    "another actor": ("UPDATE {} SET actor_id = 'mallory' WHERE sequence = 3", ["tests.c c was altered."]),
    "another moment": ("UPDATE {} SET at = '2020-01-01 00:00:00+00:00' WHERE sequence = 1", ["tests.a a was altered."]),
    "other changes": (
        """UPDATE {} SET changes = '{{"field": [1, 3]}}' WHERE sequence = 5""",
        ["tests.e e was altered."],
    ),
    "a row deleted": ("DELETE FROM {} WHERE sequence = 3", ["It is missing."]),
    "rows deleted": ("DELETE FROM {} WHERE sequence IN (2, 3, 4)", ["All from here to 4 are missing."]),
    "the first deleted": ("DELETE FROM {} WHERE sequence = 1", ["It is missing."]),
    "the tail deleted": ("DELETE FROM {} WHERE sequence > 3", ["All from here to 5 are missing."]),
    "all deleted": ("DELETE FROM {}", ["All from here to 5 are missing."]),
    "taken out of the chain": (
        f"UPDATE {{}} SET sequence = NULL, hash = '', action = 'x', at = {LONG_AGO} WHERE sequence = 2",
        ["It is missing.", "1 entries wait to be sealed; is `relay_events` or `seal_audit` running?"],
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_what_somebody_does_to_the_rows_is_found(name, capsys):
    note(*"abcde", changes={"field": [1, 2]})
    sql, expected = TAMPERINGS[name]
    behind_the_guard(sql)
    assert found() == expected
    with pytest.raises(CommandError, match=f"{len(expected)} findings"):
        call_command("verify_audit")
    told = capsys.readouterr().err
    assert [what for what in expected if what not in told] == []


def test_rows_that_change_places_are_found():
    note(*"abcde")
    for old, new in ((2, 100), (4, 2), (100, 4)):
        behind_the_guard("UPDATE {} SET sequence = %s WHERE sequence = %s", new, old)
    assert {"tests.d d was altered.", "tests.b b was altered."} < set(found())


def forge(entry, **changes):
    """Alter an entry so that its own hash fits, as whoever knows the rule can."""
    for name, value in changes.items():
        setattr(entry, name, value)
    entry.hash = chaining.entry_hash(entry)
    sql = "UPDATE {} SET actor_id = %s, previous_hash = %s, hash = %s, sequence = %s WHERE id = %s"
    behind_the_guard(sql, entry.actor_id, entry.previous_hash, entry.hash, entry.sequence, entry.pk)


def test_an_entry_with_a_forged_hash_does_not_fit_the_next_one():
    note(*"abc")
    forge(AuditEntry.objects.get(sequence=2), actor_id="mallory")
    assert found() == ["tests.c c does not follow the entry before it."]


def test_a_forged_last_entry_does_not_fit_the_head():
    note(*"abc")
    forge(AuditEntry.objects.get(sequence=3), actor_id="mallory")
    assert found() == ["The last entry is not the one that was sealed last."]


def test_an_entry_that_is_put_behind_the_end_is_found():
    note(*"abc")
    note("forged", seal=False)
    forge(AuditEntry.objects.get(sequence=None), sequence=4, previous_hash=AuditEntry.objects.get(sequence=3).hash)
    assert found() == ["The chain ends at 3, but there are entries beyond it."]


def test_a_chain_that_is_rewritten_as_a_whole_does_not_lead_through_an_earlier_head(tmp_path, capsys):
    checkpoint = tmp_path / "audit.head"
    note(*"abc")
    call_command("verify_audit", checkpoint=checkpoint)
    assert checkpoint.read_text() == f"{AuditChain.objects.get()}\n"
    note("d")
    call_command("verify_audit", checkpoint=checkpoint)  # it leads through the earlier one
    previous = AuditEntry.objects.get(sequence=1).hash
    for entry in AuditEntry.objects.filter(sequence__gt=1).order_by("sequence"):
        forge(entry, previous_hash=previous, actor_id="mallory")
        previous = entry.hash
    AuditChain.objects.update(head_hash=previous)
    assert found() == []
    with pytest.raises(CommandError):
        call_command("verify_audit", checkpoint=checkpoint)
    assert "cut off or rewritten" in capsys.readouterr().err
    behind_the_guard("DELETE FROM {} WHERE sequence > 2")
    AuditChain.objects.update(head=2, head_hash=AuditEntry.objects.get(sequence=2).hash)
    assert found() == []
    with pytest.raises(CommandError):
        call_command("verify_audit", checkpoint=checkpoint)
    assert "cut off or rewritten" in capsys.readouterr().err


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    (tmp_path / "head").write_text("hello")
    with pytest.raises(CommandError, match="no checkpoint"):
        call_command("verify_audit", checkpoint=tmp_path / "head")


def test_what_waits_too_long_to_be_sealed_is_a_finding(settings):
    note("a", seal=False)
    assert found() == []
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "AUDIT_SEAL_GRACE": 0}
    assert found() == ["1 entries wait to be sealed; is `relay_events` or `seal_audit` running?"]
    call_command("seal_audit")
    assert found() == []


def test_sealing_costs_one_query_when_there_is_nothing_to_do(django_assert_num_queries):
    note("a")
    with django_assert_num_queries(1):
        assert audit.seal() == 0


def test_many_entries_are_sealed_in_batches():
    note(*(f"n{number}" for number in range(25)), seal=False)
    assert audit.seal(limit=10) == 25
    assert [place for place, _ in places()] == list(range(1, 26))
    assert found() == []


@pytest.mark.postgresql
def test_sixteen_threads_record_while_two_seal_and_one_verifies():  # noqa: C901 - three kinds of threads
    """The chain is in the order of the commits, without gaps, and no writer waits for another."""
    stop, failures, verified = threading.Event(), [], []

    def run(work):
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test shall see it
            failures.append(error)
        finally:
            connection.close()

    def write(writer):
        for number in range(20):
            with transaction.atomic():
                audit.record("tests.a", subject(), public_id=f"{writer}-{number:02}")
                if number % 5 == 4:
                    transaction.set_rollback(True)

    def sealer():
        while not stop.is_set():
            audit.seal(limit=7)

    def verifier():
        while not stop.is_set():
            report = audit.verify()
            verified.append(report.entries)
            assert report.findings == []

    writers = [threading.Thread(target=run, args=(lambda name=name: write(name),)) for name in range(16)]
    others = [threading.Thread(target=run, args=(work,)) for work in (sealer, sealer, verifier)]
    for thread in (*writers, *others):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in others:
        thread.join()
    assert failures == []
    audit.seal()
    report = audit.verify()
    assert (report.entries, report.findings) == (16 * 16, [])
    assert verified
    for writer in range(16):  # each writer's entries are in the order in which it committed them
        own = [name for _, name in places() if name.startswith(f"{writer}-")]
        assert own == sorted(own)


@pytest.mark.postgresql
def test_a_writer_does_not_wait_for_another_one_that_has_not_committed():
    recorded, commit = threading.Event(), threading.Event()

    def slow():
        try:
            with transaction.atomic():
                audit.record("tests.slow", subject(), public_id="slow")
                recorded.set()
                commit.wait(30)
        finally:
            connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    recorded.wait(30)
    note("quick")  # also seals: what is not committed is not there yet
    assert places() == [(1, "quick")]
    commit.set()
    thread.join()
    audit.seal()
    assert places() == [(1, "quick"), (2, "slow")]
    assert found() == []


# Retention ----------------------------------------------------------------------------------------------------------


def test_purging_keeps_a_chain_and_tells_of_itself(capsys):
    note(*"abc", days_ago=100, seal=False)
    note(*"de")
    call_command("purge_audit", older_than=30, dry_run=True)
    assert len(places()) == 5
    call_command("purge_audit", older_than=30)
    call_command("purge_audit", older_than=30)
    audit.seal()
    assert places() == [(4, "d"), (5, "e"), (6, "1")]
    assert AuditEntry.objects.get(sequence=6).action == PURGED
    assert found() == []
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["3", "3", "0"]
    behind_the_guard("UPDATE {} SET actor_id = 'mallory' WHERE sequence = 4")
    assert found() == ["tests.d d was altered."]


def test_what_is_old_but_stands_behind_something_young_stays():
    note("a", days_ago=100, seal=False)
    note("b")
    note("c", days_ago=100)
    assert sum(audit.purge(timezone.now() - timedelta(days=30))) == 1
    assert [name for place, name in places() if place] == ["b", "c"]
    assert found() == []


def test_a_purge_that_is_killed_on_the_way_leaves_a_chain():
    note(*"abcdef", days_ago=100, seal=False)
    note("g")
    half = audit.purge(timezone.now() - timedelta(days=30), batch=2)
    assert next(half) == 2
    half.close()
    audit.seal()
    assert [name for _, name in places()][:5] == ["c", "d", "e", "f", "g"]
    assert found() == []
    assert list(audit.purge(timezone.now() - timedelta(days=30), batch=3)) == [3, 1]
    audit.seal()
    assert found() == []


def test_everything_may_be_purged_and_the_chain_goes_on():
    note(*"abc")
    assert sum(audit.purge(timezone.now() + timedelta(days=1))) == 3
    note("d")
    assert [place for place, _ in places()] == [4, 5]
    assert found() == []


def test_a_beginning_that_is_cut_off_without_a_purge_is_found():
    note(*"abcde")
    behind_the_guard("DELETE FROM {} WHERE sequence < 3")
    AuditChain.objects.update(purged=2, purged_hash=AuditEntry.objects.get(sequence=3).previous_hash)
    assert found() == ["The beginning is gone, and no entry tells of a purge that reached so far."]


def test_a_checkpoint_from_before_a_purge_still_does(tmp_path):
    checkpoint = tmp_path / "audit.head"
    note(*"abc", days_ago=100, seal=False)
    audit.seal()
    call_command("verify_audit", checkpoint=checkpoint)
    note("d")
    sum(audit.purge(timezone.now() - timedelta(days=30)))
    note("e")
    call_command("verify_audit", checkpoint=checkpoint)
    assert checkpoint.read_text().startswith("6:")


WRITER = """
import itertools, sys
import django
django.setup()
from django.db import connection, transaction
connection.settings_dict["NAME"] = sys.argv[1]
from fashionistar_common import audit
from fashionistar_common.models import IdempotencyRecord
for number in itertools.count():
    with transaction.atomic():
        for part in range(3):
            audit.record("tests.a", IdempotencyRecord(pk=1), public_id=f"{number}-{part}")
    audit.seal(limit=2)
    if number == 3:
        print("going", flush=True)
"""


@pytest.mark.postgresql
def test_writers_that_are_killed_leave_a_chain():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", WRITER, str(connection.settings_dict["NAME"])]
    pause = random.Random(7)
    for _ in range(3):
        writers = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        try:
            for writer in writers:
                assert writer.stdout.readline() == "going\n"
            time.sleep(pause.uniform(0, 0.2))
        finally:
            for writer in writers:
                writer.kill()
                writer.communicate()
        assert found() == []
    deadline = time.monotonic() + 30
    while AuditEntry.objects.filter(sequence=None).exists():  # the server may not have noticed yet who is gone
        audit.seal()
        assert time.monotonic() < deadline
    report = audit.verify()
    assert report.findings == []
    assert report.entries >= 3 * 2 * 4 * 3
    assert report.entries % 3 == 0  # each transaction whole or not at all
