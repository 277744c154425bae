"""What PyYAML finds wrong with a text, for people who do not know its grammar. The text itself is not shown."""

import yaml
from yaml.reader import ReaderError

from sparkscore.settings.yaml_survey import RefusedYaml

_QUOTE = "put text with special characters in quotes, for example op: '>='"
_INDENT = "indent the settings of one group alike, by spaces, and write a space after each colon"

_FAULTS = (
    ("'\\t'", "a tab", "replace it by spaces: YAML takes no tabs before a setting"),
    ("found another document", "a second document (after ---)", "keep one job in a file, and remove the other"),
    ("cannot start any token", "a value that begins with a special character", _QUOTE),
    ("mapping values are not allowed", "a colon where no setting can begin", f"{_INDENT}; {_QUOTE}"),
    ("could not find expected ':'", "a line without a colon before it", "write it as name: value"),
    ("unexpected end of stream", "a quote that is not closed", "close it"),
    ("'<stream end>'", "a bracket that is not closed", "close it"),
    ("expected <block end>", "a line whose indentation fits none above", _INDENT),
    ("but got", "a bracket, comma or quote is missing before it, or a special character is not quoted", _QUOTE),
    ("constructor for the tag", "a tag (!…), which config files do not take", "write the value itself"),
    ("undefined alias", "an alias (*…) of what no anchor (&…) names", "write the value itself, or quote the text"),
    ("directive", "a line that begins with %", _QUOTE),
    ("<document start>", "more after the first value: this is another format, or a bracket is not quoted", _QUOTE),
    ("for merging", "a merge (<<) of what is no mapping", "merge a mapping"),
)
"""A part of what PyYAML says, what was found, what to do. The first that fits counts."""


def explain_yaml_fault(fault: yaml.YAMLError) -> RefusedYaml:
    """The fault with its line, in plain words."""
    if isinstance(fault, RefusedYaml):
        return fault
    if isinstance(fault, ReaderError):
        return RefusedYaml(
            f"character {fault.position + 1} is one that YAML does not allow (code {_character_code(fault):#x})",
            "text",
            "remove it, or write it as an escape in double quotes",
        )
    problem = f"{getattr(fault, 'context', None) or ''} {getattr(fault, 'problem', None) or fault}".strip()
    found, do = next(((found, do) for part, found, do in _FAULTS if part in problem), (problem, _QUOTE))
    return RefusedYaml(f"{_describe_position(fault)}{found}", "YAML", do)


def _describe_position(fault: yaml.YAMLError) -> str:
    """Where the fault is; of what is not closed, where it begins."""
    is_open = "end of stream" in str(fault) or "<stream end>" in str(fault)
    mark = getattr(fault, "context_mark" if is_open else "problem_mark", None)
    return "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "


def _character_code(fault: ReaderError) -> int:
    found = fault.character
    return found if isinstance(found, int) else ord(found)
