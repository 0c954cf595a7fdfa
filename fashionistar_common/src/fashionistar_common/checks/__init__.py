"""System checks: the two that every app's settings share, and those of this app, a module for each subject."""

from typing import Any, get_type_hints

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string
from pydantic import TypeAdapter, ValidationError

from ..conf import AppSettings, conf
from . import data, events, guards, middleware, notifications, numbers, observability, outgoing, tasks

__all__ = [
    "check_app_settings",
    "check_common",
    "data",
    "events",
    "guards",
    "middleware",
    "notifications",
    "numbers",
    "observability",
    "outgoing",
    "tasks",
]


def check_app_settings(app_settings: AppSettings, *, prefix: str) -> list[CheckMessage]:
    """Check one settings dict against its class: E001 for an unknown key, E002 for a value of the wrong type."""
    name, values = app_settings.setting, getattr(settings, app_settings.setting, None) or {}
    if not isinstance(values, dict):
        return [Error(f"{name} must be a dict.", id=f"{prefix}.E002")]
    hints = {key: hint for key, hint in get_type_hints(type(app_settings)).items() if key.isupper()}
    messages: list[CheckMessage] = [
        Error(
            f"{name}[{key!r}] is not a setting.",
            hint=f"Known: {', '.join(sorted(hints))}.",
            id=f"{prefix}.E001",
        )
        for key in values
        if key not in hints
    ]
    for key in values.keys() & hints.keys():
        try:
            TypeAdapter(hints[key]).validate_python(values[key], strict=True)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            messages.append(Error(f"{name}[{key!r}]: {reason}.", id=f"{prefix}.E002"))
    return messages


@register()
def check_common(**kwargs: Any) -> list[CheckMessage]:
    """E003: AUTHENTICATOR cannot be imported."""
    messages = check_app_settings(conf, prefix="fashionistar_common")
    if conf.AUTHENTICATOR:
        try:
            import_string(conf.AUTHENTICATOR)
        except ImportError as error:
            messages.append(Error(f"FASHIONISTAR_COMMON['AUTHENTICATOR']: {error}", id="fashionistar_common.E003"))
    return messages
