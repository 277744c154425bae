"""The secrets that this process knows: it masks their values, in each form in which a text may hold them.

Whoever reads a secret registers it. The environment of the process is read at the first question, so that Python
workers and model processes know what theirs holds without being told.
"""

import base64
import html
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus, unquote

from sparkscore.redaction.uri_credentials import find_uri_secrets, find_webhook_secrets

MASK = "***"
_MIN_CHARACTERS = 8
LEAST_SECRET_CHARACTERS = 6
"""Of a value with letters and other signs: shorter ones are words and numbers that stand in any text."""
_ANYWHERE_CHARACTERS = 16
"""From this length on a value is masked inside of words, too: shorter ones may be part of a digest."""
_CAMEL_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SECRET_NAME = re.compile(
    r"(^|[._-])(password|passwd|pwd|passphrase|secrets?|tokens?|credentials?|(api|access|account|secret|private|shared"
    r"|signing|encryption)[._-]?key|sas|sig|signature|webhook|authorization|connection[._-]?string|dsn)([._-]|$)",
    re.IGNORECASE,
)
_NO_SECRET_NAME = re.compile(
    r"(^|[._-])(file|files|path|dir|directory|provider|providers|class|type|enabled|endpoint|ttl|expiration|interval"
    r"|timeout|regex|pattern|renewer|version|ini|(prompt|completion|max|total)_tokens|tokens_per_minute)$",
    re.IGNORECASE,
)
_PATH_VALUE = re.compile(r"(\.{0,2}|~)/\S*\.\w{1,5}|(\.{0,2}/[a-z][a-z0-9._-]*)+|(file|jceks):\S+|[a-z]+(\.\w+){3,}")
"""Files, and names of Java classes, that stand where a secret may stand."""


@dataclass(slots=True)
class _KnownSecrets:
    values: set[str] = field(default_factory=set)
    forms: dict[str, bool] = field(default_factory=dict)
    """Of all values, the longest first; whether the form is masked inside of words, too."""
    has_environment: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)


_KNOWN = _KnownSecrets()


def register_secret(value: str | None) -> None:
    """Mask this value from now on. Too short ones are left alone: they stand in texts that hold no secret."""
    text = (value or "").strip()
    lines = [line.strip() for line in text.splitlines() if len(line.strip()) >= _ANYWHERE_CHARACTERS]
    added = {one for one in (text, unquote(text), *lines) if _is_maskable(one)}
    with _KNOWN.lock:
        if not added <= _KNOWN.values:
            _KNOWN.values |= added
            forms = {form: anywhere for one in _KNOWN.values for form, anywhere in _forms_of(one)}
            _KNOWN.forms = dict(sorted(forms.items(), key=lambda form: len(form[0]), reverse=True))


def register_uri_secrets(text: str | None) -> None:
    """Mask the user info of URIs in this text, and secrets in their queries, from now on."""
    for value in find_uri_secrets(text or ""):
        register_secret(value)


def register_webhook(url: str) -> None:
    """Mask the URL of a webhook from now on: nobody may see more than its host."""
    for value in find_webhook_secrets(url):
        register_secret(value)


def register_named_secrets(values: Mapping[str, object]) -> None:
    """Mask what is secret among named values: by the name, or as a part of a URI."""
    for name, value in values.items():
        if isinstance(value, str):
            if is_secret_name(name) and not _PATH_VALUE.fullmatch(value):
                register_secret(value)
            register_uri_secrets(value)


def register_environment_secrets() -> None:
    """Mask what is secret in the environment of this process, as it is now."""
    register_named_secrets(os.environ)
    _KNOWN.has_environment = True


def is_secret_name(name: str) -> bool:
    """Whether a setting, variable or field of this name holds a secret."""
    words = _CAMEL_CASE.sub("_", name)
    return _SECRET_NAME.search(words) is not None and _NO_SECRET_NAME.search(words) is None


def mask_known_secrets(text: str) -> str:
    """The text with `***` for each known secret, in any of its forms."""
    if not _KNOWN.has_environment:
        register_environment_secrets()
    for form, anywhere in _KNOWN.forms.items():
        if form in text:
            text = text.replace(form, MASK) if anywhere else _word_pattern(form).sub(MASK, text)
    return text


def _is_maskable(value: str) -> bool:
    mixed = not value.isalpha() and not value.isdecimal()
    return len(value) >= (LEAST_SECRET_CHARACTERS if mixed else _MIN_CHARACTERS)


def _word_pattern(form: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9]){re.escape(form)}(?![A-Za-z0-9])")


def _forms_of(value: str) -> Iterator[tuple[str, bool]]:
    """How texts write a value: as it is, in URLs, in JSON once and twice, by Python, in HTML, and in base64."""
    escaped = (_json_escape(value), _json_escape(value, ascii_only=False))
    written = {
        value,
        *(quote(value, safe=safe) for safe in ("", "/")),
        quote_plus(value),
        *escaped,
        *map(_json_escape, escaped),
        repr(value)[1:-1],
        html.escape(value),
        html.escape(value, quote=False),
    }
    yield from ((form, len(value) >= _ANYWHERE_CHARACTERS) for form in written)
    if len(value) >= _MIN_CHARACTERS:
        yield from ((form, True) for form in _base64_forms(value.encode("utf-8", "surrogatepass")))


def _json_escape(value: str, *, ascii_only: bool = True) -> str:
    return json.dumps(value, ensure_ascii=ascii_only)[1:-1]


def _base64_forms(value: bytes) -> Iterator[str]:
    """What base64 makes of the value wherever it begins in what is encoded, as in `user:password` of Basic auth."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + value).decode()
        form = encoded[-(-before * 8 // 6) : (before + len(value)) * 8 // 6]
        yield form
        yield form.replace("+", "-").replace("/", "_")
