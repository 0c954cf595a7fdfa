"""The pages for people: they work under a strict policy, from our own host alone."""

import re
from urllib.parse import urlsplit

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "report-to": "csp",
    "report-uri": "/csp-reports",
}
DOCS = ["/api/v1/docs", "/api/v2/docs"]


@pytest.mark.parametrize("path", [*DOCS, "/admin/login/", "/healthz"])
def test_every_answer_forbids_what_is_not_listed(client: Client, path: str) -> None:
    header = client.get(path).headers["Content-Security-Policy"]
    header = re.sub(r" 'nonce-[\w-]{20,}'", "", header)  # the admin marks its own scripts and styles
    assert dict(part.strip().split(" ", 1) for part in header.split(";")) == POLICY


@pytest.mark.parametrize("path", DOCS)
def test_a_docs_page_loads_files_of_ours_and_has_nothing_inline(client: Client, path: str) -> None:
    answer = client.get(path)
    page = answer.text
    assert answer.status_code == 200
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", page) == []
    addresses = re.findall(r'(?:src|href|data-schema)="([^"]+)"', page)
    assert len(addresses) >= 5
    assert [address for address in addresses if urlsplit(address).netloc] == []
    for address in addresses:
        if address.startswith("/static/"):
            assert finders.find(address.removeprefix("/static/")), address


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_docs_page_shows_its_version_s_description(client: Client, version: str) -> None:
    page = client.get(f"/api/{version}/docs").text
    found = re.search(r'data-schema="([^"]+)"', page)
    assert found
    description = client.get(found[1]).json()
    assert description["info"]["title"] == f"Fashionistar API {version}"
    assert all(path.startswith(f"/api/{version}/") for path in description["paths"])
    assert f"/api/{version}/catalog/products" in description["paths"]


def test_our_script_asks_no_outside_validator() -> None:
    path = finders.find("config/docs.js")
    assert path
    with open(path) as script:  # noqa: PTH123 - the finder returns text
        assert re.search(r"validatorUrl: null", script.read())


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v2/nothing", "/api/nothing"])
def test_an_unknown_address_of_the_api_is_a_problem(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


def test_the_front_door_and_the_admin_s_short_name_lead_on(client: Client) -> None:
    assert client.get("/").headers["Location"] == "/api/v2/docs"
    assert client.get("/admin").headers["Location"] == "/admin/"
