"""Credentials in URIs: where they are, and whether a URI has any. Pure."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

_AFTER_SCHEME = re.compile(r"://([^\s\"'<>]*)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*$")
_MAX_SCHEME_CHARACTERS = 20
_CONTAINER_SCHEMES = frozenset({"abfs", "abfss", "wasb", "wasbs"})
"""Of URIs in which `container@account` is no user info."""
_BUCKET_SCHEMES = frozenset({"s3", "s3a", "s3n", "gs", "oss", "cosn"})
"""Of URIs that name a bucket, which has neither user nor port."""
_USER_SCHEMES = frozenset({"hdfs", "viewfs"})
"""Of URIs in which a user alone is a name that everybody may know."""
_QUERY_NAME = (
    r"[\w.-]{0,60}?"
    r"(?:sig|signature|token|password|passwd|pwd|secret|credential|(?:api|access)[-_.]?key|key|auth|code)"
)
_QUERY_SECRET = re.compile(rf"([?&;]{_QUERY_NAME}=)([^&;#\s\"'<>]+)", re.IGNORECASE)


def find_uri_secrets(text: str) -> Iterator[str]:
    """The user info of URIs in the text, its password alone, and the values of secrets in queries."""
    for _, info in _find_user_infos(text):
        user, colon, password = info.partition(":")
        yield info
        yield password if colon else user
    yield from (found[2] for found in _QUERY_SECRET.finditer(text))


def mask_uri_credentials(text: str, mask: str) -> str:
    """The text with a mask for the user info of URIs, and for the values of secrets in their queries."""
    for whole, info in list(_find_user_infos(text)) if "://" in text else ():
        text = text.replace(whole, whole.replace(f"://{info}@", f"://{mask}@"))
    return _QUERY_SECRET.sub(rf"\g<1>{mask}", text) if "=" in text else text


def has_uri_credentials(uri: str) -> bool:
    """Whether a URI of a table, a folder or a file holds a user, a password, a key or a signature."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return _QUERY_SECRET.search(uri) is not None
    authority = rest.partition("/")[0]
    if scheme.lower() in _BUCKET_SCHEMES and ("@" in authority or ":" in authority):
        return True
    infos = [info for _, info in _find_user_infos(uri)]
    named = scheme.lower() in _USER_SCHEMES and all(":" not in info for info in infos)
    return bool(infos and not named) or _QUERY_SECRET.search(uri) is not None


def find_webhook_secrets(url: str) -> Iterator[str]:
    """What nobody may see of the URL of a webhook: all of it but the host."""
    yield url
    yield from find_uri_secrets(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    segments = [segment for segment in parts.path.split("/") if segment]
    yield parts.path
    yield from segments[-1:]
    yield from (segment for segment in segments if len(segment) >= 16)
    yield from (value for _, value in parse_qsl(parts.query))


def _find_user_infos(text: str) -> Iterator[tuple[str, str]]:
    """Each URI with user info, and its user info: up to the last @, as keys may hold / and @."""
    for found in _AFTER_SCHEME.finditer(text):  # it is quicker to look for the colon than for a scheme
        before = _SCHEME.search(text[max(0, found.start() - _MAX_SCHEME_CHARACTERS) : found.start()])
        scheme, rest = "" if before is None else before[0].lower(), found[1]
        authority = rest.partition("/")[0]
        info = rest.rpartition("@")[0] if ":" in authority else authority.rpartition("@")[0]
        if info and not (scheme in _CONTAINER_SCHEMES and ":" not in info):
            yield found[0], info
