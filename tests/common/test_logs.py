"""Log lines: one object each, with whose they are, without secrets."""

import io
import json
import logging

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from fashionistar_common.context import Origin, origin, request_id
from fashionistar_common.observability.logs import CONTEXT, ContextFilter, LineFormatter, bound, logging_config

json_lines = pytest.importorskip("fashionistar_common.observability.json_lines")

shop = logging.getLogger("shop")


class Lines(logging.StreamHandler):
    """What a handler of `logging_config()` writes."""

    def __init__(self, formatter):
        super().__init__(io.StringIO())
        self.setFormatter(formatter)
        self.addFilter(ContextFilter())

    @property
    def text(self):
        return self.stream.getvalue()

    @property
    def objects(self):
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def lines():
    handler, root = Lines(json_lines.JsonFormatter()), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


def test_a_line_outside_of_any_work_has_every_key(lines):
    shop.info("sold %s", 3, extra={"sku": "A-1"})
    [line] = lines.objects
    assert line.pop("time").endswith("Z")
    said = {"level": "INFO", "logger": "shop", "message": "sold 3", "sku": "A-1"}
    assert line == dict.fromkeys(CONTEXT) | said


def test_a_line_says_whose_it_is(lines):
    request_token, origin_token = request_id.set("r-1"), origin.set(Origin(user_id="u-1", ip="192.0.2.1"))
    try:
        with bound(task="shop.tasks.sell"), bound(lambda: {"attempt": 2}):
            shop.info("sold")
    finally:
        request_id.reset(request_token)
        origin.reset(origin_token)
    [line] = lines.objects
    assert (line["request_id"], line["user_id"], line["attempt"]) == ("r-1", "u-1", 2)
    assert line["execution_time"] >= 0
    assert "192.0.2.1" not in lines.text


def test_what_the_caller_says_itself_stays(lines):
    shop.info("sold", extra={"path": "/their/own", "status": 7})
    [line] = lines.objects
    assert (line["path"], line["status"]) == ("/their/own", 7)


def test_no_text_begins_a_line_of_its_own(lines):
    forged = '\n{"level": "INFO", "message": "admin logged in"}\r\u2028\x1b[2J'
    shop.info("hello %s", forged, extra={"sku\n": forged})
    assert len(lines.text.splitlines()) == 1
    assert lines.objects[0]["message"] == f"hello {forged}"
    line = Lines(LineFormatter("{name}: {message}", style="{"))
    line.handle(logging.LogRecord("shop", logging.INFO, "", 1, "hello %s é", (forged,), None))
    assert line.text == 'shop: hello \\n{"level": "INFO", "message": "admin logged in"}\\r\\u2028\\x1b[2J é\n'


def test_what_was_raised_keeps_no_secret_and_begins_no_line_of_its_own_either():
    line = Lines(LineFormatter("{name}: {message}", style="{"))
    error = ConnectionError("postgresql://shop:hunter2@db/shop\nshop: admin logged in\x1b[2J")
    record = logging.LogRecord("shop", logging.INFO, "", 1, "failed", (), (type(error), error, None))
    logging.Formatter().format(record)  # another handler's formatter keeps what it has made on the record
    line.handle(record)
    first, *below = line.text.splitlines()
    assert first == "shop: failed"
    assert "hunter2" not in line.text
    assert "\x1b" not in line.text
    assert below[-1] == r"    shop: admin logged in\x1b[2J"
    assert all(each.startswith("    ") for each in below)


def test_an_error_is_an_object_and_keeps_no_secret(lines):
    def fail():
        raise ConnectionError("no answer from postgresql://shop:hunter2@db/shop for ada@mail.example.com")

    try:
        fail()
    except ConnectionError:
        shop.exception("failed", extra={"headers": {"Authorization": "Bearer hunter2hunter2"}, "password": "hunter2"})
    [line] = lines.objects
    assert line["exception"]["type"] == "builtins.ConnectionError"
    assert line["exception"]["message"] == "no answer from postgresql://shop:[redacted]@db/shop for [e-mail]"
    assert "test_logs.py" in line["exception"]["stack"]
    assert "hunter2@" not in lines.text
    assert "ada@mail" not in lines.text
    assert (line["headers"], line["password"]) == ({"Authorization": "[redacted]"}, "[redacted]")


@pytest.mark.parametrize("message", [{"sku": "A-1", "token": "hunter2"}, object(), "100%", b"bytes", ValueError("x")])
def test_odd_messages_are_lines_too(lines, message):
    shop.info(message)
    assert len(lines.objects) == 1
    assert "hunter2" not in lines.text


def test_the_config_is_one_that_logging_takes():
    configured = logging.config.dictConfigClass(logging_config(json=True) | {"loggers": {}, "root": {}})
    configured.configure_formatter(logging_config()["formatters"]["line"])
    assert logging_config(level="ERROR", json=False)["root"]["level"] == "ERROR"


# Requests ----------------------------------------------------------------------------------------------------------


async def here(request, token):
    origin.get().user_id = "u-7"
    shop.info("in the view")
    await sync_to_async(shop.info)("in a thread")
    return HttpResponse()


def there(request, token):
    origin.get().user_id = "u-7"
    shop.info("in the view")
    shop.info("in a thread")
    return HttpResponse()


def crash(request):
    raise RuntimeError("ada@mail.example.com")


urlpatterns = [
    path("async/<str:token>", here),
    path("sync/<str:token>", there),
    path("crash", crash),
    path("healthz", lambda request: HttpResponse(), name="healthz"),
]


@pytest.fixture
def site(settings):
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [
        "fashionistar_common.http.middleware.RequestIDMiddleware",
        "fashionistar_common.http.middleware.OriginMiddleware",
        "fashionistar_common.http.observe.ObserveMiddleware",
    ]


def get(address, *, through="async", **headers):
    if through == "async":
        return async_to_sync(AsyncClient(raise_request_exception=False).get)(address, headers=headers)
    return Client(raise_request_exception=False).get(address, headers=headers)


@pytest.mark.parametrize("through", ["async", "sync"])
@pytest.mark.parametrize("view", ["async", "sync"])
def test_a_request_is_one_line_and_every_line_in_it_is_its_own(lines, site, view, through):
    response = get(f"/{view}/s3cr3t-word?email=ada@mail.example.com&q=1", through=through, **{"X-Request-ID": "r-9"})
    assert response.status_code == 200
    inside = [line for line in lines.objects if line["logger"] == "shop"]
    [access] = [line for line in lines.objects if line["logger"] == "fashionistar_common.requests"]
    assert [line["message"] for line in inside] == ["in the view", "in a thread"]
    assert access["message"] == f"GET /{view}/[redacted] 200"
    assert (access["status"], access["route"]) == (200, f"/{view}/<str:token>")
    for line in [*inside, access]:
        assert (line["request_id"], line["user_id"], line["method"]) == ("r-9", "u-7", "GET")
        assert line["path"] == f"/{view}/[redacted]"
        assert isinstance(line["execution_time"], float)
    for secret in ("s3cr3t", "ada@", "q=1"):
        assert secret not in lines.text


def test_a_crash_is_told_with_its_request_and_without_the_query(lines, site):
    assert get("/crash?secret=1", **{"X-Request-ID": "r-9"}).status_code == 500
    [django] = [line for line in lines.objects if line["logger"] == "django.request"]
    [access] = [line for line in lines.objects if line["logger"] == "fashionistar_common.requests"]
    assert (django["request_id"], django["path"], django["exception"]["message"]) == ("r-9", "/crash", "[e-mail]")
    assert (access["status"], access["route"]) == (500, "/crash")
    assert "?secret" not in lines.text


def test_made_up_paths_and_methods_make_no_new_routes(lines, site):
    get("/nothing/here%0A%7B%22forged%22:1%7D", through="sync")
    Client().generic("BREW\x7f", "/healthz")
    access = [line for line in lines.objects if line["logger"] == "fashionistar_common.requests"]
    assert [(line["method"], line["route"], line["status"]) for line in access] == [("GET", "(unmatched)", 404)]


def test_a_probe_is_no_line_at_info(lines, site):
    get("/healthz")
    assert lines.text == ""
