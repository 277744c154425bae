"""Which inputs each column of a fitted scikit-learn pipeline comes from. Runs on executors.

A column that comes of several inputs belongs to all of them together: what it adds to a prediction is not divided.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

Group = frozenset[str]
"""The inputs that a column comes from."""


def trace_column_groups(transformer: Any, incoming: Sequence[Group], columns: int) -> list[Group]:
    """The inputs of each column that a fitted transformer puts out.

    Needs:   `incoming`, those of each column that it is given; `columns`, how many it puts out. Of a transformer that
             is not known here each column comes of all columns that it is given.
    Shapes:  incoming columns -> `columns` groups.
    """
    found = _trace(transformer, list(incoming), columns)
    return found if len(found) == columns else [_join(incoming)] * columns


def name_group(group: Group, inputs: Sequence[str]) -> str:
    """A group in words: its inputs, in their order."""
    return " × ".join(name for name in inputs if name in group)


def _join(groups: Sequence[Group]) -> Group:
    return frozenset().union(*groups)


def _trace(transformer: Any, incoming: list[Group], columns: int) -> list[Group]:
    if transformer in ("passthrough", None):
        return incoming
    if transformer == "drop":
        return []
    kind = {one.__name__ for one in type(transformer).__mro__}
    for name, trace in _TRACES.items():
        if name in kind:
            found: list[Group] = trace(transformer, incoming, columns)
            return found
    return []


def _trace_pipeline(pipeline: Any, incoming: list[Group], columns: int) -> list[Group]:
    steps = [step for _, step in pipeline.steps if step not in ("passthrough", None)]
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        width = columns if following is None else int(getattr(following, "n_features_in_", 0))
        incoming = trace_column_groups(step, incoming, width or len(incoming))
    return incoming


def _trace_union(union: Any, incoming: list[Group], columns: int) -> list[Group]:
    known = [one for _, one in union.transformer_list if one != "drop"]
    widths = [len(incoming) if one == "passthrough" else len(one.get_feature_names_out()) for one in known]
    found = [trace_column_groups(*pair) for pair in zip(known, [incoming] * len(known), widths, strict=True)]
    return [group for part in found for group in part] if sum(widths) == columns else []


def _trace_column_transformer(transformer: Any, incoming: list[Group], columns: int) -> list[Group]:
    found = [_join(incoming)] * columns
    names = [str(name) for name in getattr(transformer, "feature_names_in_", ())]
    for name, part, chosen in transformer.transformers_:
        place = transformer.output_indices_.get(name)
        if place is None or place.stop <= place.start:
            continue
        own = [incoming[index] for index in _column_positions(chosen, names, len(incoming))]
        found[place] = trace_column_groups(part, own, place.stop - place.start)
    return found


def _column_positions(chosen: Any, names: Sequence[str], count: int) -> list[int]:
    """Positions of the columns that a part of a ColumnTransformer takes, however they are named."""
    if isinstance(chosen, str | int | np.integer):
        chosen = [chosen]
    if isinstance(chosen, slice):
        first, last = (names.index(one) if isinstance(one, str) else one for one in (chosen.start, chosen.stop))
        stop = last + 1 if isinstance(chosen.stop, str) else last  # a name is a part of its slice
        return [*range(count)][first : stop : chosen.step]
    values = list(chosen)
    if values and all(isinstance(one, bool | np.bool_) for one in values):
        return [index for index, is_chosen in enumerate(values) if is_chosen]
    return [names.index(one) if isinstance(one, str) else int(one) % count for one in values]


def _trace_one_hot(encoder: Any, incoming: list[Group], columns: int) -> list[Group]:
    dropped = encoder.drop_idx_ if encoder.drop_idx_ is not None else [None] * len(incoming)
    rare = getattr(encoder, "infrequent_categories_", [None] * len(incoming))
    widths = [
        len(categories) - (0 if few is None else len(few) - 1) - (0 if drop is None else 1)
        for categories, few, drop in zip(encoder.categories_, rare, dropped, strict=True)
    ]
    return _repeat(incoming, widths)


def _trace_bins(binner: Any, incoming: list[Group], columns: int) -> list[Group]:
    return incoming if binner.encode == "ordinal" else _repeat(incoming, [int(bins) for bins in binner.n_bins_])


def _repeat(incoming: Sequence[Group], widths: Sequence[int]) -> list[Group]:
    return [group for group, width in zip(incoming, widths, strict=True) for _ in range(width)]


def _trace_splines(splines: Any, incoming: list[Group], columns: int) -> list[Group]:
    return _repeat(incoming, [columns // max(len(incoming), 1)] * len(incoming))


def _trace_powers(polynomial: Any, incoming: list[Group], columns: int) -> list[Group]:
    return [_join([incoming[index] for index in np.flatnonzero(powers)]) for powers in polynomial.powers_]


def _trace_imputer(imputer: Any, incoming: list[Group], columns: int) -> list[Group]:
    statistics = np.asarray(imputer.statistics_, dtype=object)
    is_kept = [imputer.keep_empty_features or one == one for one in statistics]  # noqa: PLR0124  NaN: an empty column
    kept = [group for group, is_there in zip(incoming, is_kept, strict=True) if is_there]
    marks = [] if imputer.indicator_ is None else [incoming[index] for index in imputer.indicator_.features_]
    return kept + marks


def _trace_selection(selector: Any, incoming: list[Group], columns: int) -> list[Group]:
    return [incoming[index] for index in selector.get_support(indices=True)]


def _trace_function(transformer: Any, incoming: list[Group], columns: int) -> list[Group]:
    """A function of numpy takes each value by itself; of any other function nobody knows."""
    return incoming if transformer.func is None or isinstance(transformer.func, np.ufunc) else []


_TRACES: dict[str, Any] = {
    "Pipeline": _trace_pipeline,
    "FeatureUnion": _trace_union,
    "ColumnTransformer": _trace_column_transformer,
    "OneHotEncoder": _trace_one_hot,
    "KBinsDiscretizer": _trace_bins,
    "SplineTransformer": _trace_splines,
    "PolynomialFeatures": _trace_powers,
    "SimpleImputer": _trace_imputer,
    "SelectorMixin": _trace_selection,
    "FunctionTransformer": _trace_function,
    "OneToOneFeatureMixin": lambda _, incoming, __: incoming,
}
"""By the name of a class, or of one that it derives from; the first one counts."""
