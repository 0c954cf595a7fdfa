"""What every test of this repository relies on; also where fashionistar_common is installed alone."""

from collections.abc import Generator

import pytest
from django.db import connection


@pytest.fixture(autouse=True)
def _database_that_can(request):
    """Skip what is marked `postgresql` when this suite runs on another database."""
    if request.node.get_closest_marker("postgresql") and connection.vendor != "postgresql":
        pytest.skip(f"needs PostgreSQL; this is {connection.vendor}")


@pytest.fixture(scope="session")
def _locks_of_all_tests():
    """One watch for the whole run: the two halves of an inversion are seldom in one test."""
    from fashionistar_common.testing.locks import LockWatch  # needs the settings, which come later than this file

    return LockWatch()


@pytest.fixture(autouse=True)
def _one_order_of_locks(request, _locks_of_all_tests):
    """Fail the test that locks rows in another order than it, or one before it, did."""
    from fashionistar_common.testing.locks import watch_locks

    if request.node.get_closest_marker("any_lock_order"):
        yield
        return
    with watch_locks(_locks_of_all_tests):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Spell out what is no UTF-8 in captured logs: pytest-xdist cannot carry it from a worker."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report
