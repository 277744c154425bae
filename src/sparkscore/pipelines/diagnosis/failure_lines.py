"""One line of an error, for a line of `doctor`."""

from sparkscore.redaction.secret_patterns import redact_secrets, shorten_redacted

_LONGEST = 250


def choose_failure_line(error: Exception) -> str:
    """The last line that names an error, as Python workers end theirs; else the first one. Without secrets."""
    lines = [line.strip() for line in redact_secrets(str(error)).splitlines() if line.strip()]
    telling = [line for line in lines if "Error" in line or "MISMATCH" in line]
    return shorten_redacted((telling[-1:] or lines[:1] or [type(error).__name__])[0], _LONGEST)
