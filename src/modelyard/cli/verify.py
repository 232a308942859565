"""`modelyard verify`: whether what is here is still what it was given as, and what can be done where it is not."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click
from msgspec import Struct

from modelyard import api
from modelyard.api import Survey, expecting, verifying
from modelyard.api.checking import LOST, STATES, Outcome
from modelyard.cli import as_json
from modelyard.cli.errors import COMPLAINTS, INTERRUPTED, PARTLY, HelpfulError
from modelyard.cli.looking import WIDTH, look, place
from modelyard.cli.options import Request, with_place
from modelyard.cli.verified import as_document, print_found
from modelyard.units import lasting, parse_span, size

REASONS = 4
RATE_AFTER = 1.0
"""Seconds after which it can be told how long the rest takes."""


class Read(Struct):
    """What came of a run: outcomes, bytes that were read, seconds, and whether Ctrl-C ended it."""

    run: verifying.Run
    outcomes: list[Outcome]
    seconds: float
    interrupted: bool = False

    @property
    def bytes(self) -> int:
        """Bytes of the files that were read now."""
        files = {each.item.path: each.item.size for each in self.outcomes if each.read}
        return sum(files.values())

    @property
    def code(self) -> int:
        """130 after Ctrl-C, 5 where something is lost, 3 where something could not be read, else 0."""
        states = {each.state for each in self.outcomes}
        if self.interrupted:
            return INTERRUPTED
        if states & set(LOST):
            return COMPLAINTS
        return PARTLY if states & {"unreadable", "changed"} else 0


class Span(click.ParamType[int]):
    """A span of time."""

    name = "span"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Nanoseconds."""
        try:
            return parse_span(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Share(click.ParamType[float]):
    """A share of the bytes."""

    name = "share"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """From 0 to 1."""
        text = str(value).strip()
        try:
            found = float(text.removesuffix("%")) / 100
        except ValueError:
            found = -1.0
        if not text.endswith("%") or not 0 < found <= 1:
            self.fail(f"{text!r} is no share; write 5% or 0.5%", param, ctx)
        return found


@click.command("verify")
@click.argument("targets", nargs=-1, metavar="[STORE|ID|PATH]...")
@click.option("--since", type=Span(), metavar="SPAN", help="Only what was not verified for so long, such as 30d.")
@click.option("--sample", type=Share(), metavar="PERCENT", help="Only such a share of the bytes, such as 5%.")
@click.option("--repair", is_flag=True, help="Get again what is not as it was given, after one question.")
@click.option("--dry-run", is_flag=True, help="With --repair: show what would be done, change nothing.")
@click.option("--yes", is_flag=True, help="With --repair: do not ask.")
@click.option("--all", "everything", is_flag=True, help="A line for every artifact, the whole ones too.")
@with_place
def command(
    request: Request,
    targets: tuple[str, ...],
    since: int | None,
    sample: float | None,
    repair: bool,
    dry_run: bool,
    yes: bool,
    everything: bool,
) -> int:
    """Whether every file is still what it was given as: held against digests in names, manifests and records of its
    store, else against its own format. Offline, and nothing is changed. Without a name everything is verified.

    Ctrl-C keeps what was read until then, and the same command goes on from there. A sample takes what was not
    verified for longest, so that repeated samples come to everything. Exit code 5: something is corrupt, truncated or
    missing; 3: something could not be read or changed meanwhile.
    """
    if (dry_run or yes) and not repair:
        raise click.UsageError("--dry-run and --yes belong to --repair")
    survey = _looked(request, targets)
    try:
        wanted = expecting.wanted(survey, targets)
    except LookupError as error:
        hint = "`modelyard ls -q` prints all ids, `modelyard where` all stores; a path must exist"
        raise HelpfulError(str(error.args[0]), hint) from error
    done = _verified(request, wanted, verifying.Choice(since, sample or 1.0), targets)
    if not request.json:
        print_found(done.outcomes, wanted, everything)
        _tell(done, since, sample)
    if not repair or done.interrupted:
        if request.json:
            as_json.emit(as_document(done.outcomes, wanted, done.run, done.bytes))
        return done.code
    from modelyard.cli.repair import repair as mend

    return mend(request, survey, wanted, done.outcomes, done.run, done.bytes, dry_run=dry_run, yes=yes)


def _looked(request: Request, targets: Sequence[str]) -> Survey:
    """A survey that reaches the paths, wherever they lie."""
    paths = [Path(target) for target in targets if Path(target).exists()]
    folders = [(each if each.is_dir() else each.absolute().parent).resolve() for each in paths]
    _, home, _ = place(request)
    outside = [each for each in folders if not each.is_relative_to(home.resolve())]
    roots = (*request.roots, *outside)
    asked = Request(request.home, roots, request.json, request.cross_device, request.progress, request.as_user)
    return look(asked)[0]


def _verified(request: Request, wanted: expecting.Wanted, choice: verifying.Choice, targets: Sequence[str]) -> Read:
    env, home, _ = place(request)
    line = _Line() if request.progress and sys.stderr.isatty() else None
    asked = [str(home), *targets, *(["sample"] if choice.share < 1 else [])]
    run, outcomes = verifying.verify(
        wanted, choice, (env, home, api.this_platform()), asked, line.told if line else None
    )
    done = Read(run, [], 0.0)
    started = time.monotonic()
    try:
        with closing(outcomes):  # type: ignore[type-var]
            for outcome in outcomes:
                done.outcomes.append(outcome)
    except KeyboardInterrupt:
        done.interrupted = True
    finally:
        if line:
            line.clear()
    done.seconds = time.monotonic() - started
    return done


class _Line:
    """How far it is, how fast, and how long it will take, on one line of the terminal."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def told(self, done: int, total: int, path: str) -> None:
        """Draws the line."""
        seconds = time.monotonic() - self._started
        rate = done / seconds if seconds > RATE_AFTER else 0.0
        left = f", {lasting(round((total - done) / rate))} left" if rate else ""
        speed = f"  {size(round(rate))}/s" if rate else ""
        text = f"{size(done):>9} of {size(total)}{speed}{left}  {path.rpartition('/')[2]}"
        print(f"\r{text[:WIDTH]:<{WIDTH}}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Takes the line away."""
        print(f"\r{'':<{WIDTH}}\r", end="", file=sys.stderr, flush=True)


def _tell(done: Read, since: int | None, sample: float | None) -> None:
    """The last lines: how many files in which state, what was read, what was left out."""
    from modelyard.cli.output import console, line

    out = console()
    counts = Counter(each.state for each in done.outcomes)
    digests = sum(each.state == "ok" and each.how == "digest" for each in done.outcomes)
    words = [f"{counts[state]:,} {state}" for state in reversed(STATES) if counts[state]]
    files = f"{len(done.outcomes):,} file{'' if len(done.outcomes) == 1 else 's'}"
    line(
        out, f"{files} verified: {', '.join(words) or 'none'}" + (f"; {digests:,} by digest" if digests else ""), "bold"
    )
    reasons = Counter(each.found for each in done.outcomes if each.state == "unverifiable")
    for why, count in reasons.most_common(REASONS):
        line(out, f"  {count:>9,} unverifiable: {why}", "dim")
    if done.bytes:
        rate = f", {size(round(done.bytes / done.seconds))}/s" if done.seconds > RATE_AFTER else ""
        line(out, f"{size(done.bytes)} read in {lasting(max(round(done.seconds), 1))}{rate}", "dim")
    before = sum(not each.read for each in done.outcomes)
    if before:
        why = "in the run that was interrupted" if done.run.resumed and since is None else "lately enough"
        line(out, f"{before:,} of them were read before, {why}", "dim")
    if done.run.left_out and sample:
        line(
            out, f"A sample of {sample:.4g} of the bytes: {done.run.left_out:,} files are left for the next ones", "dim"
        )
    if done.interrupted:
        print("modelyard: interrupted; the same command goes on from here", file=sys.stderr)
