"""The web page as an ASGI application: addresses, who may ask, headers, and pages for what goes wrong."""

from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import structlog

from sparkscore.errors import SparkNeeded
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.ui.access_rules import AccessRules
from sparkscore.ui.served_jobs import JobShelf
from sparkscore.ui.table_reading import TableUnreadable
from sparkscore.ui.web_page import PageQuery, WebPage, WrongRequest, render_web_page
from sparkscore.ui.web_site import SITE_PAGES, PageBuilder, WebSite

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

log = structlog.get_logger("sparkscore")

Scope = MutableMapping[str, Any]
Asgi = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]
STATIC_FILES = {"web_page.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; sandbox allow-same-origin"
)
"""Of a report, which holds its style, and which anybody may have written who can write to the home. Of an origin of its
own, its links would come without the cookie of the sign-in: nothing else is allowed to it."""
SAFE_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


def create_app(shelf: JobShelf, rules: AccessRules, *, reads_ahead: bool = False) -> Asgi:
    """The application. Reads; never writes. `reads_ahead`: the runs of all jobs are read before it answers."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    site = WebSite(shelf)
    if reads_ahead:
        site.read_ahead()
    routes = [Route(path, _answer_page(site, build)) for path, build in SITE_PAGES.items()]
    routes += [
        Route("/jobs/{job}/reports/{file}", lambda request: _answer_report(site, request)),
        Route("/login/{token:path}", lambda request: _answer_login(rules, request)),
        Route("/static/{file}", _answer_static),
    ]
    return _guard(Starlette(routes=routes, exception_handlers={404: _answer_unknown}), rules)


def _guard(app: Asgi, rules: AccessRules) -> Asgi:
    """The application behind its rules; every answer has the safe headers."""

    async def answer(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await app(scope, receive, send)
            return
        refusal = _find_refusal(scope, rules)
        inner = app if refusal is None else refusal

        async def send_safely(message: Any) -> None:
            if message["type"] == "http.response.start":
                known = {name.lower() for name, _ in message["headers"]}
                own = {"content-security-policy": PAGE_POLICY, "cache-control": "no-store", **SAFE_HEADERS}
                more = [(name.encode(), value.encode()) for name, value in own.items() if name.encode() not in known]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        await inner(scope, receive, send_safely)

    return answer


def _find_refusal(scope: Scope, rules: AccessRules) -> Any:
    """What answers a request that may not read; None for one that may."""
    given = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
    headers = dict(given)
    hosts = [value for name, value in given if name == "host"]
    if len(hosts) != 1 or not rules.is_known_host(hosts[0]):
        return _page_response(
            WebPage(
                "Wrong host",
                "This server does not go by the name that was asked for: --allow-host adds one.",
                status=421,
            )
        )
    if scope["method"] not in ("GET", "HEAD"):
        return _page_response(WebPage("Only GET", "This page reads and never writes.", status=405), allow="GET, HEAD")
    path = scope["path"]
    if path.startswith(("/login/", "/static/")):
        return None
    if not rules.may_read(cookies=headers.get("cookie", ""), authorization=headers.get("authorization", "")):
        sentence = "Open the address that `sparkscore ui` printed when it started: it signs this browser in."
        return _page_response(WebPage("Sign in", sentence, status=401), **{"www-authenticate": "Bearer"})
    return None


def _answer_page(site: WebSite, build: PageBuilder) -> "Callable[[Request], Response]":
    def answer(request: "Request") -> "Response":
        try:
            page = build(site, dict(request.path_params), PageQuery(dict(request.query_params)))
        except WrongRequest as error:
            page = WebPage(
                "Not found" if error.status == 404 else "Not understood", error.sentence, status=error.status
            )
        except TableUnreadable as error:
            page = WebPage("Cannot be read", str(error), status=503)
        except (Exception, SparkNeeded) as error:  # noqa: BLE001  the border: no visitor sees a stack trace
            said = shorten_redacted(str(error), 300)
            log.warning("a page could not be made", path=request.url.path, error=type(error).__name__, said=said)
            sentence = f"This page could not be made: {type(error).__name__}. The server's output has more."
            page = WebPage("Something is wrong", sentence, status=500)
        return _page_response(page)

    return answer


def _page_response(page: WebPage, **headers: str) -> "Response":
    from starlette.responses import HTMLResponse

    return HTMLResponse(render_web_page(page), status_code=page.status, headers=headers)


def _answer_unknown(request: "Request", _: Exception) -> "Response":
    return _page_response(WebPage("Not found", "There is no such page here.", status=404))


def _answer_login(rules: AccessRules, request: "Request") -> "Response":
    """A page and no redirect: a browser that comes from elsewhere sends no strict cookie along a redirect."""
    if not rules.is_token(request.path_params["token"]):
        return _page_response(WebPage("Sign in", "This is not the token of this server.", status=403))
    page = WebPage("Signed in", "The overview opens by itself.", refresh_to="/")
    return _page_response(page, **{"set-cookie": rules.cookie})


def _answer_static(request: "Request") -> "Response":
    from starlette.responses import Response

    file = request.path_params["file"]
    if file not in STATIC_FILES:
        return _page_response(WebPage("Not found", "There is no such file.", status=404))
    headers = {"cache-control": "max-age=300"}
    return Response(_load_static(file), media_type=STATIC_FILES[file], headers=headers)


def _answer_report(site: WebSite, request: "Request") -> "Response":
    from starlette.responses import HTMLResponse

    job = site.shelf.find_job(request.path_params["job"])
    found = None if job is None else site.shelf.find_report(job, request.path_params["file"])
    if found is None:
        return _page_response(WebPage("Not found", "There is no such report.", status=404))
    return HTMLResponse(found, headers={"content-security-policy": REPORT_POLICY})


@cache
def _load_static(file: str) -> bytes:
    return files("sparkscore.ui").joinpath(file).read_bytes()
