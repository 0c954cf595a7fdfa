import pytest
from django.db import connection


@pytest.fixture(autouse=True)
def _database_that_can(request):
    """Skip what is marked `postgresql` when this suite runs on another database."""
    if request.node.get_closest_marker("postgresql") and connection.vendor != "postgresql":
        pytest.skip(f"needs PostgreSQL; this is {connection.vendor}")
