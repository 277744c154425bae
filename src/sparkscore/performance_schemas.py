"""The table of realised performance, as data: columns, types, units, grain, comments. No I/O."""

from collections.abc import Mapping

import pyarrow as pa

from sparkscore.schemas import TIMESTAMP, WINDOW_TYPE, ContractColumn, TableContract

PERFORMANCE_SUFFIX = "_performance"
"""Of the table's name, beside the prediction table."""
_NUMBER, _ROWS, _TEXT = pa.float64(), pa.int64(), pa.string()
_METRIC_COLUMNS: Mapping[str, str] = {
    "roc_auc_score": "Area under the ROC curve, exact, ties count half. NULL without both classes.",
    "average_precision_score": "Area under the precision-recall curve as average precision, without interpolation.",
    "log_loss": "Mean of -log(probability of the truth), natural logarithm.",
    "brier_score": "Mean squared difference of probability and truth.",
    "expected_calibration_error": "Mean distance of probability and share of positives over 10 equal bins, by rows.",
    "accuracy_score": "Share of rows whose label is the truth; of several classes also the micro average of F1.",
    "precision": "Of rows labelled positive, how many are; of several classes the mean over the classes (macro).",
    "recall": "Of positive rows, how many are labelled so; of several classes the mean over the classes (macro).",
    "f1_score": "Harmonic mean of precision and recall; of several classes the mean over the classes (macro).",
    "f1_score_weighted": "Of several classes: the mean of F1 over the classes, weighted by their rows.",
    "mean_absolute_error": "Mean of |prediction - truth|, in the unit of the truth.",
    "root_mean_squared_error": "Root of the mean squared difference, in the unit of the truth.",
    "mean_absolute_percentage_error": "Mean of |prediction - truth| / |truth| as a share, without truths of 0.",
    "r2_score": "1 - squared errors / squared differences of the truths from their mean.",
    "ndcg_at_k": "Normalised discounted cumulative gain of the first k items, mean over the lists.",
    "precision_at_k": "Of the first k items, how many are relevant, mean over the lists.",
    "recall_at_k": "Of the relevant items, how many are among the first k, mean over the lists.",
    "mean_average_precision_at_k": "Mean over the lists of the average precision of the first k items.",
    "hit_rate_at_k": "Share of the lists with a relevant item among the first k.",
}
_INTERVAL = pa.struct([("low", _NUMBER), ("high", _NUMBER)])
_CALIBRATION_BIN = pa.struct(
    [
        ("lower", _NUMBER),
        ("upper", _NUMBER),
        ("count", _ROWS),
        ("mean_prediction", _NUMBER),
        ("positive_share", _NUMBER),
    ]
)
_CLASS = pa.struct([("name", _TEXT), ("count", _ROWS), ("precision", _NUMBER), ("recall", _NUMBER), ("f1", _NUMBER)])
_DECAY = pa.struct(
    [("metric", _TEXT), ("against", _TEXT), ("reference", _NUMBER), ("value", _NUMBER), ("loss", _NUMBER)]
)
LABEL_COUNT_NAMES = ("rows", "nulls", "invalid", "of_future", "outdated", "conflicting", "unmatched")

PERFORMANCE_CONTRACT = TableContract(
    comment="How good published predictions were, by their truth."
    " One row per (window, granularity, model_name, model_version, slice_key, slice_value).",
    columns=(
        ContractColumn(
            "window",
            WINDOW_TYPE,
            "The as_ofs that it is of: from start to before end, UTC; of one as_of both are it.",
            nullable=False,
        ),
        ContractColumn("granularity", _TEXT, "What the window is: run (one as_of), 1d, 7d, 12h.", nullable=False),
        ContractColumn("model_name", _TEXT, "Registered name of the model."),
        ContractColumn("model_version", _TEXT, "Version of the model in the registry."),
        ContractColumn("slice_key", _TEXT, "The column by which rows are told apart; NULL: all rows."),
        ContractColumn("slice_value", _TEXT, "Its value in these rows."),
        ContractColumn(
            "problem_type", _TEXT, "What is predicted: binary, classes, numbers or ranking.", nullable=False
        ),
        ContractColumn("count", _ROWS, "Rows that were published.", nullable=False),
        ContractColumn("labelled_count", _ROWS, "Rows whose truth is known.", nullable=False),
        ContractColumn("labelled_share", _NUMBER, "Of the rows, how many have a truth yet, 0 to 1."),
        ContractColumn(
            "null_prediction_count", _ROWS, "Rows with a truth and without a prediction; in no metric.", nullable=False
        ),
        *(ContractColumn(name, _NUMBER, comment) for name, comment in _METRIC_COLUMNS.items()),
        ContractColumn(
            "confidence",
            pa.map_(_TEXT, _INTERVAL),
            "Confidence interval of 95 % by the name of the metric's column; metrics without one are left out.",
        ),
        ContractColumn("calibration", pa.list_(_CALIBRATION_BIN), "Probabilities by bin, beside what came true."),
        ContractColumn("classes", pa.list_(_CLASS), "Of several classes, each against all others."),
        ContractColumn("threshold", _NUMBER, "From where on a probability counted as positive."),
        ContractColumn("k", _ROWS, "Places of a list that counted."),
        ContractColumn(
            "decay",
            pa.list_(_DECAY),
            "Metrics beside those in validation and those of the model version's best window; loss is the share of the"
            " reference by which the value is worse.",
        ),
        ContractColumn("breaches", pa.list_(_TEXT), "Limits of performance.fail that are broken, in words."),
        ContractColumn("alerts", pa.list_(_TEXT), "Limits of performance.alerts that are broken, in words."),
        ContractColumn("note", _TEXT, "Why a metric has no value, or why nothing was judged."),
        ContractColumn(
            "run_ids", pa.list_(_TEXT), "The runs whose rows these are, as published when it was evaluated."
        ),
        ContractColumn("window_id", _TEXT, "sha256 over all that the window's rows are made from.", nullable=False),
        ContractColumn("revision", _ROWS, "How often the window was evaluated, as truths came or changed.", False),
        ContractColumn("labels_table", _TEXT, "Name of the table of truths."),
        ContractColumn("labels_version", _ROWS, "Delta version of the table of truths."),
        ContractColumn(
            "labels",
            pa.struct([(name, _ROWS) for name in LABEL_COUNT_NAMES]),
            "What became of all rows of the table of truths in the evaluation that wrote this row.",
        ),
        ContractColumn("evaluated_at", TIMESTAMP, "When it was evaluated, UTC."),
        ContractColumn("as_of", TIMESTAMP, "Start of the window, UTC.", nullable=False),
        ContractColumn("as_of_date", pa.date32(), "The UTC date of as_of; retention goes by it.", nullable=False),
    ),
)
"""Not partitioned: a window has a few rows, and all are replaced by one commit."""
