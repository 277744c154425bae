"""Drafts the config of a job: from the signature of a model and the columns of a table."""

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.model.registry.model_resolution import resolve_model
from sparkscore.model.signature.lossless_casts import is_lossless_cast
from sparkscore.model.signature.number_casts import CAST_TYPES, can_cast_numbers, is_text_type, number_type
from sparkscore.model.signature.open_types import close_input_type, describe_input_type
from sparkscore.records import ModelInput, PinnedModel
from sparkscore.redaction.uri_credentials import has_uri_credentials
from sparkscore.settings import TableSettings
from sparkscore.spark.type_mapping import spark_to_arrow_schema
from sparkscore.store.table import Table

_KEY_NAME = re.compile(r"(?i)(id|key|uuid|guid|pk)|.+[_ -](id|key|uuid|guid|pk|no|nr|number)|[a-z0-9]+(Id|ID|Key)")


class KeysUnknown(ConfigError):
    """No name of a column says that it identifies a row, or several do."""

    remedy = "give them with --keys"


@dataclass(frozen=True, slots=True)
class DraftedInput:
    """An input of the model, and the column that it is to be read from."""

    name: str
    kind: str
    """Its type in the model."""
    column: str | None
    """None where no column of the table has a name like it."""
    source_kind: str = ""
    cast: str | None = None
    """What `model.casts` must allow: the column's type does not hold every value of it without loss."""
    effect: str = ""
    """What that cast does."""
    problem: str = ""
    """Why the column does not fit, where no cast helps."""
    required: bool = True


@dataclass(frozen=True, slots=True)
class ConfigDraft:
    """What the config of a job says, before it is written."""

    job: str
    table: str
    model_uri: str
    model: PinnedModel
    table_version: int
    keys: tuple[str, ...]
    is_key_guessed: bool
    inputs: tuple[DraftedInput, ...]
    others: tuple[str, ...]
    """Columns that are neither keys nor inputs."""
    output: str
    has_score: bool
    """One number per row, which a threshold may turn into a label."""


def draft_config(spark: SparkSession | None, settings: TableSettings) -> ConfigDraft:
    """What a config for `model.uri` and `source.table` of these settings says; keys are guessed where none are given.

    Jobs:    none; without a session SparkNeeded where only Spark reaches the table.
    Raises:  ConfigError where the keys cannot be guessed; as `resolve_model`; TableNotFound, NameRefused.
    """
    table = Table.from_name(spark, settings.source.table, home=settings.home_uri)
    version = table.load_newest_version()
    schema = spark_to_arrow_schema(table.load_schema(version))
    model = _resolve_drafted_model(settings)
    inputs = tuple(_match_input(position, one, schema) for position, one in enumerate(model.inputs))
    used = {one.column for one in inputs if one.column is not None}
    given = settings.source.keys
    absent = [name for name in given if name not in schema.names]
    if absent:
        raise ConfigError(
            f"{settings.source.table} has no column {', '.join(absent)}",
            f"columns of the table: {', '.join(schema.names)}",
            "correct --keys",
        )
    keys = given or _guess_keys(schema, used, settings.source.table)
    return ConfigDraft(
        job=settings.job or re.sub(r"[^A-Za-z0-9._-]+", "-", model.name.rpartition(".")[2]).strip("-._") or "job",
        table=settings.source.table,
        model_uri=settings.model.uri,
        model=model,
        table_version=version,
        keys=tuple(keys),
        is_key_guessed=not given,
        inputs=inputs,
        others=tuple(name for name in schema.names if name not in used and name not in keys),
        output=settings.output.table or f"{settings.source.table.rstrip('/')}_predictions",
        has_score=pa.types.is_floating(model.output),
    )


def _resolve_drafted_model(settings: TableSettings) -> PinnedModel:
    with tempfile.TemporaryDirectory(prefix="sparkscore-config-") as copies:
        return resolve_model(
            settings.model.uri,
            tracking_uri=settings.tracking_uri,
            runtime=settings.model.runtime,
            params={},
            copies=copies,
            trust=settings.model.trust_policy,
        )


def _match_input(position: int, model_input: ModelInput, schema: pa.Schema) -> DraftedInput:
    name = str(position) if model_input.name is None else model_input.name
    kind = describe_input_type(model_input.type)
    column = _find_similar_column(name, schema.names) if model_input.name is not None else None
    if column is None:
        return DraftedInput(name, kind, None, required=model_input.required)
    source = schema.field(column).type
    target = close_input_type(model_input.type, source, model_input.optional)
    if is_lossless_cast(source, target):
        return DraftedInput(name, kind, column, str(source), required=model_input.required)
    casts = [word for word, numbers in CAST_TYPES.items() if numbers == number_type(target)]
    if casts and can_cast_numbers(source, target):
        effect = "rounds" if pa.types.is_floating(number_type(target)) else "rejects rows that do not fit"
        effect = "rejects rows whose text is no number" if is_text_type(source) else effect
        return DraftedInput(name, kind, column, str(source), casts[0], effect, required=model_input.required)
    problem = f"the column is {source}, and no cast keeps every value: change it in the source, or train on this type"
    return DraftedInput(name, kind, column, str(source), problem=problem, required=model_input.required)


def _find_similar_column(name: str, columns: Sequence[str]) -> str | None:
    """The column of that name; else the only one that has it but for case, spaces, dashes and underscores."""
    if name in columns:
        return name
    folded = [column for column in columns if _fold_column(column) == _fold_column(name)]
    return folded[0] if len(folded) == 1 else None


def _fold_column(name: str) -> str:
    return re.sub(r"[\s_.-]+", "", name).lower()


def _guess_keys(schema: pa.Schema, used: set[str], table: str) -> tuple[str, ...]:
    """The column whose name says that it identifies a row: `id`, or the only one like `customer_id`."""
    fit = [one.name for one in schema if _can_be_key(one.type) and one.name not in used]
    named = [name for name in fit if _KEY_NAME.fullmatch(name)]
    plain = [name for name in named if name.lower() in ("id", "key", "uuid", "guid", "pk")]
    own = [name for name in named if _fold_column(name) in _own_key_names(table)]
    for found in (plain, own, named):
        if len(found) == 1:
            return (found[0],)
    among = f"several columns may be: {', '.join(named)}" if named else "no column is named like one"
    raise KeysUnknown(
        f"the keys of {table} cannot be guessed: {among}",
        "the columns that identify a row",
        f"give them with --keys; the table has {', '.join(fit) or 'no column that may be one'}",
    )


def _own_key_names(table: str) -> set[str]:
    """`flight_id` and `flights_id`, folded, for a table `flights`."""
    last = _fold_column(re.split(r"[./]", table.rstrip("/"))[-1])
    return {f"{word}{end}" for word in (last, last.removesuffix("s")) for end in ("id", "key", "no", "number")}


def _can_be_key(kind: pa.DataType) -> bool:
    return not (pa.types.is_floating(kind) or pa.types.is_nested(kind) or pa.types.is_boolean(kind))


def draft_settings(draft: ConfigDraft, extra: Mapping[str, str]) -> dict[str, object]:
    """The settings that the config holds. `extra`: further ones, of the command line; no address with a password."""
    mapped = {one.name: one.column for one in draft.inputs if one.column is not None and one.column != one.name}
    model: dict[str, object] = {"uri": draft.model_uri, **({"inputs": mapped} if mapped else {})}
    if "model.tracking_uri" in extra and not has_uri_credentials(extra["model.tracking_uri"]):
        model["tracking_uri"] = extra["model.tracking_uri"]
    home = {"home": extra["home"]} if "home" in extra else {}
    return {
        "job": draft.job,
        **home,
        "source": {"table": draft.table, "keys": list(draft.keys)},
        "model": model,
        "output": {"table": draft.output},
    }
