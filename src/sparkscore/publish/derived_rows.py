"""What tables that are made of published rows have in common: the rows, their columns, and whose they are."""

from pyspark.sql import DataFrame

from sparkscore.publish.prediction_rows import select_predictions
from sparkscore.records import ExportedRun, TargetState, format_commit_note, to_utc_text
from sparkscore.schemas import ContractColumn
from sparkscore.spark.sql_texts import text_literal
from sparkscore.spark.type_mapping import spark_to_arrow_schema
from sparkscore.store.commit_history import count_rows_by_run, load_commit_notes
from sparkscore.store.guarded_writes import as_of_condition
from sparkscore.store.table import Table

_RUN, _REVISION = "derived_run", "revision"


def load_derived_rows(predictions: Table, run: ExportedRun, *, with_marks: bool) -> DataFrame:
    """The visible rows of a run. `with_marks`: those, too, that say that the source no longer has a key."""
    of_run = f"run_id = {text_literal(run.run_id)}"
    rows = predictions.load_rows().where(f"{as_of_condition(run.as_of)} AND {of_run}")
    return rows if with_marks else select_predictions(rows)


def published_columns(predictions: Table) -> list[ContractColumn]:
    """The columns that the prediction table has now, with their comments."""
    fields, kinds = predictions.schema, spark_to_arrow_schema(predictions.schema)
    return [
        ContractColumn(field.name, kinds.field(field.name).type, field.metadata.get("comment", ""), field.nullable)
        for field in fields
    ]


def note_derived_commit(run: ExportedRun) -> str:
    """What a commit says of the run whose rows it is made of."""
    return format_commit_note(
        {"job": run.job, "as_of": to_utc_text(run.as_of), _RUN: run.run_id, _REVISION: run.revision}
    )


def find_table_state(table: Table, run: ExportedRun) -> TargetState:
    """Which run a table's rows of an as_of are of: by its rows, and by the notes of its commits where it has none.

    Jobs:    none, or one small one where only Spark counts.
    """
    visible = count_rows_by_run(table.refresh(), run.as_of)
    as_of = to_utc_text(run.as_of)
    notes = [note for _, note in load_commit_notes(table) if (note.get("job"), note.get("as_of")) == (run.job, as_of)]
    revisions = {str(note.get(_RUN)): int(note.get(_REVISION, 0)) for note in notes}
    found = next(iter(visible), None) or max(revisions, key=lambda one: revisions[one], default=run.run_id)
    return TargetState(found, revisions.get(found, run.revision))
