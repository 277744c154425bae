"""`score --shadow` on the command line."""

from pathlib import Path

import pytest

from tests.cli.test_main import call, config_of
from tests.world import AS_OF, MODEL, World


@pytest.mark.parametrize("flag", ["--replace", "--force", "--full", "--dry-run"])
def test_what_has_no_effect_beside_a_shadow_is_refused_before_spark_starts(
    flag: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "job.yaml"
    config.write_text("job: j\nsource: {table: t, keys: [id]}\nmodel: {uri: models:/m@c}\noutput: {table: p}\n")
    code, line, _ = call(capfd, "score", "--config", str(config), "--as-of", AS_OF, "--shadow", flag)
    assert (code, line["error"]["class"]) == (2, "ConfigError")


def test_a_shadow_prints_one_line_and_a_table_and_ends_with_five_above_a_limit(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    world.begin_with()
    words = ("score", "--config", config_of(world), "--as-of", AS_OF, "--shadow")
    code, line, said = call(capfd, *words, "--model.uri", f"models:/{MODEL}/2", "--shadow.max_changed", "0")
    assert (code, line["exit_code"], line["status"], line["schema"]) == (5, 5, "compared", 1)
    assert line["shadow"]["model"]["version"] == "2"
    assert "EXCEEDED  max_changed" in said
    assert line["report"] in said.replace("\n", "")
