"""What `optimize-model` refuses by the config alone."""

import pytest

from sparkscore.errors import ConfigError
from sparkscore.pipelines.optimization.optimization_run import refuse_other_models
from sparkscore.settings import Settings


def build_settings(**flags: str) -> Settings:
    needed = {"job": "j", "source.table": "t", "source.keys": "[id]", "output.table": "p"}
    return Settings.load(flags={**needed, **flags}, environ={})


@pytest.mark.parametrize("uri", ["models:/m-1a2b", "runs:/1a2b/model"])
def test_a_model_that_no_registry_names_can_have_no_new_version(uri: str) -> None:
    with pytest.raises(ConfigError, match="no registry names"):
        refuse_other_models(build_settings(**{"model.uri": uri}))


def test_a_model_that_no_registry_names_can_be_measured() -> None:
    refuse_other_models(build_settings(**{"model.uri": "models:/m-1a2b", "optimize.register_best": "false"}))


def test_a_model_with_params_is_refused() -> None:
    with pytest.raises(ConfigError, match="takes none"):
        refuse_other_models(build_settings(**{"model.uri": "models:/a/1", "model.params": "{top: 3}"}))
