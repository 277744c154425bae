from pathlib import Path

import pytest

from sparkscore import Settings
from sparkscore.errors import ConfigError
from sparkscore.records import WARNING_POLICY
from sparkscore.settings import TrustSettings
from sparkscore.settings.trust_settings import parse_trust_policy

JOB = {"job": "j", "source.table": "t", "source.keys": "[id]", "model.uri": "models:/m@a", "output.table": "o"}


def load(**more: str) -> Settings:
    return Settings.load(flags={**JOB, **{name.replace("__", "."): value for name, value in more.items()}}, environ={})


def test_by_default_all_is_loaded_and_warned_of() -> None:
    assert load().model.trust_policy == WARNING_POLICY


def test_the_settings_come_from_a_file_the_environment_and_flags(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("model: {trust: {profile: strict, names: [a, b], code: allow}}\n")
    settings = Settings.load(
        tmp_path / "job.yaml",
        flags={**JOB, "model.trust.code": "warn"},
        environ={"SPARKSCORE_MODEL__TRUST__REGISTRIES": "['databricks*']"},
    )
    policy = settings.model.trust_policy
    assert (policy.names, policy.registries, policy.code, policy.pickle) == (
        ("a", "b"),
        ("databricks*",),
        "warn",
        "refuse",
    )


def test_the_strict_profile_allows_nothing_but_data_and_what_is_listed() -> None:
    policy = TrustSettings(profile="strict").to_policy()
    assert (policy.code, policy.pickle, policy.downloads) == ("refuse", "refuse", "refuse")
    assert policy.names == policy.registries == policy.tables == ()
    assert "pickle" not in (policy.formats or ("pickle",))
    assert "mlflow.pyfunc.model" not in (policy.loaders or ("mlflow.pyfunc.model",))


def test_other_settings_override_the_profile() -> None:
    policy = TrustSettings(profile="strict", names=("a",), formats=("onnx",), pickle="warn").to_policy()
    assert (policy.names, policy.formats, policy.pickle, policy.code) == (("a",), ("onnx",), "warn", "refuse")


def test_trust_is_no_part_of_what_a_run_is() -> None:
    strict = load(model__trust__profile="strict", model__requirements="refuse", model__trust__names="[a]")
    assert strict.scoring_digest() == load().scoring_digest()


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("model.trust.profile", "lax", "model.trust.profile"),
        ("model.trust.formats", "[exe]", "model.trust.formats"),
        ("model.trust.pickel", "allow", "model.trust.pickle"),
    ],
)
def test_an_unknown_value_or_name_is_refused_by_its_whole_name(name: str, value: str, found: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.load(flags={**JOB, name: value}, environ={})
    assert found in str(caught.value)


def test_a_variable_that_names_a_group_is_refused() -> None:
    with pytest.raises(ConfigError, match="SPARKSCORE_MODEL__TRUST names a group"):
        Settings.load(flags=JOB, environ={"SPARKSCORE_MODEL__TRUST": "{}"})


def test_what_score_udf_is_given_is_read_as_the_settings_are() -> None:
    assert parse_trust_policy({"profile": "strict", "names": ["a"]}).names == ("a",)
    with pytest.raises(ConfigError, match="trust: pickle is 'never'"):
        parse_trust_policy({"pickle": "never"})
    with pytest.raises(ConfigError, match="nonsense"):
        parse_trust_policy({"nonsense": 1})
