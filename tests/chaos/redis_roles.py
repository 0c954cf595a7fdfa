"""What the processes of the drill in redis_tasks.py run: settings, the task, a worker and a relay.

python redis_roles.py COMMAND [ARGUMENT ...]        # a management command of this small project
"""

import json
import os
import sys
from urllib.parse import urlsplit

import django
from django.conf import settings

if not settings.configured:
    url = urlsplit(os.environ["DATABASE_URL"])
    settings.configure(
        SECRET_KEY="drill",
        USE_TZ=True,
        INSTALLED_APPS=["fashionistar_common", "django.contrib.auth", "django.contrib.contenttypes"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": url.path[1:],
                "USER": url.username,
                "HOST": url.hostname,
                "PORT": str(url.port),
                "OPTIONS": {"pool": {"min_size": 1, "max_size": 10}},
            }
        },
        TASKS={
            "default": {
                "BACKEND": "fashionistar_common.tasks.redis.RedisBackend",
                "QUEUES": ["critical", "emails", "default", "analytics"],
                "OPTIONS": json.loads(os.environ["DRILL_OPTIONS"]),
            }
        },
        FASHIONISTAR_COMMON={"TASK_RETRY_BASE": 1.0},
        SILENCED_SYSTEM_CHECKS=["fashionistar_common.W051"],
        LOGGING_CONFIG=None,
    )
    django.setup()

from django.db import connection
from fashionistar_common.tasks import task

TABLE = "CREATE TABLE IF NOT EXISTS effect (number integer NOT NULL, at timestamptz DEFAULT clock_timestamp())"


@task(atomic=True)
def effect(number: int) -> None:
    """One row, in the transaction that marks the task's key as done."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO effect (number) VALUES (%s)", [number])


def main() -> None:
    """Run the management command of the arguments."""
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
