"""The page and the picture of a benchmark, from its JSON alone.

python -m bench.report docs/benchmarks/results.json
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- results: written by ci/bench/report.py -->", "<!-- end of results -->"
PICTURE = "throughput.svg"
COLOURS = {"ours": "#1f6feb", "bare": "#6e7781"}
OTHERS = "#d0a215"
_SMALL_TARGET = 0.1
"""Of a goal that is told by the thousandth."""


def write(result: Mapping[str, Any], out: Path) -> None:
    """The picture, and the tables: into the folder's README where it has a place for them, else into results.md."""
    drawn = _drawn(result, out / PICTURE)
    page = "\n\n".join([BEGIN, *_parts(result, PICTURE if drawn else None), END])
    readme = out / "README.md"
    text = readme.read_text() if readme.exists() else ""
    if BEGIN in text and END in text:
        head, tail = text.partition(BEGIN)[0], text.partition(END)[2]
        readme.write_text(f"{head}{page}{tail}")
    else:
        (out / "results.md").write_text(f"{page}\n")


def _parts(result: Mapping[str, Any], picture: str | None) -> Iterator[str]:
    yield from (_about(run) for run in result["runs"])
    if result["goals"]:
        yield _goals(result["goals"])
    if picture is not None:
        yield f"![Rows per second of every contender]({picture})"
    for case in result["cases"].values():
        yield _case(case)


def _about(run: Mapping[str, Any]) -> str:
    machine, load = run["machine"], run["load"]
    versions: dict[str, str] = {}
    for one in run["versions"].values():
        versions |= one
    named = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    changed = f" with {machine['changed_files']} changed files" if machine["changed_files"] else ""
    lines = [
        f"Measured {run['began'][:10]}: {', '.join(run['cases'])}; on {machine['cores']} cores ({machine['cpu']}), "
        f"{machine['memory_gib']} GiB, {machine['java']}; commit {machine['commit']}{changed}; seed {run['seed']}; "
        f"load average {load['before']} before, {load['after']} after.",
        f"Versions: {named}.",
        *(f"**Warning:** {text}." for text in run["warnings"]),
        *(["**A short run: its numbers mean nothing.**"] if run["short"] else []),
    ]
    return "\n\n".join(lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], right: int = 1) -> str:
    """A table in Markdown; columns from `right` on are numbers."""
    rule = ["---" if place < right else "---:" for place in range(len(head))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def _goals(goals: Sequence[Mapping[str, Any]]) -> str:
    head = ("goal", "target", "measured", "spread", "without start", "met", "0.7 line")
    return _table(head, [_goal(goal) for goal in goals])


def _goal(goal: Mapping[str, Any]) -> tuple[str, ...]:
    target = f"{'≥' if goal['sense'] == 'at least' else '≤'} {goal['target']:g}"
    if goal["ratio"] is None:
        return (goal["goal"], target, "not measured", "", "", "", f"{goal['line']:g}")
    digits = 3 if goal["target"] < _SMALL_TARGET else 2
    spread = f"{goal['min']:.{digits}f} to {goal['max']:.{digits}f}"
    line = f"{goal['line']:g} {'held' if goal['above_line'] else '**broken**'}"
    without = "" if goal["without_start"] is None else f"{goal['without_start']:.2f}"
    return (
        goal["goal"],
        target,
        f"{goal['ratio']:.{digits}f}",
        spread,
        without,
        "yes" if goal["met"] else "**no**",
        line,
    )


def _case(case: Mapping[str, Any]) -> str:
    title = f"### {case['section']}: {case['name']}"
    measured = {name: one for name, one in case["contenders"].items() if one["turns"]}
    head = ("contender", "s", "spread", "Mrows/s", "JVM MiB", "driver MiB", "workers MiB")
    rows = [_contender(name, one) for name, one in sorted(measured.items(), key=lambda item: _median(item[1]))]
    missing = [f"- {name}: {one['error']}" for name, one in case["contenders"].items() if one["error"]]
    parts = [title, _data(case), _table(head, rows) if rows else "", _job_parts(measured)]
    if missing:
        parts.append("Not measured:\n\n" + "\n".join(missing))
    return "\n\n".join(part for part in parts if part)


def _data(case: Mapping[str, Any]) -> str:
    data = case["data"]
    if data is None:
        return ""
    reading = {flavour: found["best"] for flavour, found in case["bare_reading"].items()}
    text = (
        f"{data['rows']:,} rows, {data['columns']} columns, {data['bytes'] / 1e6:,.0f} MB in {data['files']:,} files "
        f"and {data['groups']:,} row groups; model {case['model']}; {case['repeats']} rounds."
    )
    return text + "".join(f" The bare limit ({flavour}) reads with `{best}`." for flavour, best in reading.items())


def _median(one: Mapping[str, Any]) -> float:
    return float(one["seconds"]["median"])


def _contender(name: str, one: Mapping[str, Any]) -> tuple[str, ...]:
    seconds, rate = one["seconds"], one["rows_per_second"]
    peaks = (max(turn["peak_mib"].get(kind, 0) for turn in one["turns"]) for kind in ("jvm", "driver", "workers"))
    spread = f"{seconds['min']:.2f} to {seconds['max']:.2f}"
    return (name, f"{seconds['median']:.2f}", spread, f"{rate / 1e6:.2f}" if rate else "", *(f"{n:,}" for n in peaks))


def _job_parts(measured: Mapping[str, Any]) -> str:
    """Where a whole job's time goes: medians of its parts."""
    from statistics import median

    rows = [
        (name, part, f"{median(turn['parts'][part] for turn in one['turns']):.2f}")
        for name, one in measured.items()
        if one["way"] in ("job", "flights")
        for part in one["turns"][0]["parts"]
        if all(part in turn["parts"] for turn in one["turns"])
    ]
    return _table(("contender", "part", "s"), rows, right=2) if rows else ""


def _drawn(result: Mapping[str, Any], file: Path) -> bool:
    """Draws the throughput cases, one below the other; False where there are none."""
    cases = [case for case in result["cases"].values() if case["section"] == "throughput" and _bars(case)]
    if not cases:
        return False
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    counts = [len(_bars(case)) for case in cases]
    height = 0.26 * sum(counts) + 1.1 * len(cases)
    with mpl.rc_context({"svg.hashsalt": "bench", "font.size": 9, "font.family": "sans-serif"}):
        figure, grid = pyplot.subplots(
            len(cases), 1, figsize=(9, height), squeeze=False, gridspec_kw={"height_ratios": counts}
        )
        for axes, case in zip(grid[:, 0], cases, strict=True):
            _panel(axes, case)
        figure.tight_layout()
        figure.savefig(file, metadata={"Date": None})
        pyplot.close(figure)
    return True


def _bars(case: Mapping[str, Any]) -> list[tuple[str, float, float, float]]:
    """Name and million rows per second (median, worst, best) of each contender, the slowest first."""
    rows = case["data"]["rows"] / 1e6
    found = [
        (name, rows / one["seconds"]["median"], rows / one["seconds"]["max"], rows / one["seconds"]["min"])
        for name, one in case["contenders"].items()
        if one["turns"]
    ]
    return sorted(found, key=lambda bar: bar[1])


def _panel(axes: Any, case: Mapping[str, Any]) -> None:
    bars = _bars(case)
    names, rates = [bar[0] for bar in bars], [bar[1] for bar in bars]
    errors = [[rate - low for _, rate, low, _ in bars], [high - rate for _, rate, _, high in bars]]
    colours = [COLOURS.get(name.split()[0], OTHERS) for name in names]
    axes.barh(names, rates, xerr=errors, color=colours, error_kw={"elinewidth": 1, "ecolor": "#24292f"})
    for place, (_, rate, _, high) in enumerate(bars):
        axes.annotate(f" {rate:.2f}", (high, place), va="center")
    axes.set_title(f"{case['name']}: million rows per second, {case['data']['rows']:,} rows", loc="left")
    axes.margins(x=0.1, y=0.02)
    axes.spines[["top", "right"]].set_visible(False)


def main(arguments: Sequence[str]) -> int:
    """Writes page and picture beside the JSON."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m bench.report RESULTS.json\n")
        return 2
    file = Path(arguments[0])
    write(json.loads(file.read_text()), file.parent)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
