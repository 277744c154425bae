"""Facets of datasets: version, columns, where these come from, rows, what gates found. Needs the extra lineage."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparkscore.monitor.lineage.own_facets import PRODUCER
from sparkscore.records import ColumnOrigin, LineageDataset, RuleVerdict, RunLineage, Verdict
from sparkscore.redaction.secret_patterns import redact_secrets

if TYPE_CHECKING:
    from openlineage.client.facet_v2 import column_lineage_dataset

_RULE = re.compile(r"(?P<type>\w+)(?:\((?P<columns>.*)\))?")
_SEVERITIES = {"critical": "error", "warning": "warn", "info": "info"}
_DIRECT = ("IDENTITY", "TRANSFORMATION")


def describe_dataset_facets(dataset: LineageDataset) -> dict[str, Any]:
    """Version, columns, format and further names of a dataset."""
    from openlineage.client import facet_v2 as facets

    found: dict[str, Any] = {"datasetType": facets.dataset_type_dataset.DatasetTypeDatasetFacet(dataset.kind)}
    if dataset.version is not None:
        found["version"] = facets.dataset_version_dataset.DatasetVersionDatasetFacet(dataset.version)
    if dataset.format is not None:
        layer = "parquet" if dataset.format == "delta" else dataset.format
        found["storage"] = facets.storage_dataset.StorageDatasetFacet(dataset.format, layer)
    if dataset.fields:
        columns = [
            facets.schema_dataset.SchemaDatasetFacetFields(one.name, one.type, one.description or None, fields=None)
            for one in dataset.fields
        ]
        found["schema"] = facets.schema_dataset.SchemaDatasetFacet(columns)
    if dataset.location is not None:
        place = facets.symlinks_dataset.Identifier(dataset.location.namespace, dataset.location.name, "LOCATION")
        found["symlinks"] = facets.symlinks_dataset.SymlinksDatasetFacet([place])
    return set_producers(found)


def describe_column_lineage(lineage: RunLineage) -> dict[str, Any]:
    """The facet `columnLineage` of the output; none where nothing is known of its columns."""
    from openlineage.client.facet_v2 import column_lineage_dataset as facets

    if not lineage.columns:
        return {}
    fields = {name: _describe_origins(origins) for name, origins in lineage.columns.items() if origins}
    return set_producers(
        {"columnLineage": facets.ColumnLineageDatasetFacet(fields, [_to_input_field(one) for one in lineage.filters])}
    )


def _describe_origins(origins: Sequence[ColumnOrigin]) -> "column_lineage_dataset.Fields":
    from openlineage.client.facet_v2 import column_lineage_dataset as facets

    is_copy = all(one.kind == "IDENTITY" for one in origins)
    fields = [_to_input_field(one) for one in origins]
    return facets.Fields(fields, transformationType="IDENTITY" if is_copy else None)


def _to_input_field(origin: ColumnOrigin) -> "column_lineage_dataset.InputField":
    from openlineage.client.facet_v2 import column_lineage_dataset as facets

    kind = "DIRECT" if origin.kind in _DIRECT else "INDIRECT"
    how = facets.Transformation(kind, origin.kind, origin.description or None, masking=False)
    return facets.InputField(origin.dataset.namespace, origin.dataset.name, origin.field, [how])


def describe_assertions(verdicts: Sequence[Verdict], gate: str) -> dict[str, Any]:
    """What a gate found, rule by rule; nothing where it has not judged."""
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as facets

    rules = [rule for verdict in verdicts if verdict.gate == gate for rule in verdict.rules]
    if not rules:
        return {}
    assertions = [facets.Assertion(**_assertion_values(rule)) for rule in rules]
    return set_producers({"dataQualityAssertions": facets.DataQualityAssertionsDatasetFacet(assertions)})


def _assertion_values(rule: RuleVerdict) -> Mapping[str, Any]:
    found = _RULE.fullmatch(rule.rule)
    columns = (found["columns"] or "") if found else ""
    return {
        "assertion": found["type"] if found else rule.rule,
        "success": rule.passed,
        "column": columns if columns and ", " not in columns else None,
        "severity": _SEVERITIES[rule.severity],
        "name": rule.rule,
        "expected": redact_secrets(rule.expected),
        "actual": redact_secrets(rule.observed),
        "params": None,
    }


def describe_rows_read(rows: int | None) -> dict[str, Any]:
    """How many rows a run has read of an input."""
    from openlineage.client.facet_v2 import input_statistics_input_dataset as facets

    return {} if rows is None else set_producers({"inputStatistics": facets.InputStatisticsInputDatasetFacet(rows)})


def describe_rows_written(rows: int | None) -> dict[str, Any]:
    """How many rows a run has written to an output."""
    from openlineage.client.facet_v2 import output_statistics_output_dataset as facets

    return {} if rows is None else set_producers({"outputStatistics": facets.OutputStatisticsOutputDatasetFacet(rows)})


def set_producers(facets: dict[str, Any]) -> dict[str, Any]:
    """The facets with this suite as their producer, not OpenLineage's client."""
    for facet in facets.values():
        facet._producer = PRODUCER  # noqa: SLF001  so the specification calls it
    return facets
