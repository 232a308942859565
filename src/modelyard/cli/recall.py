"""`modelyard recall`: brings an archived thing back to its place, byte for byte."""

from __future__ import annotations

import os
import sys

import click

from modelyard.api import recalling
from modelyard.api.entries import Refused
from modelyard.api.recalling import Wanted
from modelyard.cli import as_json, documents
from modelyard.cli.archive import Sending
from modelyard.cli.errors import PARTLY, REFUSED, HelpfulError, told
from modelyard.cli.looking import look
from modelyard.cli.options import Request, with_place
from modelyard.cli.output import console, line
from modelyard.cli.plans import receipt_document
from modelyard.cli.yards import again, opened
from modelyard.units import size
from modelyard.walk.text import shown

AGAIN = "nothing was changed; the same command goes on with what is proven already"


@click.command("recall")
@click.argument("name", metavar="ID|STUB")
@click.option("--dry-run", is_flag=True, help="Say what would be done, fetch nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_place
def command(request: Request, name: str, dry_run: bool, yes: bool) -> int:
    """Bring back what `modelyard archive` put away, to where its stub lies: bytes, rights, times, links, attributes.

    Every file is held against the digests in the stub before anything gets its name. The archive keeps its copy.
    """
    survey, _ = look(request)
    try:
        wanted = recalling.find(survey, name)
        if why := recalling.why_not(wanted):
            raise Refused(why)
    except Refused as refused:
        hint = "`modelyard ls --state archived` lists what can come back"
        raise HelpfulError(f"{name} does not come back: {refused}", hint, REFUSED) from refused
    if dry_run or not _agreed(wanted, yes, quiet=request.json):
        if request.json:
            as_json.emit(_document(wanted, []))
        return 0 if dry_run or sys.stdin.isatty() else REFUSED
    bar = Sending(request, wanted.stub.size)
    try:
        lost = recalling.build(wanted, bar.told)
    except OSError as error:
        raise HelpfulError(told(error), AGAIN) from error
    finally:
        bar.clear()
    plan = recalling.plan(survey, wanted)
    with opened(request) as yard:
        done = yard.apply_whole(plan)
        recalling.finished(wanted)
    if request.json:
        found = _document(wanted, lost)
        found.receipt = receipt_document(done).receipt
        as_json.emit(found)
    else:
        out = console()
        line(out, f"{size(wanted.stub.size)} are back and equal  (plan {plan.id})", "bold")
        for words in lost:
            line(out, words, "dim")
        for path, why in (*done.skipped, *done.failed):
            line(out, f"not done  {path}: {why}")
        if done.skipped or done.failed:
            line(out, "so everything is as it was; the same command goes on with what is proven already")
            return PARTLY
        line(out, f"{shown(wanted.stub.where)} keeps its copy; `{again(request, 'undo', plan.id)}` takes this back")
    return PARTLY if done.skipped or done.failed else 0


def _agreed(wanted: Wanted, yes: bool, *, quiet: bool) -> bool:
    if not quiet:
        out = console()
        line(
            out,
            f"{shown(wanted.stub.artifact)}  {size(wanted.stub.size)}, archived {shown(wanted.stub.archived)}",
            "bold",
        )
        line(out, f"  from  {shown(wanted.stub.where)}")
        line(out, f"  to    {shown(wanted.base)}")
    if yes:
        return True
    if not sys.stdin.isatty():
        print("modelyard: nothing was fetched: nobody can be asked here\n  add --yes to go on", file=sys.stderr)
        return False
    return click.confirm("Bring it back?", default=False, err=True)


def _document(wanted: Wanted, lost: list[str]) -> documents.Recalled:
    paths = [shown(os.path.join(wanted.base, bytes(top))) for top in wanted.stub.tops]
    files = sum(each.kind == "file" for each in wanted.stub.entries)
    return documents.Recalled(
        shown(wanted.stub.artifact), shown(wanted.stub.where), paths, files, wanted.stub.size, lost
    )
