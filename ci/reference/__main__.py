"""Writes the reference, or says what of it is stale."""

import sys

from ci.reference.config_schema_file import SCHEMA_FILE, find_stale_schema, write_schema
from ci.reference.pages import FOLDER, find_stale_pages, write_pages


def main(argv: list[str]) -> int:
    """The exit code."""
    if argv == ["--check"]:
        stale = [*find_stale_pages(FOLDER), *find_stale_schema(SCHEMA_FILE)]
        sys.stderr.writelines(f"{line}\n" for line in stale)
        return 1 if stale else 0
    if argv:
        sys.stderr.write("usage: python -m ci.reference [--check]\n")
        return 2
    write_pages(FOLDER)
    write_schema(SCHEMA_FILE)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
