"""The command of streams: its flags, what a person sees, the result line."""

import pytest

from tests.cli.test_main import call, config_of
from tests.world import World, source_rows


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_a_count_of_micro_batches_is_a_number(count: str, capfd: pytest.CaptureFixture[str]) -> None:
    code, result, said = call(capfd, "stream", "--config", "nowhere.yaml", "--max-batches", count)
    assert (code, result["status"]) == (2, "failed")
    assert "--max-batches" in said


def test_it_tells_each_micro_batch_and_all_of_them_in_one_line(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    config = config_of(world)
    code, result, said = call(capfd, "stream", "--config", config)
    assert (code, result["status"], result["batches"], result["rows_scored"], result["schema"]) == (
        0,
        "finished",
        1,
        60,
        1,
    )
    assert "finished: 60 predictions in 1 micro-batches" in said
    assert "number=0" in said
    world.write_source(source_rows(5), mode="overwrite")
    code, result, said = call(capfd, "stream", "--config", config)
    assert (code, result["status"], result["error"]["class"]) == (2, "failed", "ConfigError")
    assert "updates, deletes or overwrites rows" in said
