import base64
import json
from datetime import timedelta

import pytest
from django.test import RequestFactory
from django.utils import timezone
from fashionistar_common.exceptions import InvalidError
from fashionistar_common.http.pagination import InvalidCursorError, Keyset
from fashionistar_common.models import OutboxEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.django_db
NEWEST = Keyset(("-occurred_at", "-id"))
ROWS = OutboxEvent.objects.all()


@pytest.fixture
def rows():
    """Seven rows, of which three share each moment, so that the order needs its last field."""
    start = timezone.now() - timedelta(minutes=1)
    return OutboxEvent.objects.bulk_create(
        OutboxEvent(name=f"n{n}", version=1, stream="", payload={}, occurred_at=start + timedelta(seconds=n // 3))
        for n in range(7)
    )


def walk(keyset, *, limit, cursor=None, direction="next_cursor"):
    while True:
        page = keyset.page(ROWS, cursor=cursor, limit=limit)
        yield page
        cursor = getattr(page, direction)
        if cursor is None:
            return


def names(pages):
    return [row.name for page in pages for row in page.results]


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8])
@pytest.mark.parametrize("ordering", [("-occurred_at", "-id"), ("occurred_at", "-id"), ("id",), ("-version", "name")])
def test_pages_forward_and_backward_hold_every_row_once_in_order(rows, ordering, limit):
    keyset = Keyset(ordering)
    expected = [row.name for row in ROWS.order_by(*ordering)]
    forward = list(walk(keyset, limit=limit))
    assert names(forward) == expected
    last = forward[-1]
    backward = list(walk(keyset, limit=limit, cursor=last.previous_cursor, direction="previous_cursor"))
    if len(forward) > 1:
        assert names([*reversed(backward), last]) == expected
    assert forward[0].previous_cursor is None
    assert last.next_cursor is None


def test_a_page_does_not_shift_when_rows_come_and_go(rows):
    first = NEWEST.page(ROWS, limit=3)
    OutboxEvent.objects.create(name="new", version=1, stream="", payload={})
    first.results[-1].delete()
    second = NEWEST.page(ROWS, cursor=first.next_cursor, limit=3)
    assert [row.name for row in second.results] == ["n3", "n2", "n1"]


def test_each_page_is_one_query_with_a_limit(rows, django_assert_num_queries):
    first = NEWEST.page(ROWS, limit=2)
    with django_assert_num_queries(1) as queries:
        NEWEST.page(ROWS, cursor=first.next_cursor, limit=2)
    assert "LIMIT 3" in queries[0]["sql"]
    assert "OFFSET" not in queries[0]["sql"]


@pytest.mark.parametrize("limit", [0, -1, "0", "101", "a", "1.5", "٣", "9" * 50])
def test_a_limit_out_of_bounds_is_an_error_in_that_parameter(limit):
    with pytest.raises(InvalidError) as caught:
        NEWEST.page(ROWS, limit=limit)
    assert caught.value.errors[0].pointer == "?limit"


def cursor_of(*parts):
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "a" * 5000,
        cursor_of(),
        cursor_of("-occurred_at", "-id", False),
        cursor_of("-occurred_at", "-id", 0, "2026-01-01", 1),
        cursor_of("-occurred_at", "-id", False, "2026-01-01", "' OR 1=1"),
        cursor_of("-occurred_at", "-id", False, "yesterday", 1),
        cursor_of("-occurred_at", "-id", False, None, 1),
        cursor_of("-occurred_at", "-id", False, {"a": 1}, 1),
        cursor_of("-price", "-id", False, 1, 1),
        cursor_of("-occurred_at", "-id", False, "2026-01-01T00:00:00", 1),
        cursor_of("-occurred_at", "-id", False, "0001-01-01T00:00:00+23:59", 1),
        cursor_of("-occurred_at", "-id", False, "2026-01-01T00:00:00Z", float("inf")),
        base64.urlsafe_b64encode(b"[" * 200_000).decode(),
        base64.urlsafe_b64encode(b"{}").decode(),
        base64.urlsafe_b64encode(b"null").decode(),
    ],
)
def test_a_cursor_of_another_list_or_a_made_up_one_is_refused(cursor):
    with pytest.raises(InvalidCursorError):
        NEWEST.page(ROWS, cursor=cursor)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1, max_size=80))
def test_no_made_up_text_is_a_cursor_and_none_crashes_it(db, cursor):
    with pytest.raises(InvalidCursorError):
        NEWEST.page(ROWS, cursor=cursor)


def test_half_a_character_in_a_cursor_is_refused():
    with pytest.raises(InvalidCursorError):
        Keyset(("name", "id")).page(ROWS, cursor=cursor_of("name", "id", False, "\ud800", 1))


def test_links_keep_every_value_of_a_repeated_parameter(rows):
    request = RequestFactory().get("/api/x?brand=a&brand=b")
    assert "brand=a&brand=b&cursor=" in NEWEST.page(ROWS, limit=3).links(request)


def test_links_lead_to_the_neighbours_and_keep_the_query(rows):
    request = RequestFactory().get("/api/x", {"q": "a b", "cursor": "old"})
    first = NEWEST.page(ROWS, limit=3)
    second = NEWEST.page(ROWS, limit=3, cursor=first.next_cursor)
    assert first.links(request) == f'<http://testserver/api/x?q=a+b&cursor={first.next_cursor}>; rel="next"'
    assert second.links(request).count("rel=") == 2
    assert NEWEST.page(ROWS.none()).links(request) == ""
