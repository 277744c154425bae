"""What the source says beside the objects that it defines: texts below attributes, annotations as they are written."""

import ast
import inspect
from collections.abc import Callable, Iterator
from itertools import pairwise
from types import ModuleType
from typing import Any

_LINE = 110
_NEW_LINE = "\n    "


def read_attribute_texts(owner: type | ModuleType) -> dict[str, str]:
    """The text that follows each attribute of a class or module, by the attribute's name."""
    tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(owner)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else tree.body
    return {
        name: " ".join(after.value.value.split())
        for before, after in pairwise(body)
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str)
        for name in _assigned_names(before)
    }


def _assigned_names(node: ast.stmt) -> Iterator[str]:
    targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets if isinstance(node, ast.Assign) else []
    yield from (target.id for target in targets if isinstance(target, ast.Name))


def read_signature(function: Callable[..., Any], name: str, *, is_method: bool = False) -> str:
    """The signature of a function as its source has it; one line per parameter where one line is too short."""
    node = ast.parse(inspect.cleandoc("\n" + inspect.getsource(function))).body[0]
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        raise TypeError(f"{function!r} is no plain function")
    name = f"async {name}" if isinstance(node, ast.AsyncFunctionDef) else name
    parameters = list(_format_parameters(node.args))[1 if is_method else 0 :]
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    line = f"{name}({', '.join(parameters)}){result}"
    return line if len(line) <= _LINE else f"{name}(\n    {f',{_NEW_LINE}'.join(parameters)},\n){result}"


def read_summary(documented: Any) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(documented) or "").partition("\n\n")[0].split())


def _format_parameters(arguments: ast.arguments) -> Iterator[str]:
    positional = [*arguments.posonlyargs, *arguments.args]
    missing = [None] * (len(positional) - len(arguments.defaults))
    for argument, default in zip(positional, [*missing, *arguments.defaults], strict=True):
        yield _format_parameter(argument, default)
    if arguments.vararg is not None:
        yield f"*{ast.unparse(arguments.vararg)}"
    elif arguments.kwonlyargs:
        yield "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _format_parameter(argument, default)


def _format_parameter(argument: ast.arg, default: ast.expr | None) -> str:
    return ast.unparse(argument) + (f" = {ast.unparse(default)}" if default is not None else "")
