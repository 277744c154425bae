"""Real texts of mixed length that lie on every machine: what installed packages say of themselves.

    python -m sparkscore.workloads.embeddings.package_texts --home .sparkscore --model FOLDER

writes them as the Delta table `package_texts` below the home folder and registers the model for
`conf/examples/embeddings.yaml`. Needs no network. Runs on the driver.
"""

import argparse
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pyarrow as pa

SCHEMA = pa.schema(
    [
        pa.field("text_id", pa.int64(), nullable=False),
        ("kind", pa.string()),
        ("package", pa.string()),
        ("text", pa.string()),
    ]
)
TABLE = "package_texts"
MODEL = "package-embeddings"
_LEAST_CHARACTERS = 20
"""Of a paragraph: shorter ones are rules and headings."""
_MAX_BYTES = 4 << 20


def collect_package_texts(folders: Sequence[str] | None = None) -> pa.Table:
    """One row per text: summaries (a line), documents (whole descriptions and README files), and the paragraphs of
    descriptions. `folders`: where packages are installed; default `sys.path`. In an order that does not change between
    calls, with equal texts where packages share them.
    """
    places = list(sys.path if folders is None else folders)
    found = sorted(_list_texts(_list_distributions(places), places))
    columns: list[Sequence[object]] = [range(len(found)), *zip(*found, strict=True)] if found else [[], [], [], []]
    return pa.table(dict(zip(SCHEMA.names, map(list, columns), strict=True)), schema=SCHEMA)


def _list_distributions(folders: list[str]) -> list[Distribution]:
    known: dict[str, Distribution] = {}
    for one in distributions(path=folders):
        known.setdefault(one.metadata["Name"], one)  # as import finds it: the first
    return list(known.values())


def _list_texts(packages: Iterable[Distribution], folders: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    for package in packages:
        name, described = package.metadata["Name"], package.metadata.get_payload()  # type: ignore[attr-defined]
        if summary := package.metadata.json.get("summary"):
            yield "summary", name, str(summary)
        if text := str(described or package.metadata.json.get("description") or "").strip():
            yield "document", name, text
            for part in re.split(r"\n\s*\n", text):
                if len(part.strip()) >= _LEAST_CHARACTERS:
                    yield "paragraph", name, part.strip()
    for folder in folders:
        if Path(folder).name in ("site-packages", "dist-packages"):
            yield from _read_readme_files(folder)


def _read_readme_files(folder: str) -> Iterator[tuple[str, str, str]]:
    for base, _, files in os.walk(folder):
        for name in files:
            file = Path(base, name)
            if not name.upper().startswith("README") or file.stat().st_size > _MAX_BYTES:
                continue
            if text := file.read_text(encoding="utf-8", errors="replace").strip():
                yield "document", file.relative_to(folder).parts[0], text


def write_example(arguments: Sequence[str]) -> None:
    """Write the table and register the model, below the home folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path(".sparkscore"))
    parser.add_argument("--model", required=True, help="folder of a SentenceTransformer, or MLflow URI of one")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--rows", type=int, default=None, help="of each kind, at most")
    options = parser.parse_args(arguments)
    home = options.home.resolve()
    home.mkdir(parents=True, exist_ok=True)

    import mlflow
    from deltalake import write_deltalake

    from sparkscore.workloads.embeddings.embedding_saving import log_embedding_model

    write_deltalake(str(home / "tables" / TABLE), limit_texts(collect_package_texts(), options.rows), mode="overwrite")
    mlflow.set_tracking_uri(f"sqlite:///{home}/mlflow.db")
    if mlflow.get_experiment_by_name(MODEL) is None:
        mlflow.create_experiment(MODEL, artifact_location=(home / "mlflow-artifacts").as_uri())
    mlflow.set_experiment(MODEL)
    made = log_embedding_model("model", options.model, registered_model_name=MODEL, precision=options.precision)
    mlflow.MlflowClient().set_registered_model_alias(MODEL, "champion", made.registered_model_version)


def limit_texts(texts: pa.Table, rows: int | None) -> pa.Table:
    """At most so many texts of each kind, evenly over all of them."""
    if rows is None:
        return texts
    kept: list[int] = []
    for kind in texts["kind"].unique().to_pylist():
        places = [place for place, one in enumerate(texts["kind"].to_pylist()) if one == kind]
        kept.extend(places[:: max(1, -(-len(places) // rows))])
    return texts.take(pa.array(sorted(kept), pa.int64()))


if __name__ == "__main__":
    write_example(sys.argv[1:])
