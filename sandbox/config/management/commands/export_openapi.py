"""``manage.py export_openapi``: both APIs' documents as files."""

import json
from argparse import ArgumentParser
from http import HTTPStatus
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand
from django.core.serializers.json import DjangoJSONEncoder
from drf_spectacular.generators import SchemaGenerator

from config.api import api

DOCUMENTS = Path(__file__).resolve().parents[4] / "docs" / "api"


def documents() -> dict[str, str]:
    """Return the OpenAPI documents of v1 and v2 as JSON text. No database is needed."""
    found = {
        "v1": SchemaGenerator().get_schema(public=True),  # type: ignore[no-untyped-call]
        "v2": api.get_openapi_schema(),
    }
    texts = {
        version: json.dumps(document, cls=DjangoJSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        for version, document in found.items()
    }
    # Python 3.12 calls this status by its former name.
    return {version: text.replace(HTTPStatus(422).phrase, "Unprocessable Content") for version, text in texts.items()}


class Command(BaseCommand):
    """Write docs/api/v1.json and docs/api/v2.json."""

    help = "Write the OpenAPI documents of v1 and v2."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the folder."""
        parser.add_argument("folder", nargs="?", type=Path, default=DOCUMENTS, help="where to; docs/api")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write both."""
        folder: Path = options["folder"]
        for version, text in documents().items():
            (folder / f"{version}.json").write_text(text, encoding="utf-8")
