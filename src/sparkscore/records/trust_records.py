"""Which models may be loaded, as the settings say it and as it travels to the executors."""

from dataclasses import dataclass
from typing import Literal

Reaction = Literal["allow", "warn", "refuse"]
"""What is done about a model that has what a setting is about."""


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """Which models may be loaded. Decided from a model's files, on the driver and once more on the executors.

    A list that is None allows everything, an empty one nothing.
    """

    registries: tuple[str, ...] | None = None
    """Patterns of tracking and registry URIs."""
    names: tuple[str, ...] | None = None
    """Patterns of names of registered models."""
    digests: tuple[str, ...] | None = None
    loaders: tuple[str, ...] | None = None
    """Modules that may load a model; None: MLflow's own."""
    formats: tuple[str, ...] | None = None
    """Formats of its files."""
    tables: tuple[str, ...] | None = None
    """Patterns of tables that a model's author may name as its training data."""
    code: Reaction = "warn"
    pickle: Reaction = "warn"
    downloads: Reaction = "warn"
    requirements: Literal["ignore", "warn", "refuse"] = "warn"
    """What is done where the model needs other versions of packages than are installed."""


WARNING_POLICY = TrustPolicy()
"""The default: what may run code of the author's is named, and loaded."""
