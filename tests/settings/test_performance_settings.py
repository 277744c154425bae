from datetime import timedelta

import pytest

from sparkscore.errors import ConfigError
from sparkscore.settings import Settings
from sparkscore.settings.label_settings import PositiveTruth
from sparkscore.settings.performance_settings import MetricLimit, find_decay_limits, list_metric_limits

JOB = {"job": "j", "source": {"table": "t", "keys": ["id"]}, "model": {"uri": "models:/m/1"}, "output": {"table": "p"}}
FLAGS = {"job": "j", "source.table": "t", "source.keys": "[id]", "model.uri": "models:/m/1", "output.table": "p"}
LABELS = {"table": "truths", "truth": "late"}


def test_no_setting_of_it_changes_the_scoring_digest() -> None:
    other = Settings(**JOB, labels={**LABELS, "window": "7d"}, performance={"threshold": 0.2, "fail": {"decay": 0.1}})
    assert other.scoring_digest() == Settings(**JOB).scoring_digest()


def test_a_truth_with_a_time_is_of_the_prediction_before_it_and_one_without_of_its_key() -> None:
    assert Settings(**JOB, labels=LABELS).labels.matched_by == "key"
    assert Settings(**JOB, labels={**LABELS, "time": "at"}).labels.matched_by == "before"


def test_durations_are_days_and_hours() -> None:
    labels = Settings(**JOB, labels={**LABELS, "window": "7d", "delay": "12h"}).labels
    assert (labels.window_size, labels.judged_after) == (timedelta(days=7), timedelta(hours=12))


def test_keys_are_the_jobs_or_mapped_to_them() -> None:
    assert Settings(**JOB, labels=LABELS).labels.key_columns(("id",)) == {"id": "id"}
    mapped = Settings.load(flags={**FLAGS, "labels.keys": "{id: flight}"}, environ={})
    assert mapped.labels.key_columns(("id",)) == {"id": "flight"}


def test_limits_are_of_values_and_of_decay() -> None:
    fail = Settings(**JOB, performance={"fail": {"roc_auc": {"min": 0.6}, "decay": 0.05}}).performance.fail
    assert list_metric_limits(fail) == (MetricLimit("roc_auc", 0.6, None),)
    assert find_decay_limits(fail, ("roc_auc", "log_loss")) == {"roc_auc": 0.05, "log_loss": 0.05}
    assert find_decay_limits({"decay": {"f1": 0.1}}, ("roc_auc",)) == {"f1": 0.1}


def test_a_positive_truth_is_a_value_or_a_comparison() -> None:
    def load(text: str) -> object:
        return Settings.load(flags={**FLAGS, "labels.positive": text}, environ={}).labels.positive

    assert load("yes it was") == "yes it was"
    assert load("1") == 1
    assert load("true") is True
    compared = load("{op: '>=', value: 15}")
    assert compared == PositiveTruth(op=">=", value=15)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("labels.table", "truths", "labels.truth"),
        ("labels.window", "7 days", "7d or 12h"),
        ("labels.window", "0d", "no duration"),
        ("labels.match", "before", "labels.time"),
        ("labels.horizon", "7d", "labels.horizon has no effect"),
        ("labels.keys", "[flight]", "the keys of the prediction table are id"),
        ("performance.fail", "{roc_acu: {min: 0.5}}", "the metrics are roc_auc"),
        ("performance.fail", "{roc_auc: 0.5}", "takes a limit"),
        ("performance.fail", "{roc_auc: {least: 0.5}}", "takes a limit"),
        ("performance.alerts", "{decay: -1}", "above 0"),
        ("performance.metrics", "[auc]", "the metrics are"),
        ("performance.segments", "[carrier]", "performance.segments names columns"),
    ],
)
def test_a_wrong_value_is_refused_with_its_setting(name: str, value: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace(".", r"\.")):
        Settings.load(flags={**FLAGS, name: value}, environ={})
