"""PostgreSQL and Valkey started by ourselves: what they keep, what they refuse, what they leave behind."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis
from launch.errors import LaunchError
from launch.services import PREFIX, services

SANDBOX = Path(__file__).parents[2] / "sandbox"


@pytest.fixture(autouse=True)
def _nothing_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.delenv("REDIS_URL")


def test_the_data_of_a_named_folder_survives_a_restart(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with services(tmp_path) as environment:
        _write(environment, "kept")
    with services(tmp_path) as environment:
        assert _read(environment) == ("kept", b"kept")


def test_a_server_that_was_killed_starts_again_with_its_data(tmp_path: Path) -> None:
    with services(tmp_path) as environment:
        _write(environment, "kept")
        pid = int((tmp_path / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)
    assert (tmp_path / "postgres" / "postmaster.pid").exists()
    with services(tmp_path) as environment, psycopg.connect(environment["DATABASE_URL"]) as connection:
        assert connection.execute("select word from words").fetchone() == ("kept",)


def test_a_lock_file_whose_number_belongs_to_another_process_is_no_hindrance(tmp_path: Path) -> None:
    with services(tmp_path) as environment:
        _write(environment, "kept")
    lock = tmp_path / "postgres" / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{tmp_path / 'postgres'}\n")
    lock.chmod(0o644)
    with services(tmp_path) as environment:
        assert _read(environment) == ("kept", b"kept")


def test_without_a_folder_nothing_is_left() -> None:
    with services() as environment:
        with psycopg.connect(environment["DATABASE_URL"]) as connection:
            (folder,) = connection.execute("select setting from pg_settings where name = 'data_directory'").fetchone()
        assert Path(folder).is_dir()
    assert not Path(folder).parent.exists()


def test_servers_named_by_the_environment_are_used_and_none_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"DATABASE_URL": "postgresql://db.example/shop", "REDIS_URL": "redis://cache.example/0"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PG_BIN", "/nonexistent")
    with services() as environment:
        assert environment == given


@pytest.mark.parametrize(("option", "name"), [("postgres_port", "Postgres"), ("valkey_port", "Valkey")])
def test_a_taken_port_is_told_in_one_sentence(option: str, name: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(LaunchError) as caught, services(**{option: port}):
            pass
    assert str(caught.value) == f"Port {port} of 127.0.0.1 is taken, and {name} was to listen on it."


def test_a_wrapped_command_gets_the_servers_and_its_status_is_passed_on() -> None:
    code = "import os, sys; print(os.environ['DATABASE_URL'], os.environ['REDIS_URL']); sys.exit(7)"
    done = _wrap(sys.executable, "-c", code)
    assert done.returncode == 7
    assert done.stdout.startswith("postgresql://postgres@127.0.0.1:")


def test_a_command_that_does_not_exist_is_told_in_one_sentence() -> None:
    done = _wrap("no-such-command")
    assert (done.returncode, done.stderr) == (1, "There is no command no-such-command.\n")


def test_the_servers_die_with_a_parent_that_is_killed_and_its_files_go_with_the_next_start(tmp_path: Path) -> None:
    code = """
import os, signal, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    print(connection.execute("show unix_socket_directories").fetchone()[0], flush=True)
os.kill(os.getppid(), signal.SIGKILL)
"""
    done = _wrap(sys.executable, "-c", code, data=tmp_path)
    assert done.returncode == -signal.SIGKILL
    left = Path(done.stdout.strip())
    assert left.name.startswith(PREFIX)
    with services(tmp_path) as environment, psycopg.connect(environment["DATABASE_URL"]) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
        assert not left.exists()


def _wrap(*command: str, data: Path | None = None) -> subprocess.CompletedProcess[str]:
    options = ["--data", str(data)] if data else []
    return subprocess.run(
        [sys.executable, "-m", "launch.services", *options, "--", *command],
        cwd=SANDBOX,
        capture_output=True,
        text=True,
        check=False,
    )


def _write(environment: dict[str, str], word: str) -> None:
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        connection.execute("create table words (word text)")
        connection.execute("insert into words values (%s)", [word])
    with redis.Redis.from_url(environment["REDIS_URL"]) as client:
        client.set("word", word)


def _read(environment: dict[str, str]) -> tuple[str, bytes | None]:
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        row = connection.execute("select word from words").fetchone()
    assert row is not None
    with redis.Redis.from_url(environment["REDIS_URL"]) as client:
        return row[0], client.get("word")
