"""A developer's machine: everything works after ``make run``, nothing is secret, no mail leaves."""

from fashionistar_common.observability.logs import logging_config

from config import environ
from config.settings.base import *  # noqa: F403 - a settings module is its base, changed
from config.settings.base import FASHIONISTAR_COMMON, ROOT, dummy_payments

DEBUG = environ.flag("DEBUG", default=True)
SECRET_KEY = environ.text("SECRET_KEY", "development-only-" + "0123456789abcdef" * 4)
ALLOWED_HOSTS = environ.listing("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")

FASHIONISTAR_PAYMENTS = dummy_payments(environ.text("DUMMY_PROVIDER_SECRET", "development-only-webhook-secret"))

# Each message becomes a file, where `make demo` and curious people read it.
FASHIONISTAR_COMMON["MAIL_DIRECTORY"] = environ.text("MAIL_DIRECTORY", str(ROOT / ".run" / "mail"))
globals().update(environ.mailer("fashionistar_common.mail.DirectoryEmailBackend"))

# Told in the log: a query of a fifth of a second, and one that a request repeats.
FASHIONISTAR_COMMON |= {"SLOW_QUERY_MS": 200, "REPEATED_QUERIES": 10}

LOGGING = logging_config(level=environ.text("LOG_LEVEL", "INFO"), json=False)
