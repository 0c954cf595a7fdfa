"""One attribute, two columns: `Money` in and out, plain columns for the database."""

from decimal import Decimal

import pytest
from django.contrib.admin import AdminSite, ModelAdmin
from django.db import IntegrityError, connection, models, transaction
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.state import ModelState, ProjectState
from django.db.migrations.writer import MigrationWriter
from django.db.models import Sum
from django.test.utils import isolate_apps
from fashionistar_common.db.money_field import MoneyField, MoneyFormField, MoneyModelForm
from fashionistar_common.money import CurrencyMismatchError, Money, MoneyError

# ruff: noqa: DJ008
with isolate_apps("fashionistar_common"):

    class Priced(models.Model):
        price = MoneyField()
        balance = MoneyField(null=True, signed=True)

        class Meta:
            abstract = True

    class Offer(Priced):
        class Meta:
            app_label = "fashionistar_common"

    class Bill(models.Model):
        currency = models.CharField(max_length=3)
        total = MoneyField(currency="currency")
        tax = MoneyField(currency="currency")

        class Meta:
            app_label = "fashionistar_common"


class OfferForm(MoneyModelForm):
    price = MoneyFormField()
    balance = MoneyFormField(required=False, min_value=None, currencies=["NGN", "KWD"])

    class Meta:
        model = Offer
        fields = []


pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module", autouse=True)
def _tables(tables):
    with tables(Offer, Bill):
        yield


def naira(minor):
    return Money(minor, "NGN")


def test_money_in_money_out():
    offer = Offer.objects.create(price=naira(500))
    offer.refresh_from_db()
    assert (offer.price, offer.balance) == (naira(500), None)
    offer.balance = Money(-3, "KWD")
    offer.save()
    found = Offer.objects.get(price_minor__lt=501, price_currency="NGN", balance_minor__lt=0)
    assert found.balance == Money(-3, "KWD")
    found.balance = None
    assert found.balance is None
    assert Offer().price is None


def test_the_columns_sort_sum_and_defer():
    for minor in (300, 100, 200):
        Offer.objects.create(price=naira(minor))
    assert [offer.price.amount_minor for offer in Offer.objects.order_by("-price_minor")] == [300, 200, 100]
    assert Offer.objects.aggregate(total=Sum("price_minor")) == {"total": 600}
    assert Offer.objects.only("pk").first().price in {naira(100), naira(200), naira(300)}
    Offer.objects.update_or_create(price_minor=300, defaults={"price": naira(301)})
    assert Offer.objects.filter(price_minor=301).count() == 1


def test_amounts_of_one_row_share_a_currency():
    bill = Bill(total=naira(100), tax=naira(7))
    assert bill.currency == "NGN"
    with pytest.raises(CurrencyMismatchError):
        bill.tax = Money(7, "USD")
    with pytest.raises(CurrencyMismatchError):
        Bill(currency="USD", total=naira(100))
    assert bill.tax == naira(7)


@pytest.mark.parametrize("wrong", [5, "5.00", Decimal(5), 5.0])
def test_only_money_is_money(wrong):
    with pytest.raises(MoneyError):
        Offer(price=wrong)


def test_the_database_refuses_what_is_below_zero():
    with pytest.raises(IntegrityError), transaction.atomic():
        Offer.objects.create(price=naira(-1))
    with pytest.raises(IntegrityError), transaction.atomic():
        Offer.objects.create(price=None)


def test_migrations_see_plain_columns_and_nothing_afterwards():
    def now():
        state = ProjectState()
        state.add_model(ModelState.from_model(Offer))
        return state

    (migration,) = MigrationAutodetector(ProjectState(), now())._detect_changes()["fashionistar_common"]
    assert "MoneyField" not in MigrationWriter(migration).as_string()
    assert MigrationAutodetector(migration.mutate_state(ProjectState()), now())._detect_changes() == {}
    columns = {field.column for field in Offer._meta.concrete_fields}
    assert columns == {"id", "price_minor", "price_currency", "balance_minor", "balance_currency"}
    with connection.cursor() as cursor:
        described = connection.introspection.get_table_description(cursor, Offer._meta.db_table)
    assert {column.name for column in described} == columns


def test_a_form_shows_and_takes_major_units():
    offer = Offer.objects.create(price=naira(12900))
    assert 'value="129.00"' in OfferForm(instance=offer)["price"].as_widget()
    form = OfferForm({"price_0": "1500.5", "price_1": "ngn", "balance_0": "-1.250", "balance_1": "KWD"}, instance=offer)
    assert form.is_valid(), form.errors
    form.save()
    offer.refresh_from_db()
    assert (offer.price, offer.balance) == (naira(150050), Money(-1250, "KWD"))


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"price_0": "1.005", "price_1": "NGN"}, "price"),
        ({"price_0": "-1", "price_1": "NGN"}, "price"),
        ({"price_0": "1", "price_1": "N1"}, "price"),
        ({"price_0": "NaN", "price_1": "NGN"}, "price"),
        ({"price_0": "1", "price_1": ""}, "price"),
        ({}, "price"),
        ({"price_0": "1", "price_1": "NGN", "balance_0": "1", "balance_1": "USD"}, "balance"),
    ],
)
def test_a_form_refuses_what_is_no_money(data, field):
    form = OfferForm(data)
    assert field in form.errors


def test_an_admin_edits_the_amounts(rf, admin_user):
    class OfferAdmin(ModelAdmin):
        form = OfferForm
        fields = ["price", "balance"]
        list_display = ["price"]

    model_admin = OfferAdmin(Offer, AdminSite())
    request = rf.get("/")
    request.user = admin_user
    form = model_admin.get_form(request)({"price_0": "3", "price_1": "NGN"})
    assert form.is_valid(), form.errors
    assert form.save().price == naira(300)
    assert model_admin.checks_class().check(model_admin) == []
