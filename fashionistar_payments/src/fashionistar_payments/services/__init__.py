"""Writes: paying an order, and hearing from gateways."""

from .payments import cancel_pending_payment, create_payment
from .webhooks import process_webhook, receive_webhook, replay_webhooks

__all__ = [
    "cancel_pending_payment",
    "create_payment",
    "process_webhook",
    "receive_webhook",
    "replay_webhooks",
]
