"""What a run cost: time of cores and GPUs, and money where prices are configured."""

from sparkscore.monitor.report.charts import BarRow, bar_chart
from sparkscore.monitor.report.page_parts import Fact, Figure, Section
from sparkscore.monitor.report.text_formats import count_text, duration_text, number_text, price_text, share_text
from sparkscore.records import RunPage

SECONDS_PER_HOUR = 3600


def cost_section(page: RunPage) -> Section:
    """Core seconds held and used, GPU seconds, the price, and where the time went."""
    total = page.report.seconds.get("total")
    if total is None:
        return Section("Cost", "How long the run took is not known.")
    facts = (*_core_facts(page, total), *_gpu_facts(page), *_price_facts(page, total))
    return Section("Cost", facts=facts, figures=_phase_figures(page, total))


def _core_facts(page: RunPage, total: float) -> tuple[Fact, ...]:
    reserved, used = page.cores * total, page.report.executors.get("cpu_s")
    facts = (
        Fact(
            "Core seconds",
            number_text(round(reserved, 1)),
            f"{count_text(page.cores, 'core')} for {duration_text(total)}",
        ),
    )
    if used is None:
        return facts
    return (
        *facts,
        Fact("Of them in the workers", number_text(round(used, 1)), f"{share_text(used, reserved)} of what was held"),
    )


def _gpu_facts(page: RunPage) -> tuple[Fact, ...]:
    used, memory = page.report.executors.get("gpu_s"), page.report.executors.get("gpu_memory_bytes")
    note = f"at most {memory / 2**30:.1f} GiB of its memory" if memory else ""
    return () if used is None else (Fact("GPU seconds", number_text(round(used, 1)), note),)


def _price_facts(page: RunPage, total: float) -> tuple[Fact, ...]:
    gpu = page.report.executors.get("gpu_s")
    prices = {
        "cores": page.cores * total / SECONDS_PER_HOUR * page.price_core_hour
        if page.price_core_hour is not None
        else None,
        "GPUs": gpu / SECONDS_PER_HOUR * page.price_gpu_hour
        if gpu is not None and page.price_gpu_hour is not None
        else None,
    }
    known_prices = {name: price for name, price in prices.items() if price is not None}
    if not known_prices:
        return ()
    parts = ", ".join(f"{name} {price_text(price)}" for name, price in known_prices.items())
    price, rows = sum(known_prices.values()), page.report.rows_scored
    each = (Fact("Per million predictions", price_text(price / rows * 1e6)),) if rows else ()
    return (Fact("Price", price_text(price), f"{parts}, in the currency of the config"), *each)


def _phase_figures(page: RunPage, total: float) -> tuple[Figure, ...]:
    parts = {name: seconds for name, seconds in page.report.seconds.items() if name != "total" and seconds is not None}
    if not parts:
        return ()
    parts["the rest"] = max(total - sum(parts.values()), 0.0)
    rows = [
        BarRow(name.replace("_", " "), f"{duration_text(seconds)}, {share_text(seconds, total)}", seconds)
        for name, seconds in parts.items()
    ]
    longest = max(rows, key=lambda row: row.value)
    caption = f"The longest part was {longest.label}: {longest.text} of {duration_text(total)}."
    return (Figure("Where the time went", bar_chart(rows), caption),)
