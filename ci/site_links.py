"""A hook of mkdocs: links that leave docs/ lead to the repository, so that they work there and on the site."""

import logging
import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_LINK = re.compile(r"(?<=\]\()(\.\./[^)\s#]+)((?:#[^)\s]*)?(?=\)))")
_log = logging.getLogger("mkdocs.hooks.site_links")


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """The page with such links made absolute; one to a file that is not there fails a strict build."""
    return rewrite_links(markdown, source=page.file.src_uri, repository=config.repo_url)


def rewrite_links(markdown: str, *, source: str, repository: str) -> str:
    """The text of a page of docs/ with its links out of docs/ made absolute."""

    def to_repository(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(source), link[1]))
        if path.startswith("docs/"):
            return link[0]
        if not (ROOT / path).exists():
            _log.warning("docs/%s links to %s, which is not there", source, path)
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        return f"{repository.rstrip('/')}/{kind}/main/{path}{link[2]}"

    return _LINK.sub(to_repository, markdown)
