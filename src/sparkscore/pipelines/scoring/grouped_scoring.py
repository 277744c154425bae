"""Scoring by one model per group: the models are sent to the executors, and rows are brought together by model."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from pyspark.sql import DataFrame

from sparkscore.model.distribution.model_shipping import describe_shipped_model, ship_model_pack
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.source_groups import count_rows_of_groups, group_text
from sparkscore.records import Group, PinnedGroups, PinnedModel, json_digest
from sparkscore.schemas import MODEL_LINEAGE
from sparkscore.scoring.arrow_transport import score_with_arrow
from sparkscore.scoring.group_partitions import bring_groups_together, plan_group_partitions
from sparkscore.scoring.grouped_rows import GroupedRowScorer, GroupModel, lineage_source_column
from sparkscore.scoring.stage_rows import StageRowScorer
from sparkscore.spark.task_profiles import plan_task_profile

_MOST_RESIDENT = 100
"""`model.cache_models` by default."""
_LINEAGE_SOURCES = {name: lineage_source_column(name) for name in MODEL_LINEAGE}


def score_grouped_frame(
    attempt: Attempt, plan: Plan, groups: PinnedGroups, source: DataFrame, rows: StageRowScorer
) -> DataFrame:
    """The stage's rows for rows of the source as Spark reads them; each model runs when the frame is computed.

    Jobs:    none; one that counts the rows of each group where nobody has.
    """
    texts = [group_text(name) for name in groups.models.columns]
    counted = groups.rows
    if counted is None:
        found = count_rows_of_groups(source, groups.models.columns, table=plan.snapshot.table.name)
        counted = {group: count for group, count in found.items() if group is not None}
    partitions = plan_group_partitions(_rows_by_place(groups.places, counted), slots=attempt.cores)
    together = bring_groups_together(source, texts, groups.places, partitions, keys=attempt.settings.source.keys)
    scorer = GroupedRowScorer(
        replace(rows, source_columns={**rows.source_columns, **_LINEAGE_SOURCES}),
        _ship_group_models(attempt, groups, rows.model),
    )
    tasks = plan_task_profile(attempt.spark, attempt.settings.scoring.resources)
    return score_with_arrow(together, scorer, profile=tasks.profile)


def _rows_by_place(places: Mapping[Group, int], counted: Mapping[Group, int]) -> Mapping[int, int]:
    rows: Counter[int] = Counter()
    for group, place in places.items():
        if counted.get(group):
            rows[place] += counted[group]
    return rows


def _ship_group_models(attempt: Attempt, groups: PinnedGroups, base: ShippedModel) -> tuple[GroupModel, ...]:
    """All models in one archive; what is equal of them is one object, so that tasks are small."""
    digest = json_digest(sorted({one.digest for one in groups.pinned}))
    archive = ship_model_pack(attempt.spark, groups.pinned, digest)
    base = replace(
        base,
        archive=archive,
        is_packed=True,
        most_resident=attempt.settings.model.cache_models or _MOST_RESIDENT,
    )
    known: dict[str, ShippedModel] = {}
    return tuple(_describe_group_model(attempt, one, base, known) for one in groups.pinned)


def _describe_group_model(
    attempt: Attempt, model: PinnedModel, base: ShippedModel, known: dict[str, ShippedModel]
) -> GroupModel:
    if model.digest not in known:
        own = describe_shipped_model(model, params=attempt.settings.model.params)
        known[model.digest] = replace(
            base, digest=own.digest, runtime=own.runtime, file=own.file, code=own.code, config=own.config
        )
    return GroupModel(known[model.digest], (model.name, model.version, model.model_id))
