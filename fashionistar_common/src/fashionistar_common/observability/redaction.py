"""What must not be written down: secrets, and what belongs to a person.

A value is removed for the name it goes by (`password`, `Set-Cookie`, `refresh_token`, `email`) or for what it looks
like (a bearer token, a card number, an e-mail address), wherever it stands in a text. Every pattern takes time linear
in the text, which may come from an attacker.
"""

import re
from collections.abc import Mapping
from typing import Any

REMOVED = "[redacted]"

#: A name is secret when one of its words is here: `X-Api-Key`, `new_password2`, `accessToken`.
SECRET_WORDS = frozenset(
    {
        "address", "apikey", "authorization", "card", "cookie", "cookies", "credential", "credentials", "csrftoken",
        "cvc", "cvv", "email", "iban", "ip", "otp", "pan", "passphrase", "passwd", "password", "passwords", "phone",
        "pin", "recipient", "secret", "secrets", "sessionid", "signature", "token", "tokens",
    }
)  # fmt: skip
#: Or when a word ends so: `csrfmiddlewaretoken`.
_SECRET_ENDS = ("password", "passwd", "passphrase", "secret", "token")
_SECRET_PAIRS = re.compile(r"(?:access|api|private|secret|signing)_key")
_WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")

_NAMES = r"(?:password|passwd|passphrase|secret|token|otp|pin|api[_-]?key|cvv|cvc|signature|sessionid|credential)"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A header takes the rest of its line with it.
    (re.compile(r"(?i)\b((?:set-)?cookie|authorization)(['\"]?\s{0,5}[:=]\s{0,5})[^\r\n]+"), rf"\1\2{REMOVED}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), rf"\1 {REMOVED}"),
    # From the beginning of a word only, and each word once: many beginnings in one long word would be looked at twice.
    (re.compile(r"(?<![\w-])([\w-]{0,40}?)\beyJ[\w-]{8,}+\.[\w-]+(?:\.[\w-]*)?"), rf"\1{REMOVED}"),
    (
        re.compile(
            rf"(?i)((?:\b|_|-|(?<=[a-z])){_NAMES}[\w-]{{0,40}}['\"]?\s{{0,5}}[:=]\s{{0,5}})"
            r"(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s,;&\"'})\]]+)"
        ),
        rf"\1{REMOVED}",
    ),
    (re.compile(r"(://[^/\s:@]{0,100}:)[^/\s@]{1,200}@"), rf"\1{REMOVED}@"),
    (re.compile(r"(\bhttps?://[^\s?#\"'<>]{1,500}\?)[^\s\"'<>]+"), rf"\1{REMOVED}"),
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"), "[e-mail]"),
    (re.compile(r"(?<!\w)\+\d[\d ()-]{6,16}\d(?!\w)"), "[phone]"),
)
_CARD = re.compile(r"(?<!\w)\d(?:[ -]?\d){12,18}(?!\w)")


def is_secret(name: str) -> bool:
    """Whether what goes by this name is removed."""
    words = [word.lower().rstrip("0123456789") for word in _WORD_STARTS.split(name) if word]
    if not SECRET_WORDS.isdisjoint(words) or _SECRET_PAIRS.search("_".join(words)):
        return True
    return any(word.endswith(_SECRET_ENDS) for word in words)


def redact_text(text: str) -> str:
    """The text without secrets and personal data."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return _CARD.sub(_without_card, text)


def _without_card(match: re.Match[str]) -> str:
    digits = [int(character) for character in match[0] if character.isdigit()]
    doubled = (2 * digit - 9 * (digit > 4) for digit in digits[-2::-2])
    return "[card]" if (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 else match[0]  # Luhn's check digit


def redact(value: Any, *, depth: int = 5, longest: int = 20_000) -> Any:
    """The value as plain JSON without secrets and personal data.

    Whatever is no JSON is told by its `str()`. What lies deeper than `depth` is left out, so that a value that contains
    itself ends; a text is cut after `longest` characters.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if abs(value) != float("inf") and value == value else str(value)
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        if depth == 0:
            return "..."
        if isinstance(value, Mapping):
            return {
                str(key): REMOVED if is_secret(str(key)) else redact(item, depth=depth - 1, longest=longest)
                for key, item in value.items()
            }
        return [redact(item, depth=depth - 1, longest=longest) for item in value]
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception:  # noqa: BLE001 - a log line is no place to fail
        text = f"<{type(value).__name__}>"
    return redact_text(text[:longest])
