"""The production settings: complete they pass Django's own inspection, incomplete they refuse to start."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fashionistar_common.observability.logs import CONTEXT

SANDBOX = Path(__file__).parents[2] / "sandbox"

COMPLETE = {
    "DJANGO_SETTINGS_MODULE": "config.settings.production",
    "SECRET_KEY": "only-for-this-test-0123456789-abcdefghijklmnopqrstuvwxyz",
    "ALLOWED_HOSTS": "shop.example",
    "DATABASE_URL": "postgresql://user:secret@127.0.0.1:1/shop?sslmode=require",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "DUMMY_PROVIDER_SECRET": "only-for-this-test-0123456789",
}


def test_the_deployment_check_finds_nothing() -> None:
    done = _manage(COMPLETE, "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_replicas_are_databases_that_reads_may_use() -> None:
    replicas = {"DATABASE_REPLICA_URLS": "postgresql://user@127.0.0.1:2/shop,postgresql://user@127.0.0.1:3/shop"}
    done = _manage(COMPLETE | replicas, "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr
    question = "from django.conf import settings; print(*settings.DATABASES, *settings.FASHIONISTAR_COMMON['REPLICAS'])"
    done = _manage(COMPLETE | replicas, "shell", "--no-imports", "--command", question)
    assert done.stdout.split() == ["default", "replica1", "replica2", "replica1", "replica2"]


@pytest.mark.parametrize("name", ["SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL"])
def test_a_missing_secret_is_told_in_one_sentence(name: str) -> None:
    done = _manage({key: value for key, value in COMPLETE.items() if key != name}, "check")
    assert done.returncode == 1
    assert done.stderr.startswith(f"The settings are not complete. Set the environment variable {name}: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"DATABASE_URL": "mysql://user:secret@db/shop"}, "DATABASE_URL must be postgresql://"),
        ({"EMAIL_PORT": "many"}, "The environment variable EMAIL_PORT must be a whole number, not 'many'."),
        ({"EMAIL_USE_TLS": "perhaps"}, "The environment variable EMAIL_USE_TLS must be 1 or 0, not 'perhaps'."),
    ],
)
def test_a_wrong_value_is_told_in_one_sentence_that_repeats_no_password(change: dict[str, str], sentence: str) -> None:
    done = _manage(COMPLETE | change, "check")
    assert done.returncode == 1
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert "secret@" not in done.stderr


def test_the_database_url_becomes_django_s_settings() -> None:
    code = "from django.conf import settings; import json; print(json.dumps(settings.DATABASES['default']))"
    done = _manage(
        COMPLETE | {"DATABASE_URL": "postgres://us%40er:p%2Fw@db:6432/shop?sslmode=require"},
        "shell",
        "-v",
        "0",
        "-c",
        code,
    )
    database = json.loads(done.stdout)
    expected = {"NAME": "shop", "USER": "us@er", "PASSWORD": "p/w", "HOST": "db", "PORT": "6432", "CONN_MAX_AGE": 0}
    assert {key: database[key] for key in expected} == expected
    assert database["OPTIONS"]["sslmode"] == "require"
    assert database["OPTIONS"]["pool"]["max_size"] == 20


@pytest.mark.parametrize(
    ("change", "options"),
    [
        ({}, None),
        ({"TASKS_REDIS_URL": "rediss://10.0.0.1:6380/1"}, {"URL": "rediss://10.0.0.1:6380/1", "WAIT_REPLICAS": 0}),
        (
            {
                "TASKS_REDIS_SENTINELS": "10.0.0.1:26379, 10.0.0.2:26379",
                "TASKS_REDIS_SERVICE": "shop",
                "TASKS_REDIS_PASSWORD": "secret",
                "TASKS_REDIS_TLS": "1",
                "TASKS_REDIS_REPLICAS": "1",
            },
            {
                "SENTINELS": ["10.0.0.1:26379", "10.0.0.2:26379"],
                "SERVICE": "shop",
                "CLIENT": {"ssl": True, "password": "secret"},
                "SENTINEL_CLIENT": {"ssl": True},
                "WAIT_REPLICAS": 1,
            },
        ),
        (
            {"TASKS_REDIS_CLUSTER": "10.0.0.1:6379", "TASKS_REDIS_REPLICAS": "1"},
            {"CLUSTER": ["10.0.0.1:6379"], "WAIT_REPLICAS": 1},
        ),
    ],
)
def test_tasks_go_where_the_environment_says(change: dict[str, str], options: dict[str, object] | None) -> None:
    assert _manage(COMPLETE | change, "check", "--deploy", "--fail-level", "WARNING").returncode == 0
    code = "from django.conf import settings; import json; print(json.dumps(settings.TASKS['default']))"
    found = json.loads(_manage(COMPLETE | change, "shell", "-v", "0", "-c", code).stdout)
    assert found.get("OPTIONS") == options
    assert sorted(found["QUEUES"]) == ["analytics", "critical", "default", "emails"]


def test_two_kinds_of_servers_for_tasks_are_an_error() -> None:
    both = {"TASKS_REDIS_URL": "redis://10.0.0.1/0", "TASKS_REDIS_CLUSTER": "10.0.0.1:6379"}
    done = _manage(COMPLETE | both, "check")
    assert done.returncode == 1
    assert "fashionistar_common.E032" in done.stderr


def test_a_line_of_the_log_is_json_with_its_request() -> None:
    code = (
        "import logging; from fashionistar_common.context import request_id; request_id.set('r-1');"
        "logging.getLogger('shop').info('sold %s', 3, extra={'sku': 'A-1'})"
    )
    done = _manage(COMPLETE, "shell", "-v", "0", "-c", code)
    line = json.loads(done.stderr)
    assert line.pop("time")
    said = {"level": "INFO", "logger": "shop", "message": "sold 3", "request_id": "r-1", "sku": "A-1"}
    assert line == dict.fromkeys(CONTEXT) | said


def _manage(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SANDBOX / "manage.py", *command],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )
