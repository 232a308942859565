"""Plans that leave one copy of equal bytes, on the screen."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from modelyard.cli.output import console, freed, line, many, shorten, table
from modelyard.inventory import Sizes
from modelyard.plan import Path, Plan, Step, root_path
from modelyard.policies.dedupe import STEPS
from modelyard.units import size
from modelyard.walk.text import shown

if TYPE_CHECKING:  # who asks for JSON does not wait for what draws screens
    from rich.console import Console

SHOWN = 12
SHARING = "the system compares them once more; no byte, time or right of any file changes"
LINKING = "compared byte for byte once more; the old file waits in the trash"
SECTIONS = (
    ("share", False, "Share their extents", "Same as", SHARING),
    ("share", True, "Share the extents of equal tensors", "Tensors of", SHARING),
    ("relink", False, "Become hard links", "Same as", LINKING),
)
"""What is done, whether with parts of files, the title, the head of the other file, and what is to be known."""


def is_one_copy(plan: Plan) -> bool:
    """Whether a plan makes equal files one."""
    return any(step.do in STEPS for step in plan.steps)


def print_one_copy(plan: Plan) -> None:
    """What shares what with which file, what is left alone and why, and what the whole set frees."""
    out = console()
    if not plan.steps:
        line(out, "Nothing to do: no two files that can have one copy of their bytes.")
    for do, parts, title, head, note in SECTIONS:
        if steps := [step for step in plan.steps if step.do == do and bool(step.ranges) == parts]:
            out.print(f"\n{title}  {many(len(steps), 'file')}", style="bold", highlight=False)
            _print_steps(out, plan, steps, head)
            line(out, note, "dim")
    if plan.skipped:
        _print_left(out, plan)
    if plan.steps:
        whole = freed(Sizes(freed=plan.freed, exact=plan.exact))
        if plan.likely:
            whole += f", about {size(plan.predicted)} in all"
        out.print(f"\nTogether {whole}", style="bold", highlight=False)
        if any(step.do == "relink" for step in plan.steps):
            line(out, "`modelyard purge` frees what links save; `modelyard undo` takes it back until then")


def _print_steps(out: Console, plan: Plan, steps: list[Step], head: str) -> None:
    room = max(out.width // 3, 20) if out.is_terminal else 10_000
    rows = [
        (size(step.freed), _label(plan, step.path), shorten(_label(plan, step.other or step.path), room))
        for step in steps[:SHOWN]
    ]
    table(out, ("Frees", "File", head), rows, right=(0,), flexible=1)
    if len(steps) > SHOWN:
        out.print(f"and {len(steps) - SHOWN:,} more: --json lists them all", style="dim")


def _print_left(out: Console, plan: Plan) -> None:
    out.print(f"\nLeft alone  {len(plan.skipped):,}", style="bold", highlight=False)
    reasons = Counter(each.why for each in plan.skipped).most_common(SHOWN)
    firsts = {each.why: each.artifact for each in reversed(plan.skipped)}
    rows = [(f"{count:,}", why, _below(plan, firsts[why])) for why, count in reasons]
    table(out, ("Files", "Why", "One of them"), rows, right=(0,), flexible=1, spare=(2,))


def _label(plan: Plan, path: Path) -> str:
    return _below(plan, shown(bytes(path)))


def _below(plan: Plan, text: str) -> str:
    """A path below the home without that."""
    home = shown(root_path(plan.origin.roots[0])) if plan.origin.roots else ""
    return text.removeprefix(home.rstrip("/") + "/")
