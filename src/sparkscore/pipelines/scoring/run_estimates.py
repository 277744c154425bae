"""How long a run is likely to take, by what past runs of the job took. Pure."""

from collections.abc import Iterable, Sequence
from statistics import median

from sparkscore.monitor.report.text_formats import count_text, duration_text, price_text
from sparkscore.records import PastRun, PlannedWork, RunEstimate, RunEvent

MOST_PAST_RUNS = 5
_SECONDS_PER_HOUR = 3600


def find_past_runs(events: Iterable[RunEvent]) -> list[PastRun]:
    """The publications among a job's events that tell how long they took, newest first.

    Of an attempt that went on from the chunks of another one the time would be too short: it is left out.

    Needs:   events, oldest first.
    """
    found = []
    for event in events:
        details = event.parsed_details
        seconds, cores, transport = details.get("seconds") or {}, details.get("cores"), details.get("transport")
        total = sum(value for name, value in seconds.items() if name != "total" and value is not None)
        if event.event != "published" or event.verb != "score" or event.pins is None or not event.rows_read:
            continue
        if not (total and cores and transport) or event.attempt != 1 or "score_and_stage" not in seconds:
            continue
        gpu = (details.get("executors") or {}).get("gpu_s")
        found.append(PastRun(str(transport), event.pins.model_digest, event.rows_read, total, int(cores), gpu))
    return found[::-1]


def select_past_runs(past: Sequence[PastRun], *, transport: str, model_digest: str) -> list[PastRun]:
    """The newest ones with this transport; where some had the same model, only those."""
    same_transport = [run for run in past if run.transport == transport]
    same_model = [run for run in same_transport if run.model_digest == model_digest]
    return (same_model or same_transport)[:MOST_PAST_RUNS]


def estimate_run(
    past: Sequence[PastRun],
    *,
    rows: int,
    cores: int,
    model_digest: str,
    price_core_hour: float | None = None,
    price_gpu_hour: float | None = None,
) -> RunEstimate | None:
    """The median of past runs, for these rows and cores: twice the rows take twice as long, twice the cores half.

    That holds for runs that are longer than what each run needs anyway: of a run of few rows the estimate of a larger
    one is too long.
    """
    if not past:
        return None
    core_seconds = [run.seconds * run.cores / run.rows for run in past]
    seconds = median(core_seconds) * rows / cores
    gpu = [run.gpu_seconds / run.rows for run in past if run.gpu_seconds is not None]
    core_hours = seconds * cores / _SECONDS_PER_HOUR
    prices = [
        None if price_core_hour is None else core_hours * price_core_hour,
        None if price_gpu_hour is None or not gpu else median(gpu) * rows / _SECONDS_PER_HOUR * price_gpu_hour,
    ]
    known = [price for price in prices if price is not None]
    return RunEstimate(
        seconds=seconds,
        least_seconds=min(core_seconds) * rows / cores,
        most_seconds=max(core_seconds) * rows / cores,
        core_hours=core_hours,
        cost=sum(known) if known else None,
        past_runs=len(past),
        same_model=all(run.model_digest == model_digest for run in past),
    )


def planned_work_lines(work: PlannedWork, transport: str) -> list[tuple[str, str]]:
    """The lines of a plan that say how much work there is."""
    rows = {
        "exactly": f"{work.rows:,}" if work.rows is not None else "",
        "at_most": f"at most {work.rows:,}: with those that a filter leaves out, or that have not changed"
        if work.rows is not None
        else "",
        "unknown": "known when they are read",
    }[work.rows_known]
    splits = "as Spark cuts them" if work.splits is None else f"{work.splits:,}"
    return [
        ("rows to score", rows),
        ("splits", f"{splits}, on {count_text(work.cores, 'core')} at once"),
        ("duration", _describe_duration(work, transport)),
        *_cost_lines(work),
    ]


def _describe_duration(work: PlannedWork, transport: str) -> str:
    one = work.estimate
    if one is None and work.rows is None:
        return "no estimate: the rows are not known"
    if one is None:
        return f"no past run with the transport {transport} to estimate it from"
    prefix = "at most " if work.rows_known == "at_most" else "about "
    runs = "the past run" if one.past_runs == 1 else f"the median of {one.past_runs} past runs"
    spread = (
        "" if one.past_runs == 1 else f", from {duration_text(one.least_seconds)} to {duration_text(one.most_seconds)}"
    )
    model = "" if one.same_model else "; they scored with other versions of the model"
    return f"{prefix}{duration_text(one.seconds)}, by {runs} with this transport{spread}{model}"


def _cost_lines(work: PlannedWork) -> list[tuple[str, str]]:
    one = work.estimate
    if one is None:
        return []
    price = "no price is set (monitor.price_core_hour)" if one.cost is None else f"{price_text(one.cost)}"
    return [("cost", f"{one.core_hours:.3g} core hours; {price}")]
