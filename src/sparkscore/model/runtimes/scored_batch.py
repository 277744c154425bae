"""What every scorer returns. Runs on executors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import pyarrow as pa

NO_COUNTS: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """What became of a batch's rows."""

    predictions: pa.Array
    """NULL for rejected rows."""
    rejects: pa.StructArray | None = None
    """Of type `REJECT_TYPE`, NULL for predicted rows; None where no row was rejected."""
    counts: Mapping[str, float] = field(default_factory=lambda: NO_COUNTS)
    """What the model has counted in the call; none once the kernel has passed them on."""
    is_one_answer: bool = True
    """The model has answered for all rows in one call; not where it had to be asked again, or hung."""

    def split_rows(self, sizes: Sequence[int]) -> "list[ScoredBatch]":
        """The rows cut into batches of these sizes, without the counts."""
        if len(sizes) == 1:
            return [self]
        first, batches = 0, []
        for size in sizes:
            rejects = None if self.rejects is None else self.rejects.slice(first, size)
            if rejects is not None and rejects.null_count == size:
                rejects = None
            batches.append(ScoredBatch(self.predictions.slice(first, size), rejects))
            first += size
        return batches
