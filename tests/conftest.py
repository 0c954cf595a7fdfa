"""What every test of this repository relies on; also where fashionistar_common is installed alone."""

from collections.abc import Generator

import pytest
from django.db import connection


@pytest.fixture(autouse=True)
def _database_that_can(request):
    """Skip what is marked `postgresql` when this suite runs on another database."""
    if request.node.get_closest_marker("postgresql") and connection.vendor != "postgresql":
        pytest.skip(f"needs PostgreSQL; this is {connection.vendor}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Spell out what is no UTF-8 in captured logs: pytest-xdist cannot carry it from a worker."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report
