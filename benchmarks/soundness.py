"""How much more the analysis of pickles names than CPython's own machines reach, in programs made at random."""

from __future__ import annotations

import random
import sys

from safety.differential import Compared, compare, programs

PROGRAMS, BATCH = 4000, 500


def measured(count: int = PROGRAMS) -> Compared:
    """So many programs, the same ones every time."""
    found = Compared()
    for start in range(0, count, BATCH):
        compare(programs(random.Random(start), BATCH), found)
    return found


def main() -> None:
    """Prints a table, as it stands in results.md, and the share of extra callables in per cent as the last line."""
    found = measured()
    print("| programs | runs that CPython finished | reached and named | reached, not named | named, never reached |")
    print("|---|---|---|---|---|")
    print(f"| {found.programs:,} | {found.finished:,} | {found.named:,} | {len(found.missed):,} | {found.extra:,} "
          f"({found.share:.2%}) |")  # fmt: skip
    print(f"{100 * found.share:.4f} {len(found.missed)}", file=sys.stderr)


if __name__ == "__main__":
    main()
