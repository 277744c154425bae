"""What a run cost: time of cores and GPUs, and money where prices are configured."""

from sparkscore.monitor.report.charts import Row, bars
from sparkscore.monitor.report.parts import Fact, Figure, Section
from sparkscore.monitor.report.words import counted, duration, number, share
from sparkscore.records import RunPage

HOUR = 3600


def cost(page: RunPage) -> Section:
    """Core seconds held and used, GPU seconds, the price, and where the time went."""
    total = page.report.seconds.get("total")
    if total is None:
        return Section("Cost", "How long the run took is not known.")
    facts = (*_cores(page, total), *_gpus(page), *_price(page, total))
    return Section("Cost", facts=facts, figures=_parts(page, total))


def _cores(page: RunPage, total: float) -> tuple[Fact, ...]:
    held, used = page.cores * total, page.report.executors.get("cpu_s")
    facts = (Fact("Core seconds", number(round(held, 1)), f"{counted(page.cores, 'core')} for {duration(total)}"),)
    if used is None:
        return facts
    return (*facts, Fact("Of them in the workers", number(round(used, 1)), f"{share(used, held)} of what was held"))


def _gpus(page: RunPage) -> tuple[Fact, ...]:
    used, memory = page.report.executors.get("gpu_s"), page.report.executors.get("gpu_memory_bytes")
    held = f"at most {memory / 2**30:.1f} GiB of its memory" if memory else ""
    return () if used is None else (Fact("GPU seconds", number(round(used, 1)), held),)


def _price(page: RunPage, total: float) -> tuple[Fact, ...]:
    gpu = page.report.executors.get("gpu_s")
    shown = {
        "cores": page.cores * total / HOUR * page.price_core_hour if page.price_core_hour is not None else None,
        "GPUs": gpu / HOUR * page.price_gpu_hour if gpu is not None and page.price_gpu_hour is not None else None,
    }
    known = {name: price for name, price in shown.items() if price is not None}
    if not known:
        return ()
    parts = ", ".join(f"{name} {_money(price)}" for name, price in known.items())
    price, rows = sum(known.values()), page.report.rows_scored
    each = (Fact("Per million predictions", _money(price / rows * 1e6)),) if rows else ()
    return (Fact("Price", _money(price), f"{parts}, in the currency of the config"), *each)


def _money(price: float) -> str:
    return f"{price:,.2f}" if price >= 1 or price == 0 else f"{price:.2g}"


def _parts(page: RunPage, total: float) -> tuple[Figure, ...]:
    parts = {name: seconds for name, seconds in page.report.seconds.items() if name != "total" and seconds is not None}
    if not parts:
        return ()
    parts["the rest"] = max(total - sum(parts.values()), 0.0)
    rows = [
        Row(name.replace("_", " "), f"{duration(seconds)}, {share(seconds, total)}", seconds)
        for name, seconds in parts.items()
    ]
    longest = max(rows, key=lambda row: row.value)
    says = f"The longest part was {longest.label}: {longest.text} of {duration(total)}."
    return (Figure("Where the time went", bars(rows), says),)
