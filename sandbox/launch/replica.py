"""A streaming standby of a running PostgreSQL server, on 127.0.0.1."""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from launch import processes
from launch.errors import LaunchError
from launch.postgres import START_SECONDS, Postgres, last_lines


class Replica(Postgres):
    """A server that follows another one and answers reads once :meth:`wait` has returned.

    Args:
        folder: A folder for its data, its log and its socket.
        primary_url: The server to follow, whose user may replicate; one of this machine and this version.
    """

    def __init__(self, folder: Path, primary_url: str) -> None:
        self.primary = urlsplit(primary_url)
        super().__init__(folder, folder / "data", port=processes.free_port(), durable=False)

    @property
    def environment(self) -> Mapping[str, str]:
        """The variable that names this server."""
        user = self.primary.netloc.rpartition("@")[0] or "postgres"
        return {"DATABASE_REPLICA_URL": f"postgresql://{user}@127.0.0.1:{self.port}{self.primary.path}"}

    def wait(self) -> None:
        """Return when it answers."""
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise LaunchError(f"The replica did not start; its log says: {last_lines(self.log)}")
            time.sleep(0.01)

    def _create_data(self) -> None:
        self.data.mkdir(parents=True, mode=0o700)
        if self.user:
            os.chown(self.data, self.user["user"], self.user["group"])
        source = f"postgresql://{self.primary.netloc}/postgres"
        command: list[str | Path] = [self.programs / "pg_basebackup", "-d", source, "-D", self.data]
        command += ["--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream", "--no-sync", "--no-password"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **self.user)
        if done.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            raise LaunchError(f"The server cannot be copied: {done.stderr.strip()}")
