"""What the tests of faults share: children, and a model that counts and springs traps."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.faults.children import Crew
from tests.faults.models import Traps, watched_registry
from tests.faults.scene import ROWS, Scene
from tests.world import Registry, World, source_rows


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Registry, Traps]:
    """The registry and the traps in its models."""
    return watched_registry(tmp_path_factory.mktemp("watched"))


@pytest.fixture(scope="session")
def registry(watched: tuple[Registry, Traps]) -> Registry:
    """In the place of the other tests': two versions of a model that is watched."""
    return watched[0]


@pytest.fixture(scope="session")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    """Children for all tests; at the end each is ended by its own number."""
    with Crew(tmp_path_factory.mktemp("crew")) as found:
        yield found


@pytest.fixture
def scene(spark: SparkSession, watched: tuple[Registry, Traps], crew: Crew, tmp_path: Path) -> Iterator[Scene]:
    """A home folder with a source of 2,000 rows; champion is version 1, no trap is set."""
    registry, traps = watched
    registry.alias(1)
    world = World(spark, tmp_path / "home", registry)
    world.write_source(source_rows(ROWS))
    yield Scene(world, traps, crew)
    traps.free()
