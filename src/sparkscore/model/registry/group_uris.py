"""Which model a group names: the template of `model.uri`, filled with the group's values. Pure.

A value is a part of a registered name, an alias or a version; never a path, never another placeholder.
"""

import re
from collections.abc import Mapping

from sparkscore.errors import ConfigError
from sparkscore.model.registry.model_uri import ModelUri, parse_model_uri
from sparkscore.settings.model_groups import fill_template, find_placeholders

_LONGEST = 128
_PART = re.compile(rf"[\w][\w .+=,()-]{{0,{_LONGEST - 1}}}")
"""Letters, digits and what names of models have beside them; no slash, no colon, no brace, no control character."""


def name_group_model(template: str, values: Mapping[str, str | None], *, trusted: bool = False) -> ModelUri | str:
    """The registered model that a group names, or why it names none, in words without values.

    `trusted`: the values are of a table of the config, and one alone may be a whole URI.
    """
    named = find_placeholders(template)
    absent = [name for name in named if values.get(name) is None]
    if absent:
        return f"{', '.join(absent)} is NULL"
    texts = {name: str(values[name]) for name in named}
    is_whole = trusted and template == f"{{{named[0]}}}"
    unfit = [] if is_whole else [name for name, text in texts.items() if not _fits_name(text, template)]
    if unfit:
        return f"the value of {', '.join(unfit)} fits no name of a registered model"
    try:
        uri = parse_model_uri(fill_template(template, texts))
    except ConfigError:
        return f"{', '.join(named)} make no URI of a registered model"
    if isinstance(uri, ModelUri) and not uri.is_vertex:
        return uri
    return f"{', '.join(named)} name a model that is not registered in MLflow"


def _fits_name(text: str, template: str) -> bool:
    """A dot in a name of several levels (`catalog.schema.name`) would lead to another catalog."""
    has_levels = "." in template
    return _PART.fullmatch(text) is not None and ".." not in text and not (has_levels and "." in text)
