"""What `doctor` finds out about an environment."""

import json
from dataclasses import asdict, dataclass
from typing import Literal

CheckStatus = Literal["ok", "warn", "fail", "skip"]
"""`warn`: it may fail, or differs from what was tested. `fail`: a run ends with an error. `skip`: nobody can tell."""


@dataclass(frozen=True, slots=True)
class EnvironmentCheck:
    """One line."""

    name: str
    """What was looked at: a word or two, the same in every environment."""
    status: CheckStatus
    found: str
    cure: str = ""
    """What to do; empty where nothing is to be done."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All lines, in the order in which a run needs what they are about."""

    job: str | None
    """None without a config."""
    checks: tuple[EnvironmentCheck, ...]

    @property
    def has_failed(self) -> bool:
        """Whether something is found that a run would fail of."""
        return any(one.status == "fail" for one in self.checks)

    def to_json(self) -> str:
        """The result line."""
        status = "unfit" if self.has_failed else "fit"
        counts = {one: sum(check.status == one for check in self.checks) for one in ("ok", "warn", "fail", "skip")}
        checks = [asdict(one) for one in self.checks]
        return json.dumps({"schema": 1, "job": self.job, "status": status, "counts": counts, "checks": checks})
