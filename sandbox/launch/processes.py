"""Starting, watching and stopping child processes.

A child never outlives its parent unnoticed: on Linux the kernel signals it when the parent dies, even by
``kill -9``. Every child leads its own process group, so that a Ctrl-C in the terminal reaches the parent
alone, which then stops its children in order.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>


def start(
    command: Sequence[str | Path],
    *,
    death_signal: signal.Signals,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    user: Mapping[str, Any] | None = None,
    folder: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in its own process group.

    Call it from the main thread: the kernel sends ``death_signal`` when the *thread* that called this ends.

    Args:
        command: The program and its arguments.
        death_signal: What the child receives when this process dies (Linux only).
        environment: The child's environment; this process's by default.
        log: A file for both output streams, written from its start; inherited streams by default.
        user: ``user``, ``group`` and ``extra_groups`` for :class:`subprocess.Popen`.
        folder: The working directory.
    """
    prepare = None
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        parent = os.getpid()

        def prepare() -> None:
            prctl(SET_PARENT_DEATH_SIGNAL, int(death_signal))
            if os.getppid() != parent:  # it died between fork and prctl
                os.kill(os.getpid(), death_signal)

    output = log.open("wb") if log else None
    try:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            env=environment,
            cwd=folder,
            process_group=0,
            preexec_fn=prepare,  # noqa: PLW1509 - one prctl call, from the main thread
            **(user or {}),
        )
    finally:
        if output:
            output.close()


def stop(process: subprocess.Popen[bytes], number: signal.Signals, *, patience: float) -> None:
    """Ask the process to end with a signal, wait for ``patience`` seconds, then kill its whole group."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    # What the leader left behind, e.g. the workers of a server that was killed.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
