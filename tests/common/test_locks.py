"""Rows are locked in one order, and a suite that locks in two is told so although no deadlock happens in it."""

import threading

import pytest
from django.db import transaction
from fashionistar_common.db import lock_rows
from fashionistar_common.models import IdempotencyRecord, OutboxEvent
from fashionistar_common.testing.locks import LockInversionError, LockWatch, watch_locks

pytestmark = [pytest.mark.postgresql, pytest.mark.any_lock_order]


@pytest.fixture
def events(db):
    return [OutboxEvent.objects.create(name="x", version=1, stream=str(n), payload={}) for n in range(3)]


@pytest.fixture
def record(db):
    return IdempotencyRecord.objects.create(scope="s", key="k", fingerprint="f")


def lock(row):
    return type(row).objects.select_for_update().get(pk=row.pk)


@transaction.atomic
def lock_in_turn(*rows):
    for row in rows:
        lock(row)


def test_lock_rows_passes_whatever_the_order_of_the_queryset(events):
    with watch_locks() as watch, transaction.atomic():
        rows = lock_rows(OutboxEvent.objects.order_by("-stream").select_related(None))
    assert [row.pk for row in rows] == [event.pk for event in events]
    assert watch.statements == 1


def test_the_rows_are_still_there_for_whoever_asked(events):
    with watch_locks(), transaction.atomic():
        assert lock(events[0]) == events[0]
        assert list(OutboxEvent.objects.select_for_update().order_by("pk").values_list("stream", "pk")) == [
            (event.stream, event.pk) for event in events
        ]
        assert not OutboxEvent.objects.select_for_update().filter(stream="none")


def test_rows_of_one_table_in_descending_order_are_an_inversion(events):
    with pytest.raises(LockInversionError, match=r"test_locks\.py"), watch_locks(), transaction.atomic():
        list(OutboxEvent.objects.select_for_update().order_by("-pk"))


def test_a_lower_row_after_a_higher_one_is_an_inversion_too(events):
    with pytest.raises(LockInversionError), watch_locks():
        lock_in_turn(events[2], events[0])


def test_the_next_transaction_begins_anew_and_a_held_row_may_be_locked_again(events):
    with watch_locks():
        lock_in_turn(events[2])
        lock_in_turn(events[0], events[1], events[0])


def test_two_tables_in_both_orders_are_an_inversion_across_transactions(events, record):
    with pytest.raises(LockInversionError, match=r"is locked after .* but "), watch_locks():
        lock_in_turn(events[0], record)
        lock_in_turn(record, events[0])


def test_the_first_order_may_have_been_used_in_another_test(events, record):
    whole_run = LockWatch()
    with watch_locks(whole_run):
        lock_in_turn(events[0], record)
    with pytest.raises(LockInversionError), watch_locks(whole_run):
        lock_in_turn(record, events[0])
    with watch_locks(whole_run):  # and the test after it is not blamed
        lock_in_turn(events[0], record)


def test_a_circle_of_three_tables_is_found():
    watch = LockWatch()
    for one, other in (("a", "b"), ("b", "c"), ("c", "a")):
        held = {}
        watch.locked(held, one, [1], waits=True)
        watch.locked(held, other, [1], waits=True)
    (found,) = watch.inversions
    assert found.startswith("a is locked after c")


def test_what_waits_for_nobody_cannot_close_a_circle(events, record):
    with watch_locks():
        lock_in_turn(events[0], record)
        with transaction.atomic():
            lock(record)
            assert list(OutboxEvent.objects.select_for_update(skip_locked=True).order_by("-pk"))


@pytest.mark.django_db(transaction=True)
def test_an_inversion_in_other_threads_is_found():
    events = [OutboxEvent.objects.create(name="x", version=1, stream=str(n), payload={}) for n in range(2)]
    record = IdempotencyRecord.objects.create(scope="s", key="k", fingerprint="f")

    def run(*rows):
        lock_in_turn(*rows)
        transaction.get_connection().close()

    with pytest.raises(LockInversionError), watch_locks():
        for rows in ((events[0], record), (record, events[1])):
            thread = threading.Thread(target=run, args=rows)
            thread.start()
            thread.join()
