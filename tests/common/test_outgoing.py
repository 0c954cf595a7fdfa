"""Calls to providers, against a real server that fails in every way it is asked to."""

import asyncio
import contextlib
import json
import logging
import os
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction
from fashionistar_common import outgoing
from fashionistar_common.checks.outgoing import check_outgoing
from fashionistar_common.context import request_id
from fashionistar_common.http.problems import problem_of
from fashionistar_common.outgoing import retries
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from .outgoing_server import Provider


@pytest.fixture
def provider():
    server = Provider()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def quick(settings, monkeypatch):
    """Little waiting: real servers, short limits."""
    limits = {"OUTGOING_TIMEOUT": 5.0, "OUTGOING_DEADLINE": 10.0, "OUTGOING_MAX_BYTES": 100_000}
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, **limits, "BREAKER_FAILURES": 1000}
    monkeypatch.setattr(retries, "backoff", lambda attempt, **kwargs: timedelta(milliseconds=attempt))
    monkeypatch.setattr(outgoing.client, "_breakers", {})


@pytest.fixture
def limits(settings):
    def change(**limits):
        settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, **limits}

    return change


@pytest.fixture(params=["sync", "async"])
def call(request, provider):
    """`call(method, path, ...)` in both ways."""
    client = outgoing.Client(
        "loom", base_url=provider.url, headers={"Authorization": "Bearer hunter2"}, trust_env=False
    )
    yield client.request if request.param == "sync" else async_to_sync(client.arequest)
    client.close()


@pytest.fixture
def client(provider):
    made = outgoing.Client("loom", base_url=provider.url, trust_env=False)
    yield made
    made.close()


def test_an_answer_is_whole(call, provider):
    response = call("POST", "/ok?x=1", json={"hat": 1}, params={"y": 2}, idempotency_key="k1")
    assert (response.status_code, response.json()) == (200, {"ok": True})
    (request,) = provider.requests
    assert (request["method"], json.loads(request["body"])) == ("POST", {"hat": 1})
    assert request["headers"]["authorization"] == "Bearer hunter2"
    assert request["headers"]["idempotency-key"] == "k1"


def test_connections_are_kept_from_whatever_thread_or_loop(client, provider):
    for _ in range(3):
        client.request("GET", "/ok")
        async_to_sync(client.arequest)("GET", "/ok")
        thread = threading.Thread(target=client.request, args=("GET", "/ok"))
        thread.start()
        thread.join()
    assert (len(provider.requests), provider.connections) == (9, 1)


def test_no_answer_sets_a_cookie_for_the_next_call(call, provider):
    call("GET", "/cookie")
    call("GET", "/ok")
    assert "cookie" not in provider.requests[1]["headers"]


def test_request_id_and_trace_go_along(call, provider):
    span = NonRecordingSpan(SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(1)))
    token = request_id.set("the-request")
    try:
        with trace.use_span(span):
            call("GET", "/ok")
    finally:
        request_id.reset(token)
    headers = provider.requests[0]["headers"]
    assert headers["x-request-id"] == "the-request"
    assert (
        headers["traceparent"].split("-")[1] == f"{0xABC:032x}"
    )  # where httpx is instrumented, below a span of its own


def test_what_is_logged_holds_no_secret(call, caplog):
    with caplog.at_level(logging.DEBUG, logger="fashionistar_common"):
        call("POST", "/status/503/0?token=hunter2", data={"password": "hunter2"}, headers={"X-Key": "hunter2"})
    (record,) = [record for record in caplog.records if record.message == "outgoing call"]
    assert "hunter2" not in str(vars(record))
    assert (record.provider, record.method, record.path, record.status) == ("loom", "POST", "/status/503/0", "200")


# Repeating ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "key", "status", "times"),
    [
        ("GET", "/status/503/2", "", 200, 3),
        ("PUT", "/status/500/1", "", 200, 2),
        ("DELETE", "/status/429/1", "", 200, 2),
        ("POST", "/status/502/2", "k", 200, 3),
        ("GET", "/status/503/9", "", 503, 3),
        ("POST", "/status/503/1", "", 503, 1),  # it may have happened
        ("PATCH", "/status/429/1", "", 429, 1),
        ("GET", "/status/404/1", "", 404, 1),  # it will not be there in a moment either
        ("GET", "/status/501/1", "", 501, 1),
        ("GET", "/close", "", 200, 2),
        ("POST", "/close", "k", 200, 2),
        ("GET", "/redirect", "", 302, 1),
    ],
)
def test_what_is_safe_is_repeated(call, provider, method, path, key, status, times):
    assert call(method, path, idempotency_key=key).status_code == status
    assert [request["headers"].get("idempotency-key", "") for request in provider.requests] == [key] * times


@pytest.mark.parametrize("path", ["/close", "/half", "/nonsense"])
def test_what_may_have_happened_is_not_repeated(call, provider, path):
    with pytest.raises(outgoing.NoAnswerError) as raised:
        call("POST", path)
    assert raised.value.facts["sent"]
    assert len(provider.requests) == 1


def test_what_never_left_is_repeated_whatever_it_is(provider):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        client = outgoing.Client("nobody", base_url=f"http://127.0.0.1:{nobody.getsockname()[1]}", trust_env=False)
        with pytest.raises(outgoing.NoAnswerError) as raised:
            client.request("POST", "/ok")
    assert not raised.value.facts["sent"]
    assert client.breaker._counts[-1][1:] == [3, 3]
    assert problem_of(raised.value).status_code == 503
    client.close()


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(call, provider, form):
    later = "1" if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    began = time.monotonic()
    assert call("GET", f"/later/{later.replace(' ', '%20')}").status_code == 200
    assert time.monotonic() - began >= 0.9


def test_retry_after_beyond_the_deadline_is_not_waited_for(call, provider):
    began = time.monotonic()
    assert call("GET", "/later/3600").status_code == 503
    assert time.monotonic() - began < 5
    assert len(provider.requests) == 1


@pytest.mark.parametrize("value", ["", "-1", "soon", "1.5", "٣", "Wed, 99 Foo 2026", "9" * 400, "\x00"])
def test_whatever_a_server_asks_for_is_a_time(value):
    assert retries.pause(1, value) >= 0


# Limits -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/hang", "/drip-headers", "/drip-body"])
def test_no_server_holds_us_longer_than_the_deadline(call, provider, path):
    began = time.monotonic()
    with pytest.raises(outgoing.NoAnswerError):
        call("GET", path, deadline=0.4)
    assert time.monotonic() - began < 5  # it would drip for 80 seconds
    assert len(provider.requests) == 1


def test_each_step_has_its_limit(call, provider, limits):
    limits(OUTGOING_TIMEOUT=0.1, OUTGOING_ATTEMPTS=2)
    with pytest.raises(outgoing.NoAnswerError):
        call("GET", "/hang")
    assert len(provider.requests) == 2


@pytest.mark.parametrize("path", ["/big", "/huge"])
def test_an_answer_has_a_size(call, path):
    with pytest.raises(outgoing.AnswerTooLargeError):
        call("GET", path)


@pytest.mark.parametrize("path", ["http://evil.example/x", "https://127.0.0.1/ok"])
def test_a_path_leads_nowhere_else(call, provider, path):
    with pytest.raises(ValueError, match="below its base_url"):
        call("GET", path)


def test_a_path_with_two_slashes_stays_where_it_is(call, provider):
    with contextlib.suppress(outgoing.NoAnswerError):
        call("GET", "//evil.example/ok", deadline=0.3)
    assert [request["headers"]["host"] for request in provider.requests] == [provider.url.removeprefix("http://")]


def test_a_call_that_is_given_up_ends(client, provider):
    async def give_up():
        task = asyncio.ensure_future(client.arequest("GET", "/waiting"))
        await asyncio.to_thread(provider.asked.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async_to_sync(give_up)()
    assert client.request("GET", "/ok").status_code == 200
    assert client.breaker._counts[-1][1:] == [1, 0]


def test_a_broken_header_is_the_callers_mistake_and_not_the_providers(client):
    with pytest.raises(Exception, match=r"(?i)header"):
        client.request("GET", "/ok", headers={"X-Name": "a\r\nX-Evil: 1"})
    assert not client.breaker._counts


@pytest.mark.django_db(transaction=True)
def test_no_provider_is_called_inside_a_transaction(call, provider):
    with transaction.atomic(), pytest.raises(outgoing.CallInTransactionError, match="loom was called inside"):
        call("GET", "/ok")
    assert provider.requests == []
    call("GET", "/ok")


@pytest.mark.django_db
def test_the_transaction_around_a_test_does_not_count(call):
    assert call("GET", "/ok").status_code == 200
    with transaction.atomic(), pytest.raises(outgoing.CallInTransactionError):
        call("GET", "/ok")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_calls_with_connections_of_its_own(client, provider):
    client.request("GET", "/ok")
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            status = 0 if client.request("GET", "/ok").status_code == 200 else 2
        os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    client.request("GET", "/ok")
    assert (len(provider.requests), provider.connections) == (3, 2)


# The breaker --------------------------------------------------------------------------------------------------------


def test_whoever_fails_is_left_alone_for_a_while_and_then_asked_once(client, provider, limits):
    limits(BREAKER_FAILURES=4, BREAKER_COOLDOWN=0.5, OUTGOING_ATTEMPTS=1)
    provider.failing.set()
    for _ in range(4):
        assert client.request("GET", "/breaking").status_code == 500
    asked = len(provider.requests)
    with pytest.raises(outgoing.CircuitOpenError) as raised:
        client.request("GET", "/breaking")
    assert (len(provider.requests), client.breaker.state) == (asked, "open")
    answer = problem_of(raised.value)
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    while client.breaker.state == "open":
        time.sleep(0.01)
    assert client.request("GET", "/breaking").status_code == 500  # the probe
    assert (len(provider.requests), client.breaker.state) == (asked + 1, "open")
    while client.breaker.state == "open":
        time.sleep(0.01)
    provider.failing.clear()
    assert client.request("GET", "/breaking").status_code == 200
    assert client.breaker.state == "closed"


def test_half_open_lets_exactly_one_of_many_through(client, provider, limits):
    limits(BREAKER_FAILURES=1, BREAKER_COOLDOWN=0.2, OUTGOING_ATTEMPTS=1)
    provider.failing.set()
    client.request("GET", "/breaking")
    while client.breaker.state == "open":
        time.sleep(0.01)
    results = []

    def probe():
        try:
            results.append(client.request("GET", "/waiting").status_code)
        except outgoing.CircuitOpenError:
            results.append("refused")

    threads = [threading.Thread(target=probe) for _ in range(50)]
    for thread in threads:
        thread.start()
    while len(results) < 49:
        time.sleep(0.01)
    provider.answer.set()
    for thread in threads:
        thread.join()
    assert sorted(map(str, results)) == ["200"] + ["refused"] * 49
    assert client.breaker.state == "closed"


def test_a_probe_that_is_given_up_makes_room_for_the_next(limits):
    limits(BREAKER_FAILURES=1, BREAKER_COOLDOWN=10.0)
    now = [0.0]
    breaker = outgoing.CircuitBreaker("loom", clock=lambda: now[0])
    late = breaker.enter()
    breaker.leave(breaker.enter(), ok=False)
    now[0] = 11.0
    breaker.leave(breaker.enter(), ok=None)
    probe = breaker.enter()
    breaker.leave(late, ok=True)  # it began before the breaker opened, and says nothing about now
    assert breaker.state == "half_open"
    breaker.leave(probe, ok=True)
    assert breaker.state == "closed"


@pytest.mark.parametrize(
    ("outcomes", "opens"),
    [
        ([False] * 4, False),  # too few
        ([False] * 5, True),
        ([True] * 6 + [False] * 5, False),  # too small a part
        ([True] * 5 + [False] * 5, True),
        ([False] * 4 + [True] * 100 + [False], False),
        ([False, 70] * 20, False),  # too long ago
    ],
)
def test_a_breaker_opens_by_number_and_by_ratio_in_its_window(limits, outcomes, opens):
    limits(BREAKER_FAILURES=5, BREAKER_RATIO=0.5, BREAKER_WINDOW=60.0)
    now = [0.0]
    breaker = outgoing.CircuitBreaker("loom", clock=lambda: now[0])
    for outcome in outcomes:
        if isinstance(outcome, bool):
            breaker.leave(breaker.enter(), ok=outcome)
        else:
            now[0] += outcome
    assert (breaker.state == "open") is opens


def test_clients_of_one_name_share_their_breaker(client, provider):
    other = outgoing.Client("loom", base_url=provider.url)
    assert other.breaker is client.breaker
    assert outgoing.Client("other", base_url=provider.url).breaker is not client.breaker


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({}, 0),
        ({"BREAKER_RATIO": 1.0, "OUTGOING_ATTEMPTS": 1}, 0),
        ({"BREAKER_RATIO": 35.0}, 1),
        ({"OUTGOING_TIMEOUT": 0.0, "OUTGOING_ATTEMPTS": 0, "OUTGOING_DEADLINE": -1.0}, 3),
    ],
)
def test_the_limits_are_checked(settings, values, wrong):
    settings.FASHIONISTAR_COMMON = values
    assert [message.id for message in check_outgoing()] == ["fashionistar_common.E052"] * wrong
