"""Requests that happen once, however often they are sent (IETF draft-ietf-httpapi-idempotency-key-header).

A POST with an `Idempotency-Key` claims the key for its actor, method and path before it runs. Its answer, if it is a
success, is kept and replayed to whoever sends the same key and body again; the same key with another body or query is
refused, and so is a second request while the first one runs. An answer that is an error is not kept: nothing happened,
so the key may be used again.

There are two forms. With a lease, claim, work and answer are three steps, between which the work may call other
systems; a request that died without an answer loses its claim after `IDEMPOTENCY_LEASE` seconds. In one transaction,
for work that only writes to the same database, the three are committed together: what dies leaves nothing behind.
"""

import hashlib
import uuid
from collections.abc import Callable
from datetime import timedelta

from django.db import IntegrityError, connections, router, transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from ..concurrency import transaction_held
from ..conf import conf
from ..exceptions import ConflictError, InvalidError
from ..models import IdempotencyRecord
from .security import actor_of

KEPT_HEADERS = ("Location",)


class IdempotencyKeyReusedError(InvalidError):
    """This Idempotency-Key was used with another body."""

    code = "idempotency_key_reused"


class IdempotencyKeyInvalidError(InvalidError):
    """An Idempotency-Key is 1 to 255 printable ASCII characters."""

    code = "idempotency_key_invalid"


class RequestInProgressError(ConflictError):
    """A request with this Idempotency-Key is running."""

    code = "request_in_progress"


def claim(request: HttpRequest, *, atomic: bool = False) -> HttpResponse | None:
    """Claim the request's key, if it has one; the earlier answer if there is one already.

    With `atomic` it is called inside of `in_one_transaction()`, and the claim is that transaction's lock.

    Raises:
        IdempotencyKeyReusedError: the key came with another body.
        RequestInProgressError: another request holds the key.
        IdempotencyKeyInvalidError: the key is not usable.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= 255 or not key.isascii() or not key.isprintable():
        raise IdempotencyKeyInvalidError
    scope = _scope(request)
    fingerprint = _fingerprint(request)
    now, mine = timezone.now(), uuid.uuid4()
    if atomic and not _locked(scope, key):
        raise RequestInProgressError(retry_after=1)
    try:
        record, created = IdempotencyRecord.objects.get_or_create(
            scope=scope, key=key, defaults={"fingerprint": fingerprint, "claim": mine, "claimed_at": now}
        )
    except IntegrityError as error:  # it stood in the way, and was gone when we looked: a request has failed just now
        raise RequestInProgressError(retry_after=1) from error
    if not created:
        answered = record.status is not None
        age = timedelta(hours=conf.IDEMPOTENCY_HOURS) if answered else timedelta(seconds=conf.IDEMPOTENCY_LEASE)
        if record.claimed_at > now - age:
            if record.fingerprint != fingerprint:
                raise IdempotencyKeyReusedError
            if answered:
                return _replay(record)
            raise RequestInProgressError(retry_after=1)
        taken = IdempotencyRecord.objects.filter(pk=record.pk, claim=record.claim).update(
            claim=mine, claimed_at=now, fingerprint=fingerprint, status=None, body=None
        )
        if not taken:  # somebody else was quicker
            raise RequestInProgressError(retry_after=1)
    request.idempotency_claim = mine  # type: ignore[attr-defined]
    return None


def _fingerprint(request: HttpRequest) -> str:
    digest = hashlib.sha256(request.body)
    if query := request.META.get("QUERY_STRING", ""):
        digest.update(f"\0?{query}".encode(errors="surrogatepass"))
    return digest.hexdigest()


def _scope(request: HttpRequest) -> str:
    """Actor, method and path; a long one ends in its digest, so that two are never taken for one."""
    scope = f"{actor_of(request).id} {request.method} {request.path}"
    return scope if len(scope) <= 200 else f"{scope[:135]} {hashlib.sha256(scope.encode()).hexdigest()}"


def _locked(scope: str, key: str) -> bool:
    """Lock the key until the transaction ends. On PostgreSQL nobody waits: it is ours, or somebody else's.

    Elsewhere a write that changes nothing takes the lock, and a second request waits for it as long as the database
    waits for locks.
    """
    connection = connections[router.db_for_write(IdempotencyRecord)]
    if connection.vendor != "postgresql":
        IdempotencyRecord.objects.filter(scope=scope, key=key).update(claim=F("claim"))
        return True
    digest = hashlib.sha256(f"idempotency {scope} {key}".encode()).digest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], signed=True)])
        return bool(cursor.fetchone()[0])


def in_one_transaction[R: HttpResponseBase](request: HttpRequest, run: Callable[[], R]) -> R:
    """Let `run` claim, work and answer in one transaction, which also keeps the answer.

    An answer that is an error undoes everything, also what the handler wrote before it answered so.
    """
    database = router.db_for_write(IdempotencyRecord)
    token = transaction_held.set(True)
    try:
        with transaction.atomic(using=database):
            response = run()
            if response.status_code >= 400:
                transaction.set_rollback(True, using=database)
            else:
                settle(request, response)
    finally:
        transaction_held.reset(token)
    return response


def settle(request: HttpRequest, response: HttpResponseBase | None) -> None:
    """Keep the answer to the claimed request, or give the claim back: it failed, it crashed (`None`), or it streams."""
    mine = getattr(request, "idempotency_claim", None)
    if mine is None:
        return
    record = IdempotencyRecord.objects.filter(claim=mine)
    if not isinstance(response, HttpResponse) or response.status_code >= 400:
        record.delete()
        return
    record.update(
        status=response.status_code,
        content_type=response.headers.get("Content-Type", ""),
        headers={name: response.headers[name] for name in KEPT_HEADERS if name in response.headers},
        body=response.content,
    )


def _replay(record: IdempotencyRecord) -> HttpResponse:
    response = HttpResponse(
        bytes(record.body or b""),
        status=record.status,
        content_type=record.content_type,
        headers=record.headers,
    )
    response["Idempotent-Replayed"] = "true"
    return response


def expired_records() -> QuerySet[IdempotencyRecord]:
    """Answers that are no longer replayed."""
    before = timezone.now() - timedelta(hours=conf.IDEMPOTENCY_HOURS)
    return IdempotencyRecord.objects.filter(claimed_at__lt=before)
