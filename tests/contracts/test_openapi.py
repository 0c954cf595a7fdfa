"""The two OpenAPI documents: as exported, alike in what they offer, and without anything a generator had to guess."""

import json
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from config.management.commands.export_openapi import documents
from django.core.management import call_command

ROOT = Path(__file__).resolve().parents[2]
METHODS = {"get", "post", "put", "patch", "delete"}
# (method, path) that one version alone offers, each with the reason.
ONLY_IN_V1: dict[tuple[str, str], str] = {}
ONLY_IN_V2: dict[tuple[str, str], str] = {}
# What writes the documents. Another version of one may write them a little differently.
GENERATORS = ("django-filter", "django-ninja", "djangorestframework", "drf-spectacular", "pydantic")


@pytest.fixture(scope="module")
def served() -> dict[str, Any]:
    return {name: json.loads(text) for name, text in documents().items()}


def operations(document: dict[str, Any], name: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method, path.removeprefix(f"/api/{name}")): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


@pytest.mark.parametrize("name", ["v1", "v2"])
def test_the_exported_document_is_the_served_one(name: str, served: dict[str, Any]) -> None:
    locked = {package["name"]: package.get("version") for package in tomllib.loads(text_of("uv.lock"))["package"]}
    for generator in GENERATORS:
        if version(generator) != locked[generator]:
            pytest.skip(f"{generator} {version(generator)} is installed, not {locked[generator]} as in uv.lock")
    exported = json.loads(text_of(f"docs/api/{name}.json"))
    assert exported == served[name], "Look at the difference, then run: python sandbox/manage.py export_openapi"


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_both_versions_offer_the_same_operations(served: dict[str, Any]) -> None:
    first, second = (operations(served[name], name) for name in ("v1", "v2"))
    assert first
    assert set(first) - set(second) == set(ONLY_IN_V1)
    assert set(second) - set(first) == set(ONLY_IN_V2)


def test_an_operation_has_one_name_one_success_and_one_set_of_parameters(served: dict[str, Any]) -> None:
    first, second = (operations(served[name], name) for name in ("v1", "v2"))
    for place in first.keys() & second.keys():
        one, other = first[place], second[place]
        assert one["operationId"] == other["operationId"], place
        assert successes(one) == successes(other), place
        assert parameters(one) == parameters(other), place
        assert bool(one.get("security")) == bool(other.get("security")), place
        assert one["description"] == other["description"], place


def successes(operation: dict[str, Any]) -> set[str]:
    return {status for status in operation["responses"] if status < "300"}


def parameters(operation: dict[str, Any]) -> set[tuple[str, str]]:
    return {(parameter["in"], parameter["name"]) for parameter in operation.get("parameters", ())}


def test_nothing_in_the_v1_document_is_guessed(tmp_path: Path) -> None:
    call_command("spectacular", file=str(tmp_path / "v1.yaml"), validate=True, fail_on_warn=True)
