from pathlib import Path

import pytest

from sparkscore.errors import ConfigError, ModelError
from sparkscore.model.environment.environment_request import Platform, read_own_requirements, select_model_requirements


def test_names_and_versions_of_a_model_are_taken() -> None:
    lines = ["# of mlflow", "", "scikit-learn==1.8.0  # pinned", "numpy<3; python_version >= '3.9'"]
    assert select_model_requirements(lines) == ("scikit-learn==1.8.0", "numpy<3; python_version >= '3.9'")


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.org",
        "-r /etc/passwd",
        "evil @ file:///tmp/evil",
        "git+https://example.org/evil",
        "./evil.whl",
        "-e .",
    ],
)
def test_what_an_author_would_have_opened_or_fetched_is_refused(line: str) -> None:
    with pytest.raises(ModelError, match="line 2 of the model's") as refused:
        select_model_requirements(["numpy", line])
    assert "--requirements" in refused.value.do


def test_a_platform_has_the_names_of_all_older_ones() -> None:
    names = list(Platform.parse("manylinux_2_17_x86_64").wheel_names)
    assert names[:3] == ["manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux_2_16_x86_64"]
    assert names[-1] == "manylinux1_x86_64"
    assert Platform.parse("manylinux_2_28_aarch64").name_of_uv == "aarch64-manylinux_2_28"


@pytest.mark.parametrize("name", ["linux", "win_amd64", "manylinux_2_28", "manylinux_2_28_x86_64; rm"])
def test_other_platforms_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="--platform"):
        Platform.parse(name)


def test_a_file_of_requirements_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_own_requirements(str(tmp_path / "absent"))
