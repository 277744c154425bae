"""Overlays that make another run of a job are told; those that do not are not."""

from pathlib import Path

import pytest

from sparkscore.settings.identity_overrides import find_identity_overrides

JOB = """\
job: j
source: {table: t, keys: [id], where: [{column: month, op: "=", value: 1}]}
model: {uri: models:/m@c, params: {k: 1}}
output: {table: p}
"""


def overrides(folder: Path, overlay: str, job: str = JOB) -> list[str]:
    (folder / "job.yaml").write_text(job)
    (folder / "env.yaml").write_text(overlay)
    return [name for _, name in find_identity_overrides([folder / "job.yaml", folder / "env.yaml"], {})]


@pytest.mark.parametrize(
    ("overlay", "names"),
    [
        ("job: other", ["job"]),
        ('source: {where: [{column: month, op: "=", value: 2}]}', ["source.where"]),
        ("source: {passthrough: [carrier]}", ["source.passthrough"]),
        ("model: {params: {k: 2}, runtime: pyfunc}", ["model.params.k", "model.runtime"]),
    ],
)
def test_what_changes_rows_or_values_is_an_override(tmp_path: Path, overlay: str, names: list[str]) -> None:
    assert overrides(tmp_path, overlay) == names


@pytest.mark.parametrize(
    "overlay",
    [
        "home: elsewhere",
        "output: {table: p_staging}",
        "source: {table: t_staging}",
        "model: {uri: models:/m@staging, tracking_uri: http://127.0.0.1:1}",
        "scoring: {transport: arrow, deadline: 9}",
        "drift: {fail: true}",
        'source: {where: [{column: month, op: "=", value: 1}]}',
    ],
)
def test_places_models_and_watching_are_none(tmp_path: Path, overlay: str) -> None:
    assert overrides(tmp_path, overlay) == []


def test_what_only_the_overlay_gives_is_none(tmp_path: Path) -> None:
    assert (
        overrides(tmp_path, "job: j", "source: {table: t, keys: [id]}\nmodel: {uri: models:/m@c}\noutput: {table: p}")
        == []
    )
