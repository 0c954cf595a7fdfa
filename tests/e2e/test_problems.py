"""Errors below /api/ that no operation of ours answers."""

import pytest
from django.test import Client
from fashionistar_common.http.problems import CODES
from fashionistar_common.testing import assert_problem

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("method", "address", "accept", "status"),
    [
        ("POST", "/api/v1/schema", "*/*", 405),
        ("GET", "/api/v1/schema", "text/html", 406),
        ("GET", "/api/v1/schema?format=x", "*/*", 404),
        ("POST", "/api/v1/docs", "*/*", 405),
        ("GET", "/api/v1/%00", "*/*", 404),
        ("GET", "/api/", "*/*", 404),
    ],
)
def test_what_lies_beside_the_operations_answers_in_problems(
    method: str, address: str, accept: str, status: int
) -> None:
    assert_problem(Client().generic(method, address, headers={"Accept": accept}), status, CODES[status])
