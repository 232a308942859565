"""`modelyard dedupe`: one copy of equal bytes remains, and after one question that is made so."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from modelyard.api.alike import resembling
from modelyard.api.deduping import plan_dedupe
from modelyard.cli import as_json
from modelyard.cli.errors import INTERRUPTED, REFUSED, HelpfulError
from modelyard.cli.looking import exit_code
from modelyard.cli.one_copy import print_one_copy
from modelyard.cli.options import Request, with_place
from modelyard.cli.plans import UNITED, UNITING, confirmed, made, plan_document, saved, tell
from modelyard.cli.searching import searched, telling
from modelyard.cli.settings import rules
from modelyard.policies.dedupe import Common


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
    if tensors and not files.search.partial:
        with telling(request) as told:
            common = resembling(found, files, told).common
    plan = plan_dedupe(found, files.pairings(), common)
    if file is not None:
        saved(plan, file)
    if request.json and (dry_run or file is not None or not plan.steps):
        as_json.emit(plan_document(plan))
    if not request.json:
        print_one_copy(plan)
    if files.search.partial:
        raise HelpfulError("interrupted; nothing was changed", "run it again: what was read is remembered", INTERRUPTED)
    if dry_run or file is not None or found.partial or not plan.steps:
        return exit_code(found)
    if not yes and not confirmed(UNITING, savable=True):
        return REFUSED if not sys.stdin.isatty() else 0
    return tell(request, made(request, plan, "modelyard dedupe", rules(request)), UNITED)
