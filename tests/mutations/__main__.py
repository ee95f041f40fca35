"""`python -m tests.mutations`: break claims on purpose, and see their tests fail; exit code 1 where one did not."""

import argparse
import re
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from common.days import today
from tests.mutations.runner import Outcome, run_all
from tests.mutations.table import Mutation, all_mutations

PROJECT = Path(__file__).parents[2]
TENTH_SECONDS = 27.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run those that were asked for; say what became of each."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("--names", nargs="+", metavar="WORDS", help="only those whose name has one of these")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--part", metavar="K/N", type=_part, help="the K-th of N parts")
    which.add_argument(
        "--tenth", action="store_true", help="a tenth, another each day, in under half a minute"
    )
    asked = parser.parse_args(arguments)
    chosen = all_mutations()
    if asked.names:
        chosen = [one for one in chosen if any(words in one.name for words in asked.names)]
    if asked.part:
        chosen = chosen[asked.part[0] - 1 :: asked.part[1]]
    if asked.tenth:
        chosen = tenth_of(chosen, today())
    if not chosen:
        parser.error("There is no such mutation.")
    return _run(chosen, TENTH_SECONDS if asked.tenth else None)


def _run(chosen: Sequence[Mutation], seconds: float | None) -> int:
    begun, counted, is_well = time.monotonic(), dict.fromkeys(Outcome, 0), True
    for number, result in enumerate(run_all(PROJECT, chosen, seconds), start=1):
        counted[result.outcome] += 1
        is_well = is_well and result.is_well
        print(f"{number}/{len(chosen)} {result.outcome}: {result.mutation.name}", flush=True)
        if result.why:
            print(f"      {result.why}"[:200], flush=True)
    told = ", ".join(f"{count} {outcome}" for outcome, count in counted.items() if count)
    print(f"{told}, in {time.monotonic() - begun:.0f} s.")
    return 0 if is_well else 1


def tenth_of(mutations: Sequence[Mutation], day: date) -> list[Mutation]:
    """The tenth of a day. Ten days have all; the next ten begin each tenth at another place, should time run out."""
    tens, number = divmod(day.toordinal(), 10)
    tenth = list(mutations[number::10])
    begin = tens % len(tenth) if tenth else 0
    return tenth[begin:] + tenth[:begin]


def _part(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d{0,3})/([1-9]\d{0,3})", text)
    if not found or int(found[1]) > int(found[2]):
        raise argparse.ArgumentTypeError("Give K/N, such as 2/10.")
    return int(found[1]), int(found[2])


if __name__ == "__main__":
    sys.exit(main())
