"""The queries for analysts in all dialects, made by sqlglot of the ones for Spark.

python -m ci.queries            writes them
python -m ci.queries --check    says which differ; ends with 1 where one does
"""

import sys
from pathlib import Path

import sqlglot

FOLDER = Path(__file__).resolve().parents[1] / "src" / "sparkscore" / "publish" / "queries"
SOURCE = "spark"
DIALECTS = ("databricks", "duckdb", "trino")


def translate_query(text: str, dialect: str) -> str:
    """A query of Spark's in another dialect.

    Raises:  sqlglot's errors for what cannot be read, or cannot be said there.
    """
    (made,) = sqlglot.transpile(
        text, read=SOURCE, write=dialect, pretty=True, unsupported_level=sqlglot.ErrorLevel.RAISE
    )
    return f"{made}\n"


def build_queries() -> dict[Path, str]:
    """Every file that is made, with its text."""
    return {
        FOLDER / dialect / file.name: translate_query(file.read_text(encoding="utf-8"), dialect)
        for file in sorted((FOLDER / SOURCE).glob("*.sql"))
        for dialect in DIALECTS
    }


def find_stale_queries() -> list[Path]:
    """The files that are not what sqlglot makes of their source."""
    return [path for path, text in build_queries().items() if not path.is_file() or path.read_text("utf-8") != text]


def main() -> None:
    """Write the files, or check them."""
    if "--check" in sys.argv[1:]:
        stale = find_stale_queries()
        print("\n".join(f"{path.relative_to(FOLDER)} is not what its source says" for path in stale))  # noqa: T201
        sys.exit(1 if stale else 0)
    for path, text in build_queries().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
