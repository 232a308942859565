"""`modelyard dedupe`: one copy of equal bytes remains, and after one question that is made so."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelyard.api.alike import resembling
from modelyard.api.deduping import Duplicates, plan_dedupe
from modelyard.cli import as_json
from modelyard.cli.errors import REFUSED
from modelyard.cli.looking import exit_code
from modelyard.cli.options import Request, with_place
from modelyard.cli.output import console, freed, line, many, shorten, table
from modelyard.cli.plans import confirmed, made, plan_document, saved, tell
from modelyard.cli.searching import searched, telling
from modelyard.inventory import Sizes
from modelyard.plan import Path as Place
from modelyard.plan import Plan
from modelyard.policies.dedupe import Common
from modelyard.units import size
from modelyard.walk.text import shown

if TYPE_CHECKING:  # who asks for JSON does not wait for what draws screens
    from rich.console import Console

SHOWN = 12
TITLES = {"share": "Share their extents", "relink": "Become hard links"}
NOTES = {
    "share": "the system compares them once more; no byte, time or right of any file changes",
    "relink": "compared byte for byte once more; the old file waits in the trash",
}
MADE = "made one with an equal file"


@click.command("dedupe")
@click.argument("names", nargs=-1, metavar="[STORE or PATH or ID]…")
@click.option("--all", "every", is_flag=True, help="Files under 64 KiB too.")
@click.option("--tensors", is_flag=True, help="Equal tensors of different files share their extents too (xfs, btrfs).")
@click.option("--plan", "file", type=click.Path(path_type=Path), metavar="FILE", help="Save the plan, change nothing.")
@click.option("--dry-run", is_flag=True, help="Show the plan, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_place
def command(
    request: Request, names: tuple[str, ...], every: bool, tensors: bool, file: Path | None, dry_run: bool, yes: bool
) -> int:
    """Keep the bytes of equal files once. Every file stays where it is, readable as before.

    Where the file system shares extents (btrfs, xfs) the files share them, and the kernel compares them once more under
    its lock. Elsewhere a file becomes a hard link of the other, only between stores whose files are named by their
    content and never rewritten, after a comparison of every byte. Everything else is left alone, and it says why.

    `modelyard undo` makes hard links files of their own again; shared extents change nothing, so there nothing is to
    be undone.
    """
    found, files = searched(request, names, every=every, using=True)
    common: tuple[Common, ...] = ()
    if tensors:
        with telling(request) as told:
            common = resembling(found, files, told).common
    plan = plan_dedupe(found, files.pairings(), common)
    if file is not None:
        saved(plan, file)
    if request.json and (dry_run or file is not None or not plan.steps):
        as_json.emit(plan_document(plan))
        return exit_code(found)
    if not request.json:
        _print(console(), plan, files)
    if dry_run or file is not None or not plan.steps:
        return exit_code(found)
    if not yes and not confirmed("Make one copy of them", savable=True):
        return REFUSED if not sys.stdin.isatty() else 0
    return tell(request, made(request, plan, "modelyard dedupe"), MADE)


def _print(out: Console, plan: Plan, files: Duplicates) -> None:
    if not plan.steps:
        line(out, "Nothing to do: no two files that can have one copy of their bytes.")
    for do, title in TITLES.items():
        steps = [step for step in plan.steps if step.do == do]
        if steps:
            out.print(f"\n{title}  {many(len(steps), 'file')}", style="bold", highlight=False)
            room = max(out.width // 3, 20) if out.is_terminal else 10_000
            rows = [
                (size(step.freed), _label(files, step.path), shorten(_label(files, step.other or step.path), room))
                for step in steps[:SHOWN]
            ]
            table(out, ("Frees", "File", "Same as"), rows, right=(0,), flexible=1)
            if len(steps) > SHOWN:
                out.print(f"and {len(steps) - SHOWN:,} more: --json lists them all", style="dim")
            line(out, NOTES[do], "dim")
    if plan.skipped:
        out.print(f"\nLeft alone  {len(plan.skipped):,}", style="bold", highlight=False)
        reasons = Counter(each.why for each in plan.skipped).most_common(SHOWN)
        firsts = {each.why: each.artifact for each in reversed(plan.skipped)}
        rows = [(f"{count:,}", why, firsts[why]) for why, count in reasons]
        table(out, ("Files", "Why", "One of them"), rows, right=(0,), flexible=1, spare=(2,))
    if plan.steps:
        whole = freed(Sizes(freed=plan.freed, exact=plan.exact))
        if plan.likely:
            whole += f", about {size(plan.predicted)} in all"
        out.print(f"\nTogether {whole}", style="bold", highlight=False)
        if any(step.do == "relink" for step in plan.steps):
            line(out, "`modelyard purge` frees what links save; `modelyard undo` takes it back until then")


def _label(files: Duplicates, path: Place) -> str:
    return shown(bytes(path).removeprefix(files.search.tree.home + b"/"))
