"""The pages in a real browser, which enforces the policy that we only send. Needs Chromium."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or ""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on this machine"),
]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/api/v1/docs", "/api/v1/catalog/products"),
        ("/api/v2/docs", "/api/v2/catalog/products"),
        ("/admin/", "Log in"),
    ],
)
def test_a_page_shows_what_it_should_and_the_browser_refuses_nothing(
    live_server: LiveServer, tmp_path: Path, path: str, shown: str
) -> None:
    page, console = _visit(f"{live_server.url}{path}", tmp_path)
    assert shown in page.replace("\u200b", "").replace("<wbr>", "")
    assert [line for line in console.splitlines() if "CONSOLE" in line] == []


def test_the_browser_s_console_would_tell(live_server: LiveServer, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        """<meta http-equiv="Content-Security-Policy" content="script-src 'none'"><script>alert(1)</script>"""
    )
    _, console = _visit((tmp_path / "page.html").as_uri(), tmp_path)
    assert "Content Security Policy" in console


def _visit(address: str, folder: Path) -> tuple[str, str]:
    """Return the page as it is after its scripts have run, and what the browser said meanwhile."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000"]
    options += ["--enable-logging=stderr", f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    done = subprocess.run([CHROMIUM, *options, address], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout, done.stderr
