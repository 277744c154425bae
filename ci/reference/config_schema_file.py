"""The JSON Schema of config files in `conf/`, made of the settings."""

from pathlib import Path

from sparkscore.settings.config_schema import build_config_schema, to_schema_text

SCHEMA_FILE = Path(__file__).resolve().parents[2] / "conf" / "sparkscore.schema.json"


def write_schema(file: Path) -> None:
    """Write the schema."""
    file.write_text(to_schema_text(build_config_schema()), encoding="utf-8")


def find_stale_schema(file: Path) -> list[str]:
    """What is wrong with the file, in one line; nothing where it is what the settings say."""
    fresh = file.is_file() and file.read_text(encoding="utf-8") == to_schema_text(build_config_schema())
    return [] if fresh else [f"conf/{file.name} is stale: run `python -m ci.reference` and commit it"]
