"""Public ids tell nothing, are never twice, and survive a collision."""

import pytest
from django.db import IntegrityError, models, transaction
from django.test.utils import isolate_apps
from fashionistar_common.db import public_ids
from fashionistar_common.db.public_ids import ALPHABET, PublicId, PublicIdField, new_public_id

with isolate_apps("fashionistar_common"):

    class Ticket(PublicId):
        public_id = PublicIdField(prefix="tic_", length=12)
        name = models.CharField(max_length=10, unique=True)

        class Meta:
            app_label = "fashionistar_common"


pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module", autouse=True)
def _tables(tables):
    with tables(Ticket):
        yield


@pytest.fixture
def draws(monkeypatch):
    """The next ids drawn are these."""

    def plan(*ids):
        queue = iter(ids)
        monkeypatch.setattr(public_ids, "new_public_id", lambda prefix, length: prefix + next(queue))

    return plan


def test_ids_have_their_form_and_differ():
    ids = {new_public_id("pay_") for _ in range(1000)}
    assert len(ids) == 1000
    assert all(one.startswith("pay_") and len(one) == 24 and set(one[4:]) <= set(ALPHABET) for one in ids)


def test_the_row_gets_its_id_once():
    ticket = Ticket.objects.create(name="a")
    assert len(ticket.public_id) == 16
    first = ticket.public_id
    ticket.save()
    assert Ticket.objects.get(public_id=first) == ticket
    (made,) = Ticket.objects.bulk_create([Ticket(name="b")])
    assert made.public_id.startswith("tic_")
    assert Ticket.objects.create(name="c", public_id="tic_own").public_id == "tic_own"


def test_a_collision_is_drawn_again_also_in_a_transaction(draws):
    draws("same", "same", "same", "other")
    first = Ticket.objects.create(name="a")
    with transaction.atomic():
        second = Ticket.objects.create(name="b")
    assert (first.public_id, second.public_id) == ("tic_same", "tic_other")


def test_a_generator_that_is_stuck_comes_out_as_an_error(draws):
    draws(*["same"] * 20)
    Ticket.objects.create(name="a")
    with pytest.raises(IntegrityError), transaction.atomic():
        Ticket.objects.create(name="b")


def test_another_constraint_is_not_taken_for_a_collision(draws):
    draws("one", "two")  # a third draw would fail the test
    Ticket.objects.create(name="a")
    with pytest.raises(IntegrityError), transaction.atomic():
        Ticket.objects.create(name="a")


def test_migrations_carry_the_prefix_and_the_length():
    name, path, args, kwargs = Ticket._meta.get_field("public_id").deconstruct()
    assert (name, path, args) == ("public_id", "fashionistar_common.db.public_ids.PublicIdField", [])
    assert kwargs == {"prefix": "tic_", "length": 12}
    assert PublicIdField(*args, **kwargs).max_length == 16
