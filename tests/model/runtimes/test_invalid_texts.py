"""A string column may hold bytes that are no text: Spark's cast from binary does not look at them."""

import pyarrow as pa
import pytest

from sparkscore.errors import RowsNotPredicted
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.runtimes.scorer import build_local_scorer
from sparkscore.records import ModelInput


def unchecked_texts(*values: bytes) -> pa.Array:
    """As Parquet files and Spark hold them: nobody has checked."""
    array = pa.array(values, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(array), array.buffers())


def test_rows_with_such_a_text_are_not_predicted_and_the_message_holds_none() -> None:
    model = ShippedModel("0" * 64, "", "pyfunc", (ModelInput("text", pa.string(), True),), False, pa.float64())
    score = build_local_scorer(model, lambda frame: [1.0] * len(frame))
    with pytest.raises(RowsNotPredicted, match="a text in a batch of 2 rows is not UTF-8") as caught:
        score([unchecked_texts(b"plain", b"secret \xff")])
    assert "secret" not in str(caught.value)
    assert score([unchecked_texts(b"plain")]).predictions.to_pylist() == [1.0]
