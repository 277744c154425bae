"""The kernel of a task whose work is counted. Runs on executors."""

from functools import cache

from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.scoring.batch_sizer import BatchSizer
from sparkscore.scoring.counters import Counters
from sparkscore.scoring.kernel import Kernel
from sparkscore.scoring.task_models import make_model_loader


def build_counted_kernel(model: ShippedModel, counters: Counters, sizer: BatchSizer) -> Kernel:
    """A kernel whose batches, loads, and all else these counters count. The model is loaded at the first row."""
    return Kernel(
        model,
        load=cache(make_model_loader(model, counters)),
        on_batch=counters.add_batch,
        on_repeat=counters.add_repeat,
        on_filled=counters.add_filled_values,
        sizer=sizer,
        on_halved=counters.add_halved_batch,
        on_counts=counters.add_model_counts,
    )
