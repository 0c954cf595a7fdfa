"""All five apps in a project as `startproject` makes it, with Django's admin and without what the sandbox adds."""

import subprocess
import sys

PROJECT = """
from django.conf import settings

settings.configure(
    SECRET_KEY="only-for-this-test-0123456789-abcdefghijklmnopqrstuvwxyz",
    ROOT_URLCONF="django.contrib.auth.urls",
    APPEND_SLASH=False,
    AUTH_USER_MODEL="fashionistar_auth.User",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=[
        *(f"fashionistar_{name}" for name in ("common", "auth", "catalog", "orders", "payments")),
        *(f"django.contrib.{name}" for name in ("admin", "auth", "contenttypes", "sessions", "messages")),
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    TASKS={
        "default": {
            "BACKEND": "django.tasks.backends.immediate.ImmediateBackend",
            "QUEUES": ["critical", "emails", "default", "analytics"],
        }
    },
)

import django

django.setup()

from django.core.management import call_command

call_command("check")
call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)
"""


def test_the_five_start_with_the_admin_and_without_the_type_stubs() -> None:
    """`django_tasks_db` brings the stubs' patches, under which a class may be subscripted that otherwise may not."""
    done = subprocess.run([sys.executable, "-c", PROJECT], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
