"""Secrets that a test registers are forgotten after it."""

import pytest

from sparkscore.redaction import known_secrets


@pytest.fixture(autouse=True)
def forgotten_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_secrets, "_KNOWN", known_secrets._KnownSecrets(has_environment=True))
