"""A key as people write it: `id=17`, `carrier=AA flight=12`, or a JSON object; as values of its columns' types."""

import json
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from sparkscore.errors import ConfigError
from sparkscore.predicates.exact_values import UnfitValue
from sparkscore.predicates.value_fitting import fit_filter_value
from sparkscore.redaction.secret_patterns import shorten_redacted

_MOST_SHOWN = 200
_TRUTH = {"true": True, "false": False}


def read_key(key: Sequence[str] | Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The values by key column of the prediction table: texts of `name=value`, or what a JSON object says.

    `names`: what a column may be called, and its name in the prediction table. A value alone is that of the only one.

    Raises:  ConfigError for anything else, for a column that is none of the key, is missing, or is given twice.
    """
    columns = list(dict.fromkeys(names.values()))
    found = list(key.items()) if isinstance(key, Mapping) else _read_words(key, names, columns)
    unknown = [name for name, _ in found if name not in names]
    if unknown:
        raise _form_error(f"{_show(unknown[0])} is no key column", columns)
    given = [names[name] for name, _ in found]
    twice = [name for name in columns if given.count(name) > 1]
    if twice:
        raise _form_error(f"the key column {twice[0]} is given twice", columns)
    missing = [name for name in columns if name not in given]
    if missing:
        raise _form_error(f"the key column {', '.join(missing)} is missing", columns)
    values = {names[name]: value for name, value in found}
    return {name: values[name] for name in columns}


def fit_key_values(
    values: Mapping[str, Any], kinds: pa.Schema, *, sensitive: Collection[str] = ()
) -> dict[str, object]:
    """The values as filters take them, each fitting its column's type.

    Raises:  ConfigError for NULL, for a value that does not fit (of a sensitive column it is not shown), and for a type
             whose values nobody can write on a command line.
    """
    return {
        name: _fit_value(name, value, kinds.field(name).type, is_sensitive=name in sensitive)
        for name, value in values.items()
    }


def _fit_value(name: str, value: Any, kind: pa.DataType, *, is_sensitive: bool) -> object:
    shown = "***" if is_sensitive else _show(value)
    if value is None:
        raise ConfigError(
            f"the key column {name} is NULL",
            "a value",
            "rows without a key are rejected with the code null_key: `rejects` counts them",
        )
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        raise ConfigError(
            f"the key column {name} is of the type {kind}",
            "a key of whole numbers, decimals, text, booleans, dates or timestamps",
            "read its rows from the prediction table: `sparkscore sql history` prints the query",
        )
    read = _TextReader(kind).read_value(value.text) if isinstance(value, _Word) else value
    plain = str(read) if isinstance(read, Decimal) and pa.types.is_decimal(kind) else read
    try:
        fitted = fit_filter_value(plain, kind)
        if isinstance(fitted, str):
            fitted.encode()
    except UnfitValue as unfit:
        raise ConfigError(
            f"the key {name} is {shown}", f"{unfit}: the column's type is {kind}", "correct the key"
        ) from unfit
    except UnicodeEncodeError as broken:
        raise ConfigError(
            f"the key {name} holds half of a character", "text that UTF-8 can write", "correct the key"
        ) from broken
    return plain


class _Word:
    """A text of the command line, whose type is that of its column."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


class _TextReader:
    """Reads a text as a value of a type; what cannot be read stays text, which does not fit."""

    def __init__(self, kind: pa.DataType) -> None:
        self._kind = kind

    def read_value(self, text: str) -> object:
        if pa.types.is_boolean(self._kind):
            return _TRUTH.get(text.lower(), text)
        if pa.types.is_integer(self._kind):
            digits = text.removeprefix("-")
            return int(text) if digits.isascii() and digits.isdigit() and len(digits) < _MOST_SHOWN else text
        return text


def _read_words(words: Sequence[str], names: Mapping[str, str], columns: Sequence[str]) -> list[tuple[str, Any]]:
    if words and words[0].lstrip().startswith("{"):
        return _read_json_key(words)
    return [_split_word(word, names, columns) for word in words]


def _read_json_key(words: Sequence[str]) -> list[tuple[str, Any]]:
    text = " ".join(words)
    try:
        pairs = json.loads(text, object_pairs_hook=_Pairs, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"the key {_show(text)} is no JSON object", '{"carrier": "AA", "flight": 12}', "put it in single quotes"
        ) from error
    return list(pairs)


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object, those that are named twice among them."""


def _split_word(word: str, names: Mapping[str, str], columns: Sequence[str]) -> tuple[str, _Word]:
    named = [name for name in names if word.startswith(f"{name}=")]
    if named:
        name = max(named, key=len)
        return name, _Word(word.removeprefix(f"{name}="))
    if "=" not in word and len(columns) == 1:
        return columns[0], _Word(word)
    if "=" not in word:
        raise _form_error(f"{_show(word)} names no column", columns)
    return word.partition("=")[0], _Word(word)


def _form_error(found: str, names: Sequence[str]) -> ConfigError:
    example = " ".join(f"{name}=VALUE" for name in names)
    return ConfigError(found, f"a value for each key column: {example}", "or give the key as a JSON object")


def _show(value: object) -> str:
    return shorten_redacted(repr(str(value)) if not isinstance(value, int) else repr(value), _MOST_SHOWN)
