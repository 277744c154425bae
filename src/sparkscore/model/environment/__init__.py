"""The environment that a model needs, as an archive that spark-submit ships: locked, hash checked, packed."""
