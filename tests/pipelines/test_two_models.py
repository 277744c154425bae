"""An alias that moves between two runs of one session to a version whose code has the same names."""

from pathlib import Path

import numpy as np
import pytest

from sparkscore import score
from tests.model.coded import offset, put_coded
from tests.model.shelf import Shelf
from tests.world import World, source_rows

NAME = "moved"


def assert_each_run_is_its_versions(
    world: World, shelf: Shelf, transport: str, residency: str, *, first_day: int = 0
) -> None:
    """Two runs, the alias moved between them: the rows are of the version that is written on them."""
    x1 = source_rows()["x1"].to_numpy()
    settings = world.settings(
        model={"uri": f"models:/{NAME}@champion", "tracking_uri": shelf.uri, "residency": residency},
        scoring={"transport": transport},
        output={"threshold": None},
    )
    for version in (1, 2):
        shelf.client.set_registered_model_alias(NAME, "champion", str(version))
        as_of = f"2013-01-{first_day + version:02}"
        report = score(world.spark, settings, as_of=as_of)
        assert (report.status, report.transport) == ("published", transport)
        seen = world.predictions(as_of=as_of)
        assert set(seen["model_version"]) == {str(version)}
        np.testing.assert_array_equal(seen["prediction"], x1[seen["id"]] + offset(version))


@pytest.fixture
def moving(tmp_path: Path) -> Shelf:
    """A registry with two versions."""
    (tmp_path / "shelf").mkdir()
    shelf = Shelf(tmp_path / "shelf")
    for version in (1, 2):
        put_coded(shelf, tmp_path / "code", version, name=NAME)
    return shelf


def test_what_is_published_is_of_the_version_that_is_written_on_it(world: World, moving: Shelf) -> None:
    assert_each_run_is_its_versions(world, moving, "scan", "worker")


def test_so_it_is_on_every_transport_and_with_both_residencies(world: World, moving: Shelf) -> None:
    for place, residency in enumerate(("worker", "executor")):
        for day, transport in enumerate(("scan", "arrow", "pandas_udf")):
            assert_each_run_is_its_versions(world, moving, transport, residency, first_day=10 * place + 2 * day)
