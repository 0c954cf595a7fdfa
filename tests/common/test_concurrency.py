import time

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, transaction
from fashionistar_common.concurrency import GatherInTransactionError, gather
from fashionistar_common.db import lock_rows
from fashionistar_common.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)


def wait_and_say(number):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.1), pg_backend_pid()")
        return number, cursor.fetchone()[1]


@pytest.mark.postgresql
def test_three_reads_of_100_ms_take_less_than_200_ms():
    reads = [lambda number=number: wait_and_say(number) for number in range(3)]
    async_to_sync(gather)(*reads)  # opens the connections
    start = time.perf_counter()
    results = async_to_sync(gather)(*reads)
    assert time.perf_counter() - start < 0.2
    assert [number for number, _ in results] == [0, 1, 2]
    assert len({pid for _, pid in results}) == 3


def test_gather_inside_a_transaction_is_refused():
    with transaction.atomic(), pytest.raises(GatherInTransactionError):
        async_to_sync(gather)(lambda: 1, lambda: 2)


def test_the_first_error_comes_out():
    with pytest.raises(ZeroDivisionError):
        async_to_sync(gather)(lambda: 1 // 0, lambda: wait_and_say(1))


@pytest.mark.postgresql
def test_rows_are_locked_in_primary_key_order(django_assert_num_queries):
    for number in range(3):
        OutboxEvent.objects.create(name="x", version=1, stream=str(number), payload={})
    with transaction.atomic(), django_assert_num_queries(1) as queries:
        rows = lock_rows(OutboxEvent.objects.order_by("-stream"))
    assert [row.stream for row in rows] == ["0", "1", "2"]
    assert 'ORDER BY "fashionistar_common_outboxevent"."id" ASC FOR UPDATE' in queries[0]["sql"]
