"""Many runs with random kills and two writers at once, the checker after each: `ci/soak.sh`.

The seed decides what is done to which run; how the processes interleave is the machine's affair.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

from tests.faults.children import Crew
from tests.faults.soak_round import Arena, Outcome, plans

SHORT_RUNS = 2


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(prog="ci/soak.sh", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="as_ofs to publish (200)")
    parser.add_argument("--minutes", type=float, default=20, help="no further run is begun after so many (20)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32), help="repeats a soak")
    parser.add_argument("--out", type=Path, default=Path("build/soak.json"), help="the outcome in JSON")
    parser.add_argument("--short", action="store_true", help=f"{SHORT_RUNS} runs, each with a kill: does it work?")
    return parser.parse_args(argv)


def soaked(args: argparse.Namespace) -> tuple[list[Outcome], str]:
    """What came of each run, and what was wrong, if anything was: the first such thing ends it."""
    until, outcomes = time.monotonic() + 60 * args.minutes, list[Outcome]()
    with tempfile.TemporaryDirectory(prefix="sparkscore-soak-") as folder, Crew(Path(folder), ahead=1) as crew:
        arena = Arena.made(Path(folder), crew)
        for plan in plans(args.seed, kill_always=args.short):
            if len(outcomes) == (SHORT_RUNS if args.short else args.runs) or time.monotonic() > until:
                break
            try:
                outcomes.append(arena.played(plan))
            except AssertionError as wrong:
                return outcomes, f"run {plan.number} ({plan}): {wrong}"
            _say(f"{len(outcomes):>4}  {outcomes[-1].line}", sys.stderr)
    return outcomes, ""


def summary(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """The figures of a soak."""
    recovered = [one.recovered_s for one in outcomes if one.recovered_s is not None]
    return {
        "runs": len(outcomes),
        "two writers": sum(one.plan.second != "" for one in outcomes),
        "replacements": sum(one.plan.replaces for one in outcomes),
        "kills": sum(one.killed for one in outcomes),
        **{f"  {at}": count for at, count in sorted(Counter(one.plan.at for one in outcomes if one.killed).items())},
        "reruns": sum(one.reruns for one in outcomes),
        "rows published": sum(one.rows for one in outcomes),
        "rows paid twice": sum(one.paid_twice for one in outcomes),
        "seconds to recover, median": round(median(recovered), 1) if recovered else None,
        "seconds to recover, most": round(max(recovered), 1) if recovered else None,
    }


def main(argv: Sequence[str]) -> int:
    """Soak, tell, and write it down; 1 where the checker found something."""
    args = arguments(argv)
    _say(f"seed {args.seed}")
    started = time.monotonic()
    outcomes, wrong = soaked(args)
    figures = summary(outcomes) | {"seconds": round(time.monotonic() - started)}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    told = {"seed": args.seed, "wrong": wrong, "summary": figures, "runs": [asdict(one) for one in outcomes]}
    args.out.write_text(json.dumps(told, indent=1) + "\n")
    _say("\n".join(f"{name:<28}{value!s:>12}" for name, value in figures.items()))
    _say(f"WRONG: {wrong}\nagain: ci/soak.sh --seed {args.seed}" if wrong else "every check passed")
    return int(bool(wrong))


def _say(text: str, where: object = None) -> None:
    out = sys.stdout if where is None else sys.stderr
    out.write(text + "\n")
    out.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
