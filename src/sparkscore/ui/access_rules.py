"""Who may read the web page: the token, the cookie that stands for it, and the names that a browser may ask for.

Pure: no I/O.
"""

import hmac
import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import quote

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::\d{1,5})?")
_BEARER = "Bearer "


@dataclass(frozen=True, slots=True)
class AccessRules:
    """What a request has to show."""

    hosts: frozenset[str]
    """Names that the Host header may have. A page of somebody else, whose name was made to lead here, has another."""
    allows_addresses: bool = False
    """Whether any IP address is as good: no name leads to them, so nobody else's page has one."""
    token: str | None = field(default=None, repr=False)
    """None: whoever reaches the server may read."""
    port: int = 0

    @property
    def cookie_name(self) -> str:
        """By port: servers of one host share their cookies."""
        return f"sparkscore_ui_{self.port}"

    @property
    def cookie(self) -> str:
        """The header of a sign-in."""
        return f"{self.cookie_name}={self._proof}; Path=/; HttpOnly; SameSite=Strict; Max-Age=604800"

    @property
    def login_path(self) -> str:
        """The address that signs a browser in."""
        return "/" if self.token is None else f"/login/{quote(self.token, safe='')}"

    @property
    def _proof(self) -> str:
        """What the cookie holds: the token cannot be found from it."""
        return hmac.new((self.token or "").encode(), b"sparkscore ui", sha256).hexdigest()

    def is_known_host(self, header: str) -> bool:
        """Whether a request with this Host header is meant for this server."""
        found = _HOST.fullmatch(header.strip())
        if found is None:
            return False
        name = found[1].strip("[]").lower().rstrip(".")
        return name in self.hosts or (self.allows_addresses and is_address(name))

    def is_token(self, given: str) -> bool:
        """Whether it is the token; takes as long whatever is given."""
        return self.token is not None and hmac.compare_digest(given.encode(), self.token.encode())

    def may_read(self, *, cookies: str, authorization: str) -> bool:
        """Whether a request with these headers may read."""
        if self.token is None:
            return True
        if authorization.startswith(_BEARER) and self.is_token(authorization.removeprefix(_BEARER).strip()):
            return True
        return any(hmac.compare_digest(one.encode(), self._proof.encode()) for one in self._list_proofs(cookies))

    def _list_proofs(self, cookies: str) -> list[str]:
        """What the cookies of this server hold. Those of other servers of the host, as broken as they are, hide none:
        `http.cookies` drops all that follow one that it cannot read."""
        parted = (one.strip().partition("=") for one in cookies.split(";"))
        return [value for name, _, value in parted if name == self.cookie_name]


def is_address(name: str) -> bool:
    """Whether it is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_own_machine(host: str) -> bool:
    """Whether only this machine reaches a server that is bound to it."""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)


def make_access_rules(
    host: str, port: int, *, token: str | None, own_names: Collection[str] = (), allowed: Collection[str] = ()
) -> AccessRules:
    """The rules of a server that is bound to a host: `own_names` are those of the machine, `allowed` further ones."""
    names = {host.lower(), *(one.lower() for one in allowed)}
    if is_own_machine(host):
        return AccessRules(frozenset(names | LOOPBACK_NAMES), token=token, port=port)
    named = names | LOOPBACK_NAMES | {one.lower() for one in own_names}
    return AccessRules(frozenset(named), allows_addresses=True, token=token, port=port)
