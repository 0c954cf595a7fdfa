"""The catalog alone with common, on SQLite: installed, migrated and used in a process of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "projects" / "catalog_only"

JOURNEY = """
import django
django.setup()
from django.core import checks
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import setup_test_environment
from asgiref.sync import async_to_sync
from fashionistar_catalog import selectors, services
from fashionistar_catalog.exceptions import OutOfStockError
from fashionistar_catalog.testing import make_category, make_product, make_vendor

setup_test_environment()
assert connection.vendor == "sqlite"
assert "fashionistar_catalog.W001" in [message.id for message in checks.run_checks()]

women = make_category("Women")
product = make_product("Wrap dress", sku="A", stock=2, category=make_category("Gowns", parent=women), images=2)
make_product("Linen shirt", description="Goes with a dress.", vendor=product.vendor)
make_product("Raffia hat", vendor=make_vendor("Kofi"))

def slugs(query):
    address = "/catalog/products" + query
    v1 = Client().get("/api/v1" + address)
    v2 = async_to_sync(AsyncClient().get)("/api/v2" + address)
    assert v1.status_code == v2.status_code == 200, (v1.content, v2.content)
    assert v1.json() == v2.json()
    return [product["slug"] for product in v1.json()["results"]]

assert slugs("?q=DRESS") == ["wrap-dress", "linen-shirt"], slugs("?q=DRESS")
assert slugs("?q=dress+women") == ["wrap-dress"]
assert slugs("?q=kofi") == ["raffia-hat"]
assert slugs("?category=women&in_stock=true&min_price=1.00") == ["wrap-dress"]
assert slugs("?sort=name&limit=2") == ["linen-shirt", "raffia-hat"]

services.take_stock({"A": 2}, reference="FS-1")
services.take_stock({"A": 2}, reference="FS-1")
try:
    services.take_stock({"A": 1}, reference="FS-2")
except OutOfStockError:
    pass
else:
    raise SystemExit("oversold")
services.return_stock({"A": 2}, reference="FS-1")
assert selectors.sellable_variants(["A"])["A"].available == 2
assert services.audit_stock() == []
"""


def test_the_basic_journey_works_on_sqlite(tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("*.sqlite3", "__pycache__"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "DJANGO"))}
    environment |= {"DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(project)}
    for arguments in (["-m", "django", "migrate", "--verbosity=0"], ["-c", JOURNEY]):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=project, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    backwards = ["-m", "django", "migrate", "fashionistar_catalog", "0001", "--verbosity=0"]
    subprocess.run([sys.executable, *backwards], cwd=project, env=environment, check=True)
