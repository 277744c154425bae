"""Keeps secrets of the command line out of what is said about it, right or wrong."""

import re
from collections.abc import Sequence
from itertools import pairwise

from sparkscore.redaction.known_secrets import (
    is_secret_name,
    register_environment_secrets,
    register_uri_secrets,
    register_webhook,
)

_FLAG_NAME = re.compile(r"--?[A-Za-z][\w.-]{0,60}")
_WEB_ADDRESS = re.compile(r"(https?://[^\s/@'\"]*)[^\s'\"]+")


def register_argument_secrets(argv: Sequence[str]) -> None:
    """Register what is secret in the arguments, before anything reads them, and in the environment."""
    register_environment_secrets()
    for before, word in pairwise(["", *argv]):
        register_uri_secrets(word)
        name, _, value = word.partition("=") if word.startswith("-") else (before, "", word)
        is_flag = name.startswith("-")
        if is_flag and (is_secret_name(name) or "hook" in name.lower()):
            for found in (value, word[word.find("http") :] if "http" in word else ""):
                register_webhook(found)


def describe_flag(word: str) -> str:
    """A word that was meant as a flag, as far as it is the name of one: what is glued to it may be a value."""
    found = _FLAG_NAME.match(word)
    name = "a flag" if found is None else found[0]
    return name if name == word else f"{name}…"


def hide_web_addresses(message: str) -> str:
    """A message about arguments, in which of each web address only the host is shown."""
    return _WEB_ADDRESS.sub(r"\1/***", message)


def describe_template(word: str) -> str:
    """An argument with a template in it: its flag and the template, without what is before and after."""
    flag = f"{describe_flag(word.partition('=')[0])}=" if word.startswith("-") else ""
    return f"{flag}…{word[word.index('{{') :].partition('}}')[0][:60]}}}}}"
