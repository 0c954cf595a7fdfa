"""The smallest project that runs tasks on Redis; where that is comes from the environment, as JSON."""

import json
import os

SECRET_KEY = "test-only-" + "0123456789abcdef" * 4
INSTALLED_APPS = ["fashionistar_common"]
USE_TZ = True
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
TASKS = {
    "default": {
        "BACKEND": "fashionistar_common.tasks.redis.RedisBackend",
        "QUEUES": ["critical", "emails", "default"],
        "OPTIONS": json.loads(os.environ["REDIS_TASKS_OPTIONS"]),
    }
}
