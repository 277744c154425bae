"""How a session reaches storage: Hadoop's configuration as Spark's own readers get it."""

from collections.abc import Mapping
from typing import Any

from pyspark.sql import SparkSession

_KEY_STORES = ("hadoop.security.credential.provider.path", "{prefix}security.credential.provider.path")


class HadoopConf:
    """Hadoop's configuration in one session: its files, `spark.hadoop.…`, and what the session has set itself.

    Without a session it is empty: then the session would be one that nobody has configured.
    """

    def __init__(self, spark: SparkSession | None) -> None:
        self._conf: Any = None if spark is None else spark._jsparkSession.sessionState().newHadoopConf()  # noqa: SLF001

    def get(self, name: str) -> str | None:
        """A setting's value; None where it has none, or an empty one."""
        found = None if self._conf is None else self._conf.get(name)
        return str(found).strip() or None if found is not None else None

    def with_prefix(self, prefix: str) -> Mapping[str, str]:
        """The settings below a prefix, without it."""
        if self._conf is None:
            return {}
        found = self._conf.getPropsWithPrefix(prefix)
        return {str(name): str(found[name]) for name in found}

    def find_key_store(self, prefix: str) -> str | None:
        """The setting that names a file of secrets, which may hold keys that the settings lack; None without one."""
        names = (one.format(prefix=prefix) for one in _KEY_STORES)
        return next((name for name in names if self.get(name)), None)
