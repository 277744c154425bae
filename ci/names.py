"""Whether the names of the code can be found: no name is defined by two modules, hardly a function is named by a
participle alone, no two files have one name.

    python ci/names.py      the names that break this, one a line; ends with 1 where there are some
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1] / "src" / "sparkscore"
MOST_PARTICIPLES = 0.01
"""Of all functions."""
IRREGULAR = frozenset(
    [
        "told",
        "held",
        "known",
        "seen",
        "shown",
        "begun",
        "done",
        "made",
        "kept",
        "given",
        "left",
        "found",
        "gone",
        "sent",
        "written",
        "spoken",
        "taken",
        "chosen",
        "broken",
        "met",
        "said",
        "drawn",
        "built",
        "bound",
        "dealt",
        "fed",
        "felt",
        "got",
        "heard",
        "hidden",
        "led",
        "lent",
        "lost",
        "meant",
        "paid",
        "sold",
        "thought",
        "understood",
    ]
)
SIBLINGS = frozenset({"__init__.py"})


def is_participle(name: str) -> bool:
    """Whether a function's name is a participle alone: `published`, `told`."""
    word = name.strip("_")
    return "_" not in word and (word in IRREGULAR or (word.endswith("ed") and len(word) > 4))


def defined(files: Iterator[Path]) -> Iterator[tuple[str, bool, Path]]:
    """Name, whether it is a function's, and file of everything that modules define."""
    for file in files:
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                # Python's own name (`__getattr__` of lazy packages), and what MLflow calls in each loader
                if node.name.startswith("__") or node.name == "_load_pyfunc":
                    continue
                yield node.name, not isinstance(node, ast.ClassDef), file


def faults(root: Path) -> list[str]:
    """What breaks the rules, in words."""
    files = sorted(root.rglob("*.py"))
    homes: dict[str, set[str]] = defaultdict(set)
    participles, functions = [], 0
    for name, is_function, file in defined(iter(files)):
        where = str(file.relative_to(root))
        homes[name.strip("_")].add(where)
        functions += is_function
        if is_function and is_participle(name):
            participles.append(f"{where}: the function {name} is named by a participle alone: name it by what it does")
    named: dict[str, list[str]] = defaultdict(list)
    for file in files:
        named[file.name].append(str(file.relative_to(root)))
    allowed = participles if len(participles) > MOST_PARTICIPLES * functions else []
    return [*_twice(homes, "the name {} is defined"), *_twice(named, "a file named {} is"), *allowed]


def _twice(places: Mapping[str, set[str] | list[str]], words: str) -> list[str]:
    return [
        f"{words.format(name)} in {', '.join(sorted(where))}: give each one of its own"
        for name, where in sorted(places.items())
        if len(where) > 1 and name not in SIBLINGS
    ]


def main() -> int:
    """The exit code."""
    found = faults(ROOT)
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
