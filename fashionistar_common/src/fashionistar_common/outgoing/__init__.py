"""Calls to other people's servers: bounded in time and size, repeated where that is safe, stopped where it is useless.

    gateway = Client("paystack", base_url="https://api.paystack.example", headers={"Authorization": f"Bearer {key}"})
    response = gateway.request("POST", "/transaction", json=body, idempotency_key=payment_id)

Needs the extra `httpx`. Knows no web framework, so providers and services may use it.
"""

from .breaker import CircuitBreaker
from .client import Client
from .errors import AnswerTooLargeError, CallInTransactionError, CircuitOpenError, NoAnswerError

__all__ = [
    "AnswerTooLargeError",
    "CallInTransactionError",
    "CircuitBreaker",
    "CircuitOpenError",
    "Client",
    "NoAnswerError",
]
