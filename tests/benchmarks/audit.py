"""What the audit log takes: recording from many threads, chaining, and walking the chain.

    python tests/benchmarks/audit.py [--entries 20000] [--threads 8]

PostgreSQL is durable (fsync on). Beside the figure for transactions with one business row and one entry stands that for
the same transactions without the entry, and for a chain that its writers extend themselves, holding its end until their
commit: what sealing afterwards avoids.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "sandbox"))

from launch.services import services


def set_up() -> None:
    """Configure Django around fashionistar_common alone."""
    import django
    from django.conf import settings
    from django.core.management import call_command

    url = urlsplit(os.environ["DATABASE_URL"])
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path[1:],
        "USER": url.username,
        "HOST": url.hostname,
        "PORT": str(url.port),
        "OPTIONS": {"pool": {"min_size": 1, "max_size": 40}},
    }
    apps = ["fashionistar_common", "django.contrib.contenttypes", "django.contrib.auth"]
    settings.configure(DATABASES={"default": database}, INSTALLED_APPS=apps, USE_TZ=True, SECRET_KEY="benchmark")
    django.setup()
    call_command("migrate", verbosity=0)


def rate(work: Callable[[int], None], *, count: int, threads: int) -> float:
    """Run the work this often from this many threads; how often a second."""
    began = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(count)))
    return count / (time.monotonic() - began)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=8)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fashionistar-bench-") as folder, services(Path(folder)) as environment:
        os.environ.update(environment)
        set_up()
        from django.db import connections, transaction
        from fashionistar_common import audit
        from fashionistar_common.models import AuditChain, IdempotencyRecord

        AuditChain.objects.get_or_create(pk=1)

        def sell(number: int, *, mode: str) -> None:
            try:
                with transaction.atomic():
                    row = IdempotencyRecord.objects.create(scope=mode, key=str(number), fingerprint="")
                    if mode != "nothing":
                        audit.record("benchmark.sold", row, changes={"status": ["placed", "paid"]})
                    if mode == "chained":
                        AuditChain.objects.select_for_update().get(pk=1)
            finally:
                connections.close_all()

        count = min(asked.entries, 4000)
        found = {
            mode: rate(lambda number, mode=mode: sell(number, mode=mode), count=count, threads=asked.threads)
            for mode in ("nothing", "entry", "chained")
        }
        print(f"transactions/s, {asked.threads} threads: {found['nothing']:.0f} without an entry")
        print(f"  with one: {found['entry']:.0f} ({found['entry'] / found['nothing']:.2f} of that)")
        print(f"  holding the end of the chain: {found['chained']:.0f} ({found['chained'] / found['nothing']:.2f})")
        with transaction.atomic():
            row = IdempotencyRecord.objects.first()
            for _ in range(asked.entries):
                audit.record("benchmark.sold", row, changes={"status": ["placed", "paid"]})
        began = time.monotonic()
        sealed = audit.seal()
        print(f"sealed: {sealed / (time.monotonic() - began):.0f} entries/s")
        began = time.monotonic()
        report = audit.verify()
        print(f"verified: {report.entries / (time.monotonic() - began):.0f} entries/s, {len(report.findings)} findings")
        connections.close_all()
        for connection in connections.all():
            connection.close_pool()
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
