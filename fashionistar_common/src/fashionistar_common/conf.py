"""Typed settings: one dict per app, one annotated class attribute per setting, read live."""

from typing import Any, ClassVar, Literal

from django.conf import settings


class AppSettings:
    """A live, typed view of one settings dict.

    A subclass names its dict in `setting` and declares each key as an annotated upper-case attribute whose value is the
    default. Reading an attribute looks into the project's settings every time, so `override_settings` works.
    """

    setting: ClassVar[str]

    def __getattribute__(self, name: str) -> Any:
        if name.isupper():
            values = getattr(settings, type(self).setting, None) or {}
            if name in values:
                return values[name]
        return super().__getattribute__(name)


class CommonSettings(AppSettings):
    """The settings of `fashionistar_common`."""

    setting = "FASHIONISTAR_COMMON"

    # Who is asking, and what every answer looks like ---------------------------------------------------------------

    #: Dotted path of `(token: str) -> Actor`; empty: the Django session's user is the actor.
    AUTHENTICATOR: str = ""
    #: Below this path every error is a problem, even Django's own pages.
    API_PREFIX: str = "/api/"
    #: The URI before a problem's code in its `type`; empty: `about:blank`.
    PROBLEM_BASE_URI: str = ""
    #: Items on a page when the request does not say.
    PAGE_SIZE: int = 24
    #: Items on a page at most.
    PAGE_SIZE_MAX: int = 100

    # Where a request comes from -----------------------------------------------------------------------------------

    #: Addresses and networks (`"10.0.0.0/8"`) of the proxies whose word on the caller's address is taken.
    TRUSTED_PROXIES: list[str] = []
    #: The header in which those proxies write the caller's address. They must overwrite or append to it.
    FORWARDED_HEADER: Literal["X-Forwarded-For", "Forwarded"] = "X-Forwarded-For"

    # Requests that happen once ------------------------------------------------------------------------------------

    #: Seconds after which a request that holds an idempotency key and never answered is taken for dead.
    IDEMPOTENCY_LEASE: int = 60
    #: Hours that a stored answer is replayed.
    IDEMPOTENCY_HOURS: int = 24

    # Rate limits and cached answers -------------------------------------------------------------------------------

    #: The Redis of rate limits and cached answers: `URL`, or `SENTINELS` and `SERVICE`, or `CLUSTER`, and `CLIENT`.
    #: Empty: that of `CACHES["default"]`, if it is one.
    REDIS: dict[str, Any] = {}
    #: Rates by the name of the limit, instead of those in the code: `"10/m"`, `"100/2h"`; `""` is no limit.
    RATE_LIMITS: dict[str, str] = {}
    #: Where calls are counted; `auto` is Redis, where there is one.
    RATE_LIMIT_STORE: Literal["auto", "redis", "database"] = "auto"
    #: When Redis does not answer: count in the database, or count nothing.
    RATE_LIMIT_FALLBACK: Literal["database", "allow"] = "database"
    #: Seconds for which one request computes a cached answer while others wait; after them, others compute it, too.
    CACHE_LOCK_SECONDS: float = 5.0

    # Events -------------------------------------------------------------------------------------------------------

    #: Seconds between two looks of an idle relay into the outbox.
    RELAY_INTERVAL: float = 0.2
    #: Deliveries of one event to one subscriber before it counts as dead.
    RELAY_MAX_ATTEMPTS: int = 10
    #: Seconds that an event handler may take before it counts as hanging, and its subscriber goes on without it.
    RELAY_HANDLER_TIME_LIMIT: float = 60.0
    #: Seconds that a relay which is told to stop gives to the handlers that run.
    RELAY_GRACE: float = 20.0
    #: The alias in DATABASES on which relays LISTEN, if the outbox's own leads through a pooler such as PgBouncer.
    RELAY_LISTEN_ALIAS: str = ""
    #: Days after which `purge_events` deletes an event that every subscriber has had.
    EVENT_RETENTION_DAYS: int = 30
    #: Days after which `purge_events` retires a subscriber that no relay knows any more.
    EVENT_SUBSCRIPTION_DAYS: int = 14

    # Tasks --------------------------------------------------------------------------------------------------------

    #: Seconds before a failed task's second attempt; doubled for each further one, at most an hour.
    TASK_RETRY_BASE: float = 60.0
    #: Seconds after which a running attempt is stopped, unless its task says otherwise; a tenth later it counts as lost
    #: with its worker.
    TASK_TIME_LIMIT: int = 300
    #: The share of its time limit after which a running attempt is logged as a warning.
    TASK_TIME_WARNING: float = 0.8
    #: Seconds between two looks for tasks whose worker died and for schedules that are due.
    TASK_RECLAIM_INTERVAL: float = 5.0
    #: Days that a dead task is kept.
    TASK_DEAD_DAYS: int = 90
    #: Days that results, keys and the trail of retried tasks are kept: so long a key stands for a task that is done.
    TASK_KEEP_DAYS: int = 14
    #: Names of task arguments whose values the admin hides.
    TASK_HIDDEN_ARGUMENTS: list[str] = []
    #: Where each dead task is reported, by a POST; empty: nowhere.
    TASK_FAILURE_WEBHOOK: str = ""
    #: Signs those reports.
    TASK_FAILURE_WEBHOOK_SECRET: str = ""

    # The audit log ------------------------------------------------------------------------------------------------

    #: Names of further fields whose values the audit log does not keep, besides those that tell of secrets themselves.
    AUDIT_REDACTED: list[str] = []
    #: Seconds after which an entry that is not in the chain yet counts as a finding.
    AUDIT_SEAL_GRACE: int = 300

    # Calls to providers -------------------------------------------------------------------------------------------

    #: Seconds that each step of an attempt may take: to connect, to send, to hear more.
    OUTGOING_TIMEOUT: float = 10.0
    #: Seconds for a whole call with all its attempts.
    OUTGOING_DEADLINE: float = 30.0
    #: How often a call is made at most, where a repeat is safe.
    OUTGOING_ATTEMPTS: int = 3
    #: Bytes that an answer may have.
    OUTGOING_MAX_BYTES: int = 10_000_000
    #: Failures of a provider within the window before it is left alone.
    BREAKER_FAILURES: int = 10
    #: The part of all calls in the window that must have failed, too.
    BREAKER_RATIO: float = 0.5
    #: Seconds that are looked back.
    BREAKER_WINDOW: float = 60.0
    #: Seconds that a provider is left alone.
    BREAKER_COOLDOWN: float = 30.0

    # Data ---------------------------------------------------------------------------------------------------------

    #: Days that `purge_deleted` leaves a soft-deleted row, unless its model says otherwise.
    SOFT_DELETE_DAYS: int = 90
    #: How many threads `gather()` may use in this process.
    GATHER_THREADS: int = 8
    #: How many threads `in_thread()` may use in this process; 0: it stays in the thread of the request.
    IN_THREAD_THREADS: int = 8
    #: Connections of the pool that `gather()` and `in_thread()` leave to everything else.
    POOL_RESERVE: int = 2
    #: Aliases in DATABASES of streaming replicas of the default one, for `db.replicas`.
    REPLICAS: list[str] = []
    #: Seconds that a replica may lag behind before it is left alone.
    REPLICA_MAX_LAG: float = 2.0
    #: Seconds between two looks at a replica.
    REPLICA_CHECK_INTERVAL: float = 0.5
    #: Seconds after a write for which its author reads from the primary.
    REPLICA_STICKY_SECONDS: float = 5.0
    #: The database role, with BYPASSRLS, as which `all_tenants()` runs; empty: it is refused.
    TENANT_BYPASS_ROLE: str = ""

    # What is seen of it ---------------------------------------------------------------------------------------------

    #: The bearer token with which `/metrics` may be read; empty: none.
    METRICS_TOKEN: str = ""
    #: Addresses and networks (`"10.0.0.0/8"`) that may read `/metrics` without a token.
    METRICS_NETWORKS: list[str] = []
    #: Seconds after which `/readyz` no longer waits for what it looks at.
    READY_TIMEOUT: float = 1.5
    #: Further things that `/readyz` looks at: names and dotted paths of `() -> str`, which answers `"ok"` or why not.
    READY_PROBES: dict[str, str] = {}
    #: Seconds that an event may wait for a relay before `/readyz` and `production_check` tell of it.
    OUTBOX_LAG_MAX: int = 60
    #: Milliseconds from which a query is logged as slow; 0: never. For development.
    SLOW_QUERY_MS: int = 0
    #: How often one request may repeat a query before that is logged; 0: as often as it likes. For development.
    REPEATED_QUERIES: int = 0

    # Messages to people -------------------------------------------------------------------------------------------

    #: The domain of Message-IDs.
    MAIL_DOMAIN: str = "fashionistar.example"
    #: Where `mail.DirectoryEmailBackend` keeps its messages.
    MAIL_DIRECTORY: str = ""
    #: With the EMAIL_* settings, the backend behind `mail.QueuedEmailBackend`; with MAILERS, its option `mailer` is.
    MAIL_BACKEND: str = "django.core.mail.backends.smtp.EmailBackend"
    #: Bytes of a message that `mail.QueuedEmailBackend` takes, attachments included.
    MAIL_QUEUE_BYTES: int = 1_000_000
    #: For each channel (`email`, `sms`, `webpush`) the `BACKEND` that carries it and its `OPTIONS`. A channel that is
    #: not named is not used.
    NOTIFICATION_PROVIDERS: dict[str, dict[str, Any]] = {
        "email": {"BACKEND": "fashionistar_common.notifications.providers.email.EmailProvider"}
    }
    #: Days that the log of messages is kept.
    NOTIFICATION_DAYS: int = 30
    #: Where people reach this site, such as `https://shop.example`; without it, mail has no link to unsubscribe.
    PUBLIC_URL: str = ""
    #: The push services that a browser may name; `*` stands for one or more labels. We call these addresses.
    PUSH_ORIGINS: list[str] = [
        "https://fcm.googleapis.com",
        "https://updates.push.services.mozilla.com",
        "https://*.notify.windows.com",
        "https://web.push.apple.com",
    ]


conf = CommonSettings()
