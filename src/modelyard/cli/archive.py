"""`modelyard archive`: a checkpoint or model to another disk or an object store; a stub stays."""

from __future__ import annotations

import sys
import time

import click

from modelyard import api
from modelyard.api import archiving, find_artifact
from modelyard.api.archiving import Proposal
from modelyard.api.entries import Refused
from modelyard.api.packing import NO_ZSTD, can_pack
from modelyard.api.planning import doors_of, why_not
from modelyard.cli import as_json, documents
from modelyard.cli.errors import PARTLY, REFUSED, HelpfulError, told
from modelyard.cli.looking import ProgressLine, everyone, look
from modelyard.cli.options import Request, with_place
from modelyard.cli.output import console, line
from modelyard.cli.plans import plan_document, receipt_document
from modelyard.cli.yards import again, opened
from modelyard.units import lasting, size
from modelyard.walk.text import shown

AGAIN = "nothing was changed here; the same command goes on with what is proven there"


@click.command("archive")
@click.argument("name", metavar="ID")
@click.argument("target", metavar="FOLDER|URL")
@click.option("--dry-run", is_flag=True, help="Say what would be done, send nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_place
def command(request: Request, name: str, target: str, dry_run: bool, yes: bool) -> int:
    """Put a checkpoint or a model on another disk or into an object store; a small stub stays, which `ls` shows.

    The target is a folder, or an address that fsspec knows, such as `s3://bucket/models`. Every file is packed with
    zstd where samples of it get smaller, sent, read back and compared; then the original goes into the trash.
    `modelyard recall` brings it back byte for byte, with rights, times, links and attributes.

    Only what its tool lists as it finds it can be archived: checkpoints, model files, LM Studio and the like.
    """
    survey, _ = look(request)
    try:
        number, artifact = find_artifact(survey, name)
        using = everyone(request, survey)
        if why := why_not(survey, using, doors_of(survey, using), number):
            raise Refused(why)
        proposal = archiving.propose(survey, number, target)
    except LookupError as error:
        raise HelpfulError(str(error.args[0]), "`modelyard ls -q` prints all ids") from error
    except Refused as refused:
        raise HelpfulError(
            f"{name} is not archived: {refused}", "`modelyard show` tells what it is", REFUSED
        ) from refused
    if dry_run or not _agreed(proposal, yes, quiet=request.json):
        if request.json:
            as_json.emit(_document(proposal))
        return 0 if dry_run or sys.stdin.isatty() else REFUSED
    return _archive(request, survey, proposal, artifact.id)


def _agreed(proposal: Proposal, yes: bool, *, quiet: bool) -> bool:
    if not quiet:
        out = console()
        files = f"{proposal.files:,} file{'' if proposal.files == 1 else 's'}"
        line(out, f"{proposal.artifact.id}  {files}, {size(proposal.size)}", "bold")
        line(out, f"  to    {shown(proposal.where)}")
        line(out, f"  stub  {shown(proposal.stub)}")
        if not can_pack():
            line(out, f"  {NO_ZSTD}", "dim")
    if yes:
        return True
    if not sys.stdin.isatty():
        print("modelyard: nothing was sent: nobody can be asked here\n  add --yes to go on", file=sys.stderr)
        return False
    return click.confirm("Send it there, and move the original into the trash?", default=False, err=True)


def _archive(request: Request, survey: api.Survey, proposal: Proposal, name: str) -> int:
    bar = Sending(request, proposal.size)
    try:
        stub = archiving.send(proposal, bar.told)
    except OSError as error:
        raise HelpfulError(told(error), AGAIN) from error
    finally:
        bar.clear()
    plan = archiving.plan(survey, proposal, stub)
    with opened(request) as yard:
        done = yard.apply_whole(plan)
    if request.json:
        found = _document(proposal)
        found.stored, found.plan, found.receipt = stub.stored, plan_document(plan).plan, receipt_document(done).receipt
        as_json.emit(found)
    else:
        out = console()
        line(out, f"{size(stub.size)} kept in {size(stub.stored)}, read back and equal  (plan {plan.id})", "bold")
        for path, why in (*done.skipped, *done.failed):
            line(out, f"not done  {path}: {why}")
        if done.skipped or done.failed:
            line(out, "so everything here is as it was; the same command goes on with what is proven there")
            return PARTLY
        purge, undo = again(request, "purge", plan.id), again(request, "undo", plan.id)
        for does, it in (
            (purge, "frees the original"),
            (undo, "takes it back"),
            (again(request, "recall", name), "brings it back later"),
        ):
            out.print(f"  {does}  {it}", soft_wrap=True, highlight=False, markup=False)
    return PARTLY if done.skipped or done.failed else 0


class Sending:
    """How far it is, on one line of the terminal."""

    def __init__(self, request: Request, total: int) -> None:
        self._line = ProgressLine() if request.progress and sys.stderr.isatty() else None
        self._done, self._total, self._started = 0, total, time.monotonic()

    def told(self, count: int, path: str) -> None:
        """Bytes more of a file."""
        self._done += count
        seconds = time.monotonic() - self._started
        if self._line and seconds > 0:
            rate = self._done / seconds
            left = lasting(round((self._total - self._done) / rate)) if rate > 0 and seconds > 1 else ""
            self._line.draw(f"{size(self._done):>9} of {size(self._total)}  {size(round(rate))}/s  {left}  {path}")

    def clear(self) -> None:
        """Takes the line away."""
        if self._line:
            self._line.clear()


def _document(proposal: Proposal) -> documents.Archived:
    return documents.Archived(
        proposal.artifact.id, shown(proposal.where), shown(proposal.stub), proposal.files, proposal.size, None
    )
