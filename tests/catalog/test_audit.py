from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from fashionistar_catalog import services, tasks
from fashionistar_catalog.models import StockMovement, Variant
from fashionistar_catalog.testing import make_product, make_variant
from fashionistar_catalog.types import StockDifference
from fashionistar_common.testing import run_tasks

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def drifted() -> None:
    """A has lost three pieces, B's ledger has lost its beginning, C is right."""
    product = make_product(sku="A", stock=7)
    make_variant(product, sku="B", stock=0)
    make_variant(product, sku="C", stock=5)
    Variant.objects.filter(sku="A").update(stock=4)
    StockMovement.objects.create(variant=Variant.objects.get(sku="B"), quantity=-2, reason="sold", reference="FS-1")


def test_the_audit_finds_every_counter_that_differs() -> None:
    done: list[tuple[int, int]] = []
    differences = services.audit_stock(progress=lambda now, of: done.append((now, of)))
    assert differences == [StockDifference("A", 4, 7), StockDifference("B", 0, -2)]
    last = Variant.objects.order_by("pk").last()
    assert last is not None
    assert done[-1] == (last.pk, last.pk)


def test_a_fix_makes_counter_and_ledger_agree() -> None:
    assert len(services.audit_stock(fix=True)) == 2
    assert services.audit_stock() == []
    assert dict(Variant.objects.values_list("sku", "stock")) == {"A": 7, "B": 0, "C": 5}


def test_the_command_fails_on_differences_and_fixes_them_when_told() -> None:
    out, err = StringIO(), StringIO()
    with pytest.raises(CommandError, match="2 counters differ"):
        call_command("catalog_audit_stock", stdout=out, stderr=err)
    assert "A: counter 4, ledger 7" in out.getvalue()
    call_command("catalog_audit_stock", "--fix", stdout=out, stderr=err, verbosity=0)
    assert "2 counters rebuilt." in out.getvalue()
    call_command("catalog_audit_stock", stdout=out, stderr=err)
    assert "Every counter equals its ledger." in out.getvalue()


def test_an_empty_catalog_is_in_order(django_user_model: type) -> None:
    StockMovement.objects.all()._raw_delete("default")
    Variant.objects.all().delete()
    assert services.audit_stock() == []


@pytest.mark.django_db(transaction=True)
def test_the_task_logs_each_difference(caplog: pytest.LogCaptureFixture) -> None:
    result = tasks.audit_stock.enqueue()
    assert run_tasks() == 1
    result.refresh()
    assert result.return_value == 2
    logged = [record.sku for record in caplog.records if record.name == tasks.__name__]  # type: ignore[attr-defined]
    assert logged == ["A", "B"]
