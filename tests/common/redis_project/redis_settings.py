"""The smallest project that runs tasks on Redis; where that is comes from the environment, as JSON."""

import json
import os

SECRET_KEY = "test-only-" + "0123456789abcdef" * 4
INSTALLED_APPS = ["fashionistar_common", "django.contrib.auth", "django.contrib.contenttypes"]
USE_TZ = True
FASHIONISTAR_COMMON = {"TASK_RETRY_BASE": 0.2}
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["REDIS_TASKS_DATABASE"]}}
TASKS = {
    "default": {
        "BACKEND": "fashionistar_common.tasks.redis.RedisBackend",
        "QUEUES": ["critical", "emails", "default"],
        "OPTIONS": json.loads(os.environ["REDIS_TASKS_OPTIONS"]),
    }
}
SILENCED_SYSTEM_CHECKS = ["fashionistar_common.W051"]  # it serves nothing over HTTP
