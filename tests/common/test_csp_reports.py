"""What browsers report, and what others send to the same address."""

import json
import logging

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.urls import include, path
from fashionistar_common.http import csp_reports
from fashionistar_common.testing import assert_problem

OLD = {
    "document-uri": "http://testserver/orders/FS-1?token=hunter2#ada@example.com",
    "referrer": "http://testserver/secret",
    "violated-directive": "script-src-elem 'self'",
    "effective-directive": "script-src-elem",
    "original-policy": "default-src 'none'",
    "disposition": "enforce",
    "blocked-uri": "https://evil.example/x.js?id=hunter2",
    "source-file": "http://testserver/static/app.js?v=1",
    "line-number": 3,
    "script-sample": "hunter2",
}
NEW = {
    "documentURL": "http://testserver/orders/FS-1?token=hunter2",
    "effectiveDirective": "style-src-attr",
    "blockedURL": "inline",
    "sourceFile": "http://testserver/orders/FS-1",
    "sample": "hunter2",
}


class Urls:
    urlpatterns = [
        path("", include("fashionistar_common.urls")),
        path("orders/<slug:number>", lambda request, number: HttpResponse()),
    ]


@pytest.fixture(params=["wsgi", "asgi"])
def post(request, settings, monkeypatch):
    settings.ROOT_URLCONF = Urls
    settings.STATIC_URL = "/static/"
    monkeypatch.setattr(csp_reports, "_seen", set())
    client = Client(enforce_csrf_checks=True) if request.param == "wsgi" else AsyncClient(enforce_csrf_checks=True)
    send = client.post if request.param == "wsgi" else async_to_sync(client.post)

    def call(body, content_type="application/csp-report"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return send("/csp-reports", data=data, content_type=content_type)

    return call


@pytest.fixture
def told(caplog):
    caplog.set_level(logging.WARNING, logger=csp_reports.__name__)

    def read():
        lines = [record for record in caplog.records if record.name == csp_reports.__name__]
        return [{name[4:]: value for name, value in vars(line).items() if name.startswith("csp_")} for line in lines]

    return read


def test_a_report_is_logged_by_routes_and_hosts_and_without_what_is_personal(post, told):
    assert post({"csp-report": OLD}).status_code == 204
    assert told() == [
        {
            "directive": "script-src-elem",
            "blocked": "evil.example",
            "document": "/orders/<slug:number>",
            "source": "/static/app.js",
        }
    ]


def test_the_reporting_api_sends_several(post, told):
    other = {"type": "deprecation", "body": {}}
    report = {"type": "csp-violation", "age": 1, "user_agent": "Loom", "url": "http://testserver/", "body": NEW}
    assert post([other, report], "application/reports+json").status_code == 204
    page = "/orders/<slug:number>"
    assert told() == [{"directive": "style-src-attr", "blocked": "inline", "document": page, "source": page}]


def test_a_violation_is_logged_once_and_a_flood_not_at_all(post, told):
    for number in range(3):
        post({"csp-report": {**OLD, "document-uri": f"http://testserver/orders/FS-{number}"}})
    assert len(told()) == 1
    for number in range(csp_reports.MOST_IN_AN_HOUR + 20):
        post({"csp-report": {**OLD, "blocked-uri": f"https://x{number}.example/"}})
    assert len(told()) == csp_reports.MOST_IN_AN_HOUR


def test_an_hour_later_it_is_logged_again(post, told, monkeypatch):
    post({"csp-report": OLD})
    monkeypatch.setattr(csp_reports, "_since", csp_reports._since - 3601)
    post({"csp-report": OLD})
    assert len(told()) == 2


@pytest.mark.parametrize("document", ["http://evil.example/", "", "//testserver.evil.example/", "http://[::1/", None])
def test_pages_of_others_are_not_ours_to_log(post, told, document):
    assert post({"csp-report": {**OLD, "document-uri": document}}).status_code == 204
    assert told() == []


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b" ", "application/csp-report", 400, "bad_request"),
        (b"{", "application/csp-report", 400, "bad_request"),
        (b"\xff\xfe", "application/csp-report", 400, "bad_request"),
        (b"[" * 60_000, "application/reports+json", 400, "bad_request"),
        (b"[" + b" " * csp_reports.LARGEST, "application/reports+json", 413, "too_large"),
        (b"{}", "application/json", 415, "unsupported_media_type"),
        (b"a=1", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
    ],
)
def test_what_is_no_report_is_a_problem(post, told, body, kind, status, code):
    assert_problem(post(body, kind), status, code)
    assert told() == []


HOSTILE = [
    None,
    1,
    [],
    {},
    "\x00",
    "\ud800",
    "x" * 30_000,
    "http://testserver/\x00",
    "a\nb",
    "javascript:alert(1)",
    [[]],
]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("name", OLD)
def test_whatever_stands_in_a_report_does_no_harm(post, told, name, value):
    assert post({"csp-report": {**OLD, name: value}}).status_code == 204
    assert post({"csp-report": value}).status_code == 204
    assert post(value, "application/reports+json").status_code == 204
    for violation in told():
        assert all(len(text) <= 200 and "\x00" not in text for text in violation.values())


def test_only_posting_is_allowed(settings):
    settings.ROOT_URLCONF = Urls
    response = Client().get("/csp-reports")
    assert_problem(response, 405, "method_not_allowed")
    assert response["Allow"] == "POST"


@pytest.mark.parametrize("header", ["Content-Security-Policy", "Content-Security-Policy-Report-Only"])
def test_browsers_are_told_where_to(rf, settings, header):
    settings.ROOT_URLCONF = Urls
    with_policy = csp_reports.ReportingEndpointsMiddleware(lambda request: HttpResponse(headers={header: "x"}))
    assert with_policy(rf.get("/"))["Reporting-Endpoints"] == 'csp="/csp-reports"'
    settings.ROOT_URLCONF = type("Nothing", (), {"urlpatterns": []})
    assert "Reporting-Endpoints" not in with_policy(rf.get("/"))
    without = csp_reports.ReportingEndpointsMiddleware(lambda request: HttpResponse())
    assert "Reporting-Endpoints" not in without(rf.get("/"))
