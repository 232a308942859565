"""What stays of each run in a plan, and why: one line for the checkpoints of a run that stay for the same reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.cli.output import by_reason, say
from modelyard.plan import Plan, Skipped
from modelyard.policies.checkpoints import UNKNOWN

if TYPE_CHECKING:  # who asks for JSON does not wait for what draws screens
    from rich.console import Console

PREFIX = "checkpoint:"
SHOWN = 12
NOTE = "Where the best is not known all stay; with --keep-best 0 only the steps count."


def print_kept(out: Console, plan: Plan) -> list[Skipped]:
    """Prints the checkpoints that stay; what else was left out comes back."""
    kept: dict[tuple[str, str], list[str]] = {}
    for each in plan.skipped:
        if each.artifact.startswith(PREFIX):
            run, name = _run(each.artifact)
            kept.setdefault((run, each.why), []).append(name)
    touched = {_run(step.artifact)[0] for step in plan.steps if step.artifact.startswith(PREFIX)}
    rows = sorted(
        ((run, _names(names), why) for (run, why), names in kept.items()), key=lambda row: row[0] not in touched
    )
    if rows:
        runs = len({run for run, _ in kept})
        count = sum(len(names) for names in kept.values())
        words = f"\nStays  {count:,} checkpoints of {runs:,} {'run' if runs == 1 else 'runs'}"
        out.print(words, style="bold", highlight=False)
        by_reason(out, ("Run", "Stays", "Why"), rows[:SHOWN], flexible=0)
    if len(rows) > SHOWN:
        out.print(f"and {len(rows) - SHOWN:,} more: --json lists them all", style="dim")
    if any(why.startswith(UNKNOWN) for _, why in kept):
        say(out, NOTE, "dim")
    return [each for each in plan.skipped if not each.artifact.startswith(PREFIX)]


def _run(artifact: str) -> tuple[str, str]:
    """The run of a checkpoint's id, relative to home, and the checkpoint's own name."""
    run, _, name = artifact.removeprefix(PREFIX).rpartition("/")
    return run or ".", name


def _names(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names):,} checkpoints"
