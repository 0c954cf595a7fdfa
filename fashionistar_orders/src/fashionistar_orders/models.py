"""Carts and orders. Amounts are whole minor units of the order's currency."""

import secrets
import uuid

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from fashionistar_common.money import Money

from .conf import conf
from .types import CancellationReason, CartStatus, OrderStatus

# Crockford's base 32: no I, L, O, U, so that a number can be read out over the telephone.
NUMBER_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NUMBER_LENGTH = 12  # 60 random bits


def new_public_id() -> str:
    return uuid.uuid4().hex


def new_order_number() -> str:
    """Such as `FS-7K2M9QXW4T1B`: tells nothing, cannot be guessed."""
    random = "".join(secrets.choice(NUMBER_ALPHABET) for _ in range(NUMBER_LENGTH))
    return f"{conf.NUMBER_PREFIX}-{random}"


class Cart(models.Model):
    """What a customer is about to order. Prices are not kept here: they are the catalog's until the order stands."""

    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    customer_id = models.CharField(max_length=64)
    status = models.CharField(max_length=16, choices=CartStatus.choices, default=CartStatus.OPEN)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("cart")
        verbose_name_plural = _("carts")
        constraints = [
            models.UniqueConstraint(
                fields=["customer_id"], condition=Q(status=CartStatus.OPEN), name="orders_cart_one_open"
            ),
            models.CheckConstraint(condition=Q(status__in=CartStatus.values), name="orders_cart_status"),
        ]

    def __str__(self) -> str:
        return self.public_id


class CartLine(models.Model):
    """A number of pieces of one SKU."""

    cart = models.ForeignKey(Cart, on_delete=models.CASCADE, related_name="lines")
    sku = models.CharField(max_length=100)
    quantity = models.PositiveIntegerField()

    class Meta:
        verbose_name = _("cart line")
        verbose_name_plural = _("cart lines")
        constraints = [
            models.UniqueConstraint(fields=["cart", "sku"], name="orders_cartline_sku"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="orders_cartline_quantity"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.sku}"


class Order(models.Model):
    """One purchase of one customer, made of one vendor order per vendor.

    The cart is one-to-one: whatever races, a cart becomes an order once. The money facts never change after the order
    stands. An order that is cancelled and has `paid_at` owes its customer a refund.
    """

    number = models.CharField(max_length=32, unique=True, default=new_order_number, editable=False)
    cart = models.OneToOneField(Cart, on_delete=models.PROTECT, related_name="order")
    customer_id = models.CharField(max_length=64)
    email = models.EmailField()
    status = models.CharField(max_length=16, choices=OrderStatus.choices, default=OrderStatus.PLACED)
    currency = models.CharField(max_length=3)
    total_minor = models.BigIntegerField()
    shipping_address = models.JSONField()
    payment_id = models.CharField(max_length=64, blank=True, default="")
    cancellation_reason = models.CharField(max_length=16, choices=CancellationReason.choices, blank=True, default="")
    placed_at = models.DateTimeField(default=timezone.now)
    paid_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        indexes = [
            models.Index("customer_id", F("placed_at").desc(), F("id").desc(), name="orders_order_customer"),
            models.Index(fields=["placed_at"], condition=Q(status=OrderStatus.PLACED), name="orders_order_unpaid"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(total_minor__gte=0), name="orders_order_total"),
            models.CheckConstraint(
                # The three columns of a status agree; only a cancelled order may be paid or not.
                condition=Q(status=OrderStatus.PLACED, paid_at=None, cancelled_at=None)
                | Q(status=OrderStatus.PAID, paid_at__isnull=False, cancelled_at=None)
                | Q(status=OrderStatus.CANCELLED, cancelled_at__isnull=False),
                name="orders_order_status",
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def total(self) -> Money:
        return Money(self.total_minor, self.currency)


class VendorOrder(models.Model):
    """The part of an order that one vendor serves. Its status is the order's; it is not stored twice."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="vendor_orders")
    number = models.CharField(max_length=40, unique=True)
    vendor_id = models.CharField(max_length=64, db_index=True)
    vendor_name = models.CharField(max_length=255)
    subtotal_minor = models.BigIntegerField()

    class Meta:
        verbose_name = _("vendor order")
        verbose_name_plural = _("vendor orders")
        constraints = [
            models.UniqueConstraint(fields=["order", "vendor_id"], name="orders_vendororder_vendor"),
            models.CheckConstraint(condition=Q(subtotal_minor__gte=0), name="orders_vendororder_subtotal"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def status(self) -> str:
        return self.order.status

    @property
    def subtotal(self) -> Money:
        return Money(self.subtotal_minor, self.order.currency)


class OrderLine(models.Model):
    """What was bought, in the words and at the price of that moment."""

    vendor_order = models.ForeignKey(VendorOrder, on_delete=models.CASCADE, related_name="lines")
    sku = models.CharField(max_length=100)
    product_name = models.CharField(max_length=255)
    options = models.JSONField(default=dict, blank=True)
    unit_price_minor = models.BigIntegerField()
    quantity = models.PositiveIntegerField()
    total_minor = models.BigIntegerField()

    class Meta:
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        constraints = [
            models.UniqueConstraint(fields=["vendor_order", "sku"], name="orders_orderline_sku"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="orders_orderline_quantity"),
            models.CheckConstraint(condition=Q(unit_price_minor__gte=0), name="orders_orderline_price"),
            models.CheckConstraint(
                condition=Q(total_minor=F("unit_price_minor") * F("quantity")), name="orders_orderline_total"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.sku}"

    @property
    def unit_price(self) -> Money:
        return Money(self.unit_price_minor, self.vendor_order.order.currency)

    @property
    def total(self) -> Money:
        return Money(self.total_minor, self.vendor_order.order.currency)
