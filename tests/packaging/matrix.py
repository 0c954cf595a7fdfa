"""Find the interpreters, then run the suite on the built wheels for every Python and Django that we promise.

    python tests/packaging/matrix.py                 the six combinations
    python tests/packaging/matrix.py --corners       the oldest and the newest
    python tests/packaging/matrix.py --present ...   leave out, aloud, what this machine has no Python for

An interpreter is taken from PYTHON312, PYTHON313 or PYTHON314, else from PATH, else from pyenv, else from uv's own.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from wheels import uv

ROOT = Path(__file__).resolve().parents[2]
PYTHONS = ("3.12", "3.13", "3.14")
DJANGOS = ("60", "61")


def candidates(version: str) -> Iterator[Path]:
    """Where an interpreter of this version may lie, the best place first."""
    if named := os.environ.get(f"PYTHON{version.replace('.', '')}"):
        yield Path(named)
    for folder in os.get_exec_path():
        yield Path(folder) / f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for folder in sorted(pyenv.glob(f"versions/{version}.*"), reverse=True):
        yield folder / "bin" / f"python{version}"
    managed = subprocess.run(
        [uv(), "python", "find", "--managed-python", "--no-python-downloads", version],
        capture_output=True,
        text=True,
        check=False,
    )
    if managed.returncode == 0:
        yield Path(managed.stdout.strip())


def find(version: str) -> Path | None:
    """The first candidate that runs and is what it says; a pyenv shim without its version does not."""
    program = "import sys; print('%d.%d' % sys.version_info[:2], sys.implementation.name, sys.executable)"
    for candidate in candidates(version):
        if not candidate.is_file():
            continue
        done = subprocess.run([candidate, "-c", program], capture_output=True, text=True, check=False)
        answer = done.stdout.split()
        if done.returncode == 0 and answer[:2] == [version, "cpython"]:
            return Path(answer[2])
    return None


def main() -> int:
    """Run tox; 0 when every wanted combination passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corners", action="store_true", help="only the oldest and the newest combination")
    parser.add_argument("--present", action="store_true", help="a missing interpreter is not a failure")
    parser.add_argument("--parallel", default="2", metavar="N", help="combinations at once (2)")
    parser.add_argument("posargs", nargs="*", help="arguments for pytest, after --")
    options = parser.parse_args()

    wanted = [(python, django) for python in PYTHONS for django in DJANGOS]
    if options.corners:
        wanted = [wanted[0], wanted[-1]]
    found = {python: find(python) for python in PYTHONS}
    for python, path in found.items():
        print(f"CPython {python}: {path or 'not on this machine'}")
    missing = [f"py{p.replace('.', '')}-django{d}" for p, d in wanted if not found[p]]
    envs = [f"py{p.replace('.', '')}-django{d}" for p, d in wanted if found[p]]
    if missing:
        print(f"Not run: {', '.join(missing)}. Install that CPython, or name it: PYTHON314=/path/to/python3.14")
        if not options.present:
            return 1

    folders = [str(path.parent) for path in found.values() if path]
    environment = os.environ | {
        "PATH": os.pathsep.join([*folders, *os.get_exec_path()]),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    tox = shutil.which("tox", path=str(Path(sys.executable).parent)) or "tox"
    command = [tox, "run-parallel", "--parallel", options.parallel, "--parallel-no-spinner"]
    command += ["-e", ",".join(["wheels", *envs])]
    began = time.monotonic()
    status = subprocess.run([*command, "--", *options.posargs], cwd=ROOT, env=environment, check=False).returncode
    verdict = "passed" if status == 0 else "FAILED"
    print(f"matrix: {len(envs)} of {len(wanted)} combinations, {verdict} in {time.monotonic() - began:.0f} s")
    return status


if __name__ == "__main__":
    sys.exit(main())
