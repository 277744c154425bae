"""Several classes: how often the predicted one was the true one. Counts in, numbers out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sparkscore.monitor.quality.intervals import measure_mean, measure_share
from sparkscore.records import ClassQuality, Measure, Quality


@dataclass(frozen=True, slots=True)
class ConfusionCell:
    """Rows of one true and one predicted class. Cells of parts of the rows merge by adding up."""

    truth: str
    predicted: str
    count: float
    log_losses: float | None = None
    """Sum of -log(probability of the true class); None where the model gives no probabilities."""
    log_losses_squared: float | None = None


def measure_classes(cells: Sequence[ConfusionCell]) -> Quality:
    """Accuracy, which is precision, recall and F1 by micro average; the macro averages of these, F1 weighted by the
    classes' rows, and the log loss. A class that is nowhere predicted has the precision 0, as with scikit-learn."""
    rows = sum(cell.count for cell in cells)
    if not rows:
        return Quality(0, {})
    hits = sum(cell.count for cell in cells if cell.truth == cell.predicted)
    classes = _measure_each_class(cells)
    macro = {name: Measure(_mean([getattr(one, name) for one in classes])) for name in ("precision", "recall", "f1")}
    weighted = Measure(sum(one.f1 * one.count for one in classes) / rows)
    measures = {
        "accuracy": measure_share(hits, rows),
        **macro,
        "f1_weighted": weighted,
        **_measure_log_loss(cells, rows),
    }
    return Quality(int(rows), measures, classes=classes)


def _measure_each_class(cells: Sequence[ConfusionCell]) -> tuple[ClassQuality, ...]:
    true, predicted, hit = (dict[str, float]() for _ in range(3))
    for cell in cells:
        _add(true, cell.truth, cell.count)
        _add(predicted, cell.predicted, cell.count)
        if cell.truth == cell.predicted:
            _add(hit, cell.truth, cell.count)
    names = sorted({*true, *predicted})
    return tuple(_measure_class(name, true, predicted, hit) for name in names)


def _measure_class(
    name: str, true: Mapping[str, float], predicted: Mapping[str, float], hit: Mapping[str, float]
) -> ClassQuality:
    hits, rows, given = hit.get(name, 0.0), true.get(name, 0.0), predicted.get(name, 0.0)
    return ClassQuality(
        name,
        int(rows),
        precision=hits / given if given else 0.0,
        recall=hits / rows if rows else 0.0,
        f1=2 * hits / (rows + given),
    )


def _measure_log_loss(cells: Sequence[ConfusionCell], rows: float) -> dict[str, Measure]:
    losses = [(cell.log_losses, cell.log_losses_squared) for cell in cells]
    known = [(loss, square) for loss, square in losses if loss is not None and square is not None]
    if len(known) < len(losses):
        return {}
    return {"log_loss": measure_mean(sum(loss for loss, _ in known), sum(square for _, square in known), rows)}


def _add(counts: dict[str, float], name: str, count: float) -> None:
    counts[name] = counts.get(name, 0.0) + count


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
