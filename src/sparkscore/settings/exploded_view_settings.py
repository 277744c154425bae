"""Names of `output.explode`. Pure."""

import re

from sparkscore.schemas import PREDICTION_COLUMN, REUSED_SUFFIX, SIDE_TABLES
from sparkscore.settings.output_names import suggest_output_name
from sparkscore.settings.output_settings import OutputSettings

_VIEW_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,254}")
_OWN_SUFFIXES = (*SIDE_TABLES, "_latest", "_challengers", "_performance", REUSED_SUFFIX)


def find_view_problems(output: OutputSettings) -> list[str]:
    """What is wrong with the views of `output.explode`, in words."""
    columns = [PREDICTION_COLUMN, *(one.name for one in output.columns)]
    plain = output.table.rpartition("/")[2].rpartition(".")[2]
    own = {plain.lower(), *(f"{plain}{suffix}".lower() for suffix in _OWN_SUFFIXES)}
    problems = []
    for column, view in output.explode.items():
        if column not in columns:
            problems.append(f"output.explode names {column}, which is no output{suggest_output_name(column, columns)}")
        if not _VIEW_NAME.fullmatch(view):
            problems.append(
                f"output.explode: {view!r} is no name of a view beside the prediction table; expected letters,"
                " digits, _ and -"
            )
        if view.lower() in own:
            problems.append(f"output.explode: {view} is the name of a table of the job; give the view another one")
    views = [view.lower() for view in output.explode.values()]
    if len(set(views)) < len(views):
        problems.append("output.explode gives two columns the same view")
    return problems
