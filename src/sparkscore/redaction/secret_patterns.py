"""Texts without secrets: known values first, then what looks like a secret. The second net is for what nobody knew."""

import re
from collections.abc import Sequence
from typing import Any

from sparkscore.redaction.known_secrets import LEAST_SECRET_CHARACTERS, MASK, mask_known_secrets
from sparkscore.redaction.uri_credentials import mask_uri_credentials

_ASSIGNED_NAME = (
    r"(?:password|passwd|passphrase|\bpwd|secret|token|credential"
    r"|(?:api|access|account|private|shared|signing|encryption)[-_.]?key)"
)
_QUOTED = r"(?P<quote>\\*[\"'])(?:(?!(?P=quote)).)*(?P=quote)"
"""A quoted value, with what is before its quotes where JSON holds JSON."""
_ASSIGNED_SECRET = re.compile(
    rf"(?i)(?P<name>{_ASSIGNED_NAME}[\w.-]{{0,80}}(?:\\*[\"'])?\s{{0,8}}(?:=>|[=:])\s{{0,8}})"
    rf"(?:{_QUOTED}|(?P<open>\\*[\"']).*|[^\s\"'].*?(?=[\s\"']|$))",
    re.MULTILINE,
)
_COUNT_BEFORE = re.compile(r"(?i)(?:prompt|completion|max|total)_$")
_COUNT_NAME = re.compile(r"(?i)tokens(?:_per_minute)?\\*[\"']?\s*[=:]")
"""Of numbers of tokens, as language models count them."""
_ASSIGNED_WORDS = ("passw", "passphrase", "pwd", "secret", "token", "credential", "key")
_SHAPES: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    # Authorization: Bearer …, "Authorization": "Basic …"
    (
        ("authorization",),
        re.compile(r"(?i)(authorization\\*[\"']?\s*[:=]\s*(?:\\*[\"'])?(?:[a-z]+\s+)?)[^\s\"',;\\]+"),
        rf"\g<1>{MASK}",
    ),
    (("bearer",), re.compile(r"(?i)(\bbearer\s+)[\w.~+/=-]{8,}"), rf"\g<1>{MASK}"),
    # URLs that are secrets themselves
    (
        ("hook",),
        re.compile(
            r"(?i)(https?://(?:hooks\.[\w.-]{1,60}|discord(?:app)?\.com/api/webhooks|[\w.-]{0,60}webhook[\w.-]{0,60})/)"
            r"[^\s\"'<>]+"
        ),
        rf"\g<1>{MASK}",
    ),
    (
        ("hook",),
        re.compile(r"(?i)(webhook[\w.-]{0,40}\\*[\"']?\s*[=:]\s*\\*[\"']?)https?:[^\s\"']+"),
        rf"\g<1>{MASK}",
    ),
    # a signature of Azure, also without the rest of its URL; the long word is a param of log_model, too
    (
        ("sig=", "signature=", "sas="),
        re.compile(r"(?i)(\b(?:sig|sas)=|[?&](?:x-amz-)?signature=)[^\s&\"']+"),
        rf"\g<1>{MASK}",
    ),
    # tokens by their first letters: AWS, GitHub, Slack, Databricks, Google, JSON web tokens
    (("akia", "asia"), re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), MASK),
    (
        ("gh", "xox", "dapi"),
        re.compile(r"\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|xox[a-z]-[\w-]{10,}|dapi[0-9a-f]{32}(?:-\d)?)"),
        MASK,
    ),
    (("ya29.",), re.compile(r"\bya29\.[\w-]{10,}(?:\.[\w-]+)*"), MASK),
    (("eyj",), re.compile(r"\beyJ[\w-]{8,2000}\.[\w-]{8,4000}\.[\w-]*"), MASK),
)
"""Words, one of which is in each text of the shape (to look for words is quicker), the shape, what replaces it."""
_SHAPE_WORD = re.compile("|".join(re.escape(word) for words, _, _ in _SHAPES for word in words))


def redact_secrets(text: str) -> str:
    """The text with `***` for known secrets, for credentials in URIs, and for what looks like a secret.

    For texts that people read: the patterns may end a quotation. Structured text is made of redacted values
    (`redact_values`), or takes `mask_secrets`.
    """
    masked = mask_secrets(text)
    return _ASSIGNED_SECRET.sub(_mask_assigned, masked) if _has_word(masked.lower(), _ASSIGNED_WORDS) else masked


def mask_secrets(text: str) -> str:
    """The text with `***` for known secrets, credentials in URIs and tokens. HTML and JSON stay what they are."""
    if len(text) < LEAST_SECRET_CHARACTERS:
        return text
    text = mask_uri_credentials(mask_known_secrets(text), MASK)
    lower = text.lower()
    if _SHAPE_WORD.search(lower) is None:
        return text
    for words, shape, replacement in _SHAPES:
        if _has_word(lower, words):
            text = shape.sub(replacement, text)
    return text


def shorten_redacted(text: str, limit: int) -> str:
    """The first characters of the text without secrets: a secret that is cut first is not found any more."""
    return redact_secrets(text)[:limit]


def redact_values(value: Any) -> Any:
    """A JSON value whose texts hold no secret. Names stay, but for known secrets."""
    if isinstance(value, str):
        return redact_secrets(value)
    if isinstance(value, dict):
        return {mask_known_secrets(str(name)): redact_values(one) for name, one in value.items()}
    return [redact_values(one) for one in value] if isinstance(value, list | tuple) else value


def _has_word(text: str, words: Sequence[str]) -> bool:
    return any(word in text for word in words)


def _mask_assigned(found: re.Match[str]) -> str:
    if _is_count(found):
        return found[0]
    quote = found["quote"] or found["open"] or ""
    return f"{found['name']}{quote}{MASK}{found['quote'] or ''}"


def _is_count(found: re.Match[str]) -> bool:
    """Whether it is a number of tokens, or the type of one, and no token."""
    start = found.start("name")
    before = found.string[max(0, start - len("completion_")) : start]
    name = found["name"]
    is_named = _COUNT_BEFORE.search(before) is not None or name.lower().startswith("tokens_per_minute")
    return is_named and _COUNT_NAME.match(name) is not None
