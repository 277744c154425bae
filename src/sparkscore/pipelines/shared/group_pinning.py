"""Pins of a run with one model per group: all groups of the source, and the version that scores each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from sparkscore.errors import (
    DigestMismatch,
    ModelNotFound,
    PinsConflict,
    SignatureError,
)
from sparkscore.model.registry.group_resolution import CopyFolders, resolve_group_models
from sparkscore.model.registry.group_uris import name_group_model
from sparkscore.model.registry.model_resolution import PrivateCopy, describe_private_copy
from sparkscore.model.registry.model_uri import ModelUri
from sparkscore.model.registry.private_copies import find_private_copy
from sparkscore.model.trust.model_trust import check_model_origin
from sparkscore.pipelines.shared.model_pinning import find_copies_of_home
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.source_groups import (
    check_group_columns,
    count_source_groups,
    load_group_table,
    pin_group_table,
)
from sparkscore.pipelines.shared.source_pinning import Landing, pin_group_columns
from sparkscore.records import (
    Group,
    GroupEntry,
    ModelSet,
    PinnedGroups,
    PinnedModel,
    Pins,
    ReportedGroup,
    ReportedGroups,
    Snapshot,
)
from sparkscore.settings import Settings
from sparkscore.store.model_sets import keep_model_set, load_model_set

_SHOWN = 5
_LISTED = 20
"""Groups of a plan for people."""


class SourceWithoutGroupsError(Exception):
    """The source has no rows: there is no group, and no model that says what a prediction is."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(snapshot)
        self.snapshot = snapshot


def resolve_run_groups(
    attempt: Attempt, keep: Pins | None, copies: str, landing: Landing
) -> tuple[PinnedModel, PinnedGroups, Snapshot]:
    """What stands for the models of a run, its groups with their models, and the columns that tell the groups apart.

    Models are those that an attempt has pinned, else what the registry names now.

    Jobs:    one that counts the rows of each group, none for kept pins; one for a table that maps groups.
    Raises:  SourceWithoutGroupsError; ModelNotFound where no group has a model; SignatureError for models of which one
             takes or returns other values than another; as `resolve_group_models`.
    """
    snapshot = pin_group_columns(attempt, keep, landing)
    check_group_columns(snapshot.schema, attempt.settings.model.by, table=snapshot.table.name)
    folders = CopyFolders(copies, find_copies_of_home(attempt))
    groups = _resolve_anew(attempt, snapshot, folders) if keep is None else _restore_kept(attempt, keep, folders)
    _refuse_other_signatures(groups.pinned)
    _warn_of_missing(attempt, groups)
    attempt.report = replace(attempt.report, groups=_report_groups(groups))
    return _describe_set(attempt.settings, groups), groups, snapshot


def keep_run_models(attempt: Attempt, groups: PinnedGroups | None) -> None:
    """Keep the models of a run beside its prediction table, before an event names them.

    Raises:  ForeignTable, PublishConflict, AccessDenied.
    """
    if groups is not None and attempt.run is not None:
        keep_model_set(attempt.target.sibling("_models"), attempt.run, groups.models)


def _report_groups(groups: PinnedGroups) -> ReportedGroups:
    models, rows = groups.models, groups.rows or {}
    largest = [
        ReportedGroup(
            _entry_label(models, one),
            None if one.model_key is None else f"{one.name} version {one.version}",
            rows.get(one.group),
        )
        for one in _largest_first(groups)[:_SHOWN]
    ]
    return ReportedGroups(len(models.entries), len(groups.pinned), len(models.missing), tuple(largest))


def _largest_first(groups: PinnedGroups) -> list[GroupEntry]:
    rows = groups.rows or {}
    return sorted(groups.models.entries, key=lambda one: (-rows.get(one.group, 0), one.group))


def describe_groups(groups: PinnedGroups | None) -> list[tuple[str, str]]:
    """Lines (what, how) for people: the groups with the most rows and their models, and groups without one."""
    if groups is None:
        return []
    models, missing = groups.models, groups.models.missing
    rows = groups.rows or {}
    largest = _largest_first(groups)
    lines = [("groups", f"{len(models.entries):,} of {', '.join(models.columns)}, {len(groups.pinned):,} models")]
    lines += [("group", _entry_text(models, one, rows)) for one in largest[:_LISTED]]
    if len(largest) > _LISTED:
        lines.append(("group", f"{len(largest) - _LISTED:,} more"))
    lines += [("no model", _entry_text(models, one, rows)) for one in missing[:_LISTED]]
    if len(missing) > _LISTED:
        lines.append(("no model", f"{len(missing) - _LISTED:,} more"))
    return lines


def _entry_text(models: ModelSet, entry: GroupEntry, rows: Mapping[Group, int]) -> str:
    model = entry.missing if entry.model_key is None else f"{entry.name} version {entry.version}"
    counted = f", {rows[entry.group]:,} rows" if entry.group in rows else ""
    return f"{_entry_label(models, entry)}: {model}{counted}"


def _resolve_anew(attempt: Attempt, snapshot: Snapshot, folders: CopyFolders) -> PinnedGroups:
    settings, found = attempt.settings, pin_group_table(attempt, None)
    rows = count_source_groups(attempt, snapshot)
    if not rows:
        raise SourceWithoutGroupsError(snapshot)
    groups = sorted(group for group in rows if group is not None)
    mapped = None if found is None else load_group_table(attempt, found[0], found[1].version)
    named = {group: _name_model(settings, group, mapped) for group in groups}
    resolved = _resolve_uris(attempt, {one for one in named.values() if isinstance(one, ModelUri)}, folders)
    entries = [_to_entry(group, resolved[one] if isinstance(one, ModelUri) else one) for group, one in named.items()]
    counted = {group: count for group, count in rows.items() if group is not None}
    models = {(one.name, one.version): one for one in resolved.values() if isinstance(one, PinnedModel)}
    table = None if found is None else found[1]
    return _require_models(PinnedGroups(ModelSet(settings.model.by, tuple(entries)), _in_order(models), counted, table))


def _name_model(
    settings: Settings, group: Group, mapped: Mapping[Group, Mapping[str, str | None]] | None
) -> ModelUri | str:
    if mapped is None:
        return name_group_model(settings.model.uri, dict(zip(settings.model.by, group, strict=True)))
    values = mapped.get(group)
    return "the table has no row for the group" if values is None else _name_mapped_model(settings, values)


def _name_mapped_model(settings: Settings, values: Mapping[str, str | None]) -> ModelUri | str:
    return name_group_model(settings.model.uri, values, trusted=True)


def _to_entry(group: Group, found: PinnedModel | ModelNotFound | str) -> GroupEntry:
    if isinstance(found, PinnedModel):
        return GroupEntry(group, found.name, found.version, found.model_id, found.digest)
    return GroupEntry(group, missing=found if isinstance(found, str) else found.found)


def _resolve_uris(
    attempt: Attempt, uris: set[ModelUri], folders: CopyFolders
) -> Mapping[ModelUri, PinnedModel | ModelNotFound]:
    settings = attempt.settings
    if not uris:
        return {}
    return resolve_group_models(
        sorted(uris, key=str),
        _make_description(settings),
        folders,
        tracking_uri=settings.tracking_uri,
        trust=settings.model.trust_policy,
    )


def _make_description(settings: Settings) -> partial[PinnedModel]:
    model = settings.model
    return partial(
        describe_private_copy,
        runtime=model.runtime,
        params=model.params,
        config=model.config,
        signature=model.signature.to_parts(),
        inputs=model.mapped_inputs,
        trust=model.trust_policy,
    )


def _in_order(models: Mapping[tuple[str, str], PinnedModel]) -> tuple[PinnedModel, ...]:
    return tuple(models[key] for key in sorted(models))


def _require_models(groups: PinnedGroups) -> PinnedGroups:
    if not groups.pinned:
        first = groups.models.missing[:1]
        why = f": {_entry_label(groups.models, first[0])}: {first[0].missing}" if first else ""
        raise ModelNotFound(
            f"none of the {len(groups.models.entries):,} groups has a model{why}",
            "a registered model for at least one group",
            "correct model.uri or the table of model.groups, or register the models",
        )
    return groups


def _restore_kept(attempt: Attempt, keep: Pins, folders: CopyFolders) -> PinnedGroups:
    """The models that the pins name, by their digests: from private copies, else from the registry."""
    settings, by = attempt.settings, attempt.settings.model.by
    table = attempt.target.sibling("_models")
    models = load_model_set(table, job=settings.job, as_of=attempt.as_of, columns=by, digest=keep.model_digest)
    if models is None:
        raise PinsConflict(
            f"the models that the previous attempt pinned are no longer in {table.name}",
            f"the rows of the set {keep.model_digest[:12]}",
            "--restart pins source and models again",
        )
    wanted = {key: entry for entry in models.entries if (key := entry.model_key) is not None}
    found = {key: copy for key, entry in wanted.items() if (copy := _find_copy(settings, entry, folders))}
    left = {key: ModelUri(key[0], None, key[1]) for key in wanted if key not in found}
    resolved = _resolve_uris(attempt, set(left.values()), folders)
    for key, uri in left.items():
        found[key] = _require_kept(wanted[key], resolved[uri])
    return PinnedGroups(models, _in_order(found), table=keep.additions.groups)


def _find_copy(settings: Settings, entry: GroupEntry, folders: CopyFolders) -> PinnedModel | None:
    name, version, digest = str(entry.name), str(entry.version), str(entry.digest)
    for folder in dict.fromkeys((folders.known, folders.copies)):
        copy = None if folder is None else find_private_copy(folder, digest)
        if copy is not None:
            uris = () if settings.tracking_uri is None else (settings.tracking_uri,)
            check_model_origin(settings.model.trust_policy, name=name, uris=uris)
            return _make_description(settings)(PrivateCopy(name, version, digest, copy[0]))
    return None


def _require_kept(entry: GroupEntry, found: PinnedModel | ModelNotFound) -> PinnedModel:
    if isinstance(found, ModelNotFound):
        raise found
    if found.digest != entry.digest:
        raise DigestMismatch(
            f"the files of {entry.name} version {entry.version} have the digest {found.digest[:12]}",
            f"{str(entry.digest)[:12]}, as the previous attempt pinned them",
            "find out who changed them and restore them; --restart takes them as they are",
        )
    return found


def _refuse_other_signatures(models: Sequence[PinnedModel]) -> None:
    """All rows of a run are in one table, and reach the models from the same columns."""
    first = models[0]
    for other in models[1:]:
        parts = ("inputs", "tensor", "output", "parts")
        differing = [name for name in parts if getattr(first, name) != getattr(other, name)]
        if differing:
            mine, theirs = (_signature_text(one) for one in (first, other))
            raise SignatureError(
                f"{other.name} version {other.version} has other {differing[0]} than {first.name} version"
                f" {first.version}: {theirs}, and not {mine}",
                "models of one signature: the same inputs in the same order, and one type of predictions",
                "log the models of all groups with one signature, or score the groups of each kind by a job of its own",
            )


def _signature_text(model: PinnedModel) -> str:
    inputs = ", ".join(
        f"{place if one.name is None else one.name}: {one.type}" for place, one in enumerate(model.inputs)
    )
    return f"({inputs}) -> {model.output}"


def _describe_set(settings: Settings, groups: PinnedGroups) -> PinnedModel:
    """The first model in the name of all: what holds for each of them, and the warnings of all."""
    counts = Counter(warning for one in groups.pinned for warning in one.warnings)
    warnings = tuple(f"{count:,} models: {text}" if count > 1 else text for text, count in counts.items())
    models = groups.models
    return replace(
        groups.pinned[0],
        name=settings.model.uri,
        version=models.version,
        model_id="",
        digest=models.digest,
        warnings=warnings,
    )


def _warn_of_missing(attempt: Attempt, groups: PinnedGroups) -> None:
    missing = groups.models.missing
    if missing:
        shown = "; ".join(f"{_entry_label(groups.models, one)}: {one.missing}" for one in missing[:_SHOWN])
        more = f"; and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
        attempt.warn(
            f"{len(missing):,} of {len(groups.models.entries):,} groups have no model, and their rows are rejected"
            f" (no_model): {shown}{more}"
        )


def _entry_label(models: ModelSet, entry: GroupEntry) -> str:
    return ", ".join(f"{name} {value[:40]!r}" for name, value in zip(models.columns, entry.group, strict=True))
