"""Rows that hide and come back, with what belongs to them, and rows that really go."""

from datetime import timedelta
from io import StringIO
from types import SimpleNamespace

import pytest
from django.contrib.admin import AdminSite
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import IntegrityError, connection, models, transaction
from django.db.models import ProtectedError, RestrictedError
from django.test.utils import CaptureQueriesContext, isolate_apps
from django.utils import timezone
from fashionistar_common.admin.soft_delete import SoftDeleteAdmin
from fashionistar_common.db.soft_delete import HardDelete, RestoreConflictError, SoftDelete, unique_while_alive
from fashionistar_common.management.commands import purge_deleted

# ruff: noqa: DJ008
with isolate_apps("fashionistar_common"):

    class Country(HardDelete):
        class Meta:
            app_label = "fashionistar_common"

    class Vendor(SoftDelete):
        country = models.ForeignKey(Country, models.CASCADE, null=True)
        name = models.CharField(max_length=20)

        class Meta:
            app_label = "fashionistar_common"
            constraints = [unique_while_alive("name", name="vendor_name_once")]

    class Product(SoftDelete):
        vendor = models.ForeignKey(Vendor, models.CASCADE, related_name="products")
        name = models.CharField(max_length=20, default="p")

        class Meta:
            app_label = "fashionistar_common"

    class Picture(SoftDelete):
        product = models.ForeignKey(Product, models.CASCADE, related_name="+")

        class Meta:
            app_label = "fashionistar_common"

    class View(models.Model):
        product = models.ForeignKey(Product, models.CASCADE, related_name="views")

        class Meta:
            app_label = "fashionistar_common"

    class Sale(SoftDelete):
        product = models.ForeignKey(Product, models.PROTECT)

        class Meta:
            app_label = "fashionistar_common"

    class Shelf(SoftDelete):
        vendor = models.ForeignKey(Vendor, models.CASCADE)
        product = models.ForeignKey(Product, models.RESTRICT)

        class Meta:
            app_label = "fashionistar_common"


MODELS = (Country, Vendor, Product, Picture, View, Sale, Shelf)
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module", autouse=True)
def _tables(tables):
    with tables(*MODELS):
        yield


@pytest.fixture
def vendor():
    vendor = Vendor.objects.create(name="Adire House")
    for _ in range(2):
        product = Product.objects.create(vendor=vendor)
        Picture.objects.create(product=product)
        View.objects.create(product=product)
    return vendor


def test_delete_hides_the_row_and_its_children_and_restore_brings_them_back(vendor):
    before = vendor.updated_at
    assert vendor.delete() == (
        5,
        {"fashionistar_common.Vendor": 1, "fashionistar_common.Product": 2, "fashionistar_common.Picture": 2},
    )
    assert vendor.is_deleted
    assert vendor.updated_at > before
    assert not Vendor.objects.exists()
    assert not vendor.products.exists()
    assert Vendor.all_objects.get() == vendor
    assert View.objects.count() == 2
    assert vendor.restore() == 5
    assert not vendor.is_deleted
    assert vendor.products.count() == 2


def test_deleting_twice_keeps_the_first_moment(vendor):
    vendor.delete()
    first = vendor.deleted_at
    assert vendor.delete() == (0, {})
    assert vendor.deleted_at == first


def test_what_was_deleted_before_its_parent_stays_deleted(vendor):
    gone = vendor.products.first()
    gone.delete()
    vendor.delete()
    vendor.restore()
    assert list(vendor.products.all()) == list(Product.objects.exclude(pk=gone.pk))
    gone.restore()
    assert vendor.products.count() == 2


def test_a_queryset_deletes_in_as_many_queries_as_there_are_models(vendor):
    few = [product.pk for product in vendor.products.all()]
    many = [Product.objects.create(vendor=vendor).pk for _ in range(20)]
    counts = []
    for keys in (few, many):
        for product in keys:
            Picture.objects.create(product_id=product)
        with CaptureQueriesContext(connection) as queries:
            Product.objects.filter(pk__in=keys).delete()
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert not Product.objects.exists()
    assert Product.all_objects.restore() == 22 + 24  # the products and their pictures
    assert Product.objects.count() == 22


def test_a_name_is_free_again_and_the_old_row_cannot_come_back_over_the_new(vendor):
    with pytest.raises(IntegrityError), transaction.atomic():
        Vendor.objects.create(name="Adire House")
    vendor.delete()
    new = Vendor.objects.create(name="Adire House")
    with pytest.raises(RestoreConflictError):
        vendor.restore()
    assert Vendor.objects.get() == new
    assert not Product.objects.exists()


def test_a_child_does_not_come_back_below_a_deleted_parent(vendor):
    product = vendor.products.first()
    vendor.delete()
    product.refresh_from_db()
    with pytest.raises(RestoreConflictError, match="its vendor is deleted"):
        product.restore()


def test_a_living_protecting_row_holds_and_a_deleted_one_does_not(vendor):
    sale = Sale.objects.create(product=vendor.products.first())
    with pytest.raises(ProtectedError):
        vendor.delete()
    assert Vendor.objects.count() == 1
    sale.delete()
    vendor.delete()
    assert not Product.objects.exists()


def test_a_restricting_row_holds_unless_it_goes_too(vendor):
    product = vendor.products.first()
    other = Vendor.objects.create(name="Other")
    shelf = Shelf.objects.create(vendor=other, product=product)
    with pytest.raises(RestrictedError):
        vendor.delete()
    Shelf.all_objects.filter(pk=shelf.pk).update(vendor=vendor)
    vendor.delete()
    assert Shelf.all_objects.get().deleted_at == vendor.deleted_at


def test_a_deleted_row_is_still_found_through_a_foreign_key(vendor):
    view = View.objects.first()
    vendor.delete()
    view.refresh_from_db()
    assert view.product.vendor == vendor


def test_hard_delete_removes_but_not_living_children(vendor):
    with pytest.raises(ProtectedError):
        vendor.hard_delete()
    vendor.delete()
    vendor.hard_delete()
    assert not View.objects.exists()
    assert not Product.all_objects.exists()


def test_hard_delete_rows_do_not_go_over_the_heads_of_hidden_ones(vendor):
    country = Country.objects.create()
    Vendor.objects.update(country=country)
    vendor.delete()
    with pytest.raises(ProtectedError):
        country.delete()
    with pytest.raises(ProtectedError):
        Country.objects.all().delete()
    vendor.hard_delete()
    country.delete()
    assert not Country.objects.exists()


def test_updated_at_follows_every_way_of_writing(vendor):
    long_ago = timezone.now() - timedelta(days=9)

    def rewind():
        Vendor.all_objects.update(updated_at=long_ago)
        vendor.refresh_from_db()
        assert vendor.updated_at == long_ago

    def upsert():
        new = Vendor(pk=vendor.pk, name="C")
        Vendor.objects.bulk_create([new], update_conflicts=True, unique_fields=["id"], update_fields=["name"])

    def bulk_update():
        vendor.name = "D"
        Vendor.objects.bulk_update([vendor], ["name"])

    for write in (
        vendor.save,
        lambda: vendor.save(update_fields=["name"]),
        lambda: Vendor.objects.update(name="B"),
        lambda: Vendor.objects.update_or_create(pk=vendor.pk, defaults={"name": "E"}),
        upsert,
        bulk_update,
    ):
        rewind()
        write()
        vendor.refresh_from_db()
        assert vendor.updated_at > long_ago


@pytest.fixture
def purge(monkeypatch):
    monkeypatch.setattr(purge_deleted, "apps", SimpleNamespace(get_models=lambda: MODELS))

    def run(*arguments):
        out = StringIO()
        call_command("purge_deleted", *arguments, stdout=out)
        return out.getvalue()

    return run


def test_purge_removes_what_was_deleted_long_ago_and_says_so_before(vendor, purge):
    vendor.delete()
    Vendor.objects.create(name="Alive")
    assert purge() == ""
    assert "fashionistar_common.Vendor: 1 would be removed, 0 kept" in purge("--days", "0", "--dry-run")
    assert Vendor.all_objects.count() == 2
    for model in (Vendor, Product, Picture):
        model.all_objects.deleted().update(deleted_at=timezone.now() - timedelta(days=91))
    assert "fashionistar_common.Vendor: 1 removed" in purge()
    assert Vendor.all_objects.get().name == "Alive"
    assert not Product.all_objects.exists()


def test_purge_keeps_what_living_rows_need(vendor, purge):
    other = Vendor.objects.create(name="Other")
    for row in (vendor, other):
        row.delete()
    late = Product.objects.create(vendor=vendor)  # somebody held the vendor in hand
    report = purge("--days", "0")
    assert "fashionistar_common.Vendor: 1 removed, 1 kept" in report
    assert Product.objects.get() == late
    assert Vendor.all_objects.get() == vendor


def test_the_admin_shows_the_living_and_restores_the_deleted(vendor, rf, monkeypatch):
    model_admin = SoftDeleteAdmin(Vendor, AdminSite())
    said = []
    monkeypatch.setattr(model_admin, "message_user", lambda request, message, level: said.append(message))
    Vendor.objects.create(name="Alive")
    request = rf.get("/")
    request.user = get_user_model()(is_superuser=True, is_active=True)
    model_admin.delete_queryset(request, Vendor.objects.filter(pk=vendor.pk))

    def shown(**query):
        request = rf.get("/", query)
        request.user = get_user_model()(is_superuser=True, is_active=True)
        return sorted(row.name for row in model_admin.get_changelist_instance(request).get_queryset(request))

    assert shown() == ["Alive"]
    assert shown(deleted="1") == ["Adire House"]
    assert shown(deleted="all") == ["Adire House", "Alive"]
    model_admin.restore(request, model_admin.get_queryset(request).filter(pk=vendor.pk))
    assert shown() == ["Adire House", "Alive"]
    vendor.delete()
    Vendor.objects.create(name="Adire House")
    model_admin.restore(request, model_admin.get_queryset(request).filter(pk=vendor.pk))
    assert "cannot come back" in said[-1]


def test_deleting_goes_to_the_database_that_is_written_to(vendor, settings):
    class ReadsElsewhere:
        def db_for_read(self, model, **hints):
            return "a replica"

        def db_for_write(self, model, **hints):
            return "default"

    settings.DATABASE_ROUTERS = [ReadsElsewhere()]
    Product.objects.all().delete()
    Product.all_objects.deleted().restore()
    Product.objects.all().delete()
    Product.all_objects.all().hard_delete()
    vendor.delete()
    vendor.hard_delete()
    settings.DATABASE_ROUTERS = []
    assert not Vendor.all_objects.exists()
