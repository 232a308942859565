"""Plans and receipts on the screen and as JSON, for every verb that changes something."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from modelyard.api import reclaim
from modelyard.api.reclaim import Receipt
from modelyard.apply.purge import silent
from modelyard.cli import as_json, documents
from modelyard.cli.errors import PARTLY, HelpfulError
from modelyard.cli.kept import print_kept
from modelyard.cli.lately import doubts
from modelyard.cli.moves import copying, print_move, tell_move
from modelyard.cli.one_copy import is_one_copy, print_one_copy
from modelyard.cli.options import Request
from modelyard.cli.output import by_reason, console, freed, line, many, say, table
from modelyard.cli.progress import progress
from modelyard.cli.yards import again, find, older, opened
from modelyard.inventory import Sizes
from modelyard.plan import RATE, Move, Plan, Step
from modelyard.policies.clean import ORDER
from modelyard.policies.rules import Rules
from modelyard.units import lasting, size

if TYPE_CHECKING:  # who asks for JSON does not wait for what draws screens
    from rich.console import Console

SHOWN = 12
APPLIED = "this plan was applied before"
TRASHED, TRASHING = "moved into the trash", "Move them into the trash"
UNITED, UNITING = "made one with an equal file", "Make one copy of them"


def by_artifact(plan: Plan) -> dict[str, list[Step]]:
    """The steps of each artifact, the most bytes first."""
    found: dict[str, list[Step]] = {}
    for step in plan.steps:
        found.setdefault(step.artifact, []).append(step)
    return dict(sorted(found.items(), key=lambda item: -sum(step.freed for step in item[1])))


def _proof(steps: list[Step]) -> str:
    return steps[0].proof.partition(":")[0]


def print_plan(plan: Plan) -> None:
    """The plan by class of proof, what is left out and why, and what the whole set frees."""
    if plan.moves:
        print_move(plan)
        return
    if is_one_copy(plan):
        print_one_copy(plan)
        return
    out = console()
    found = by_artifact(plan)
    if not found:
        say(out, "Nothing to give back that is proven to come back. `modelyard` shows where the space is.")
    for proof in (each for each in ORDER if any(_proof(steps) == each for steps in found.values())):
        members = {name: steps for name, steps in found.items() if _proof(steps) == proof}
        out.print(f"\n{proof}  {many(len(members))}", style="bold", highlight=False)
        rows = [
            (size(sum(step.freed for step in steps)), name, steps[0].proof.partition(": ")[2])
            for name, steps in list(members.items())[:SHOWN]
        ]
        by_reason(out, ("Alone", "Artifact", "Why it can go"), rows, right=(0,), flexible=1)
        if len(members) > SHOWN:
            out.print(f"and {len(members) - SHOWN:,} more: --json lists them all", style="dim")
    left = print_kept(out, plan)
    if left:
        out.print(f"\nLeft out  {len(left):,}", style="bold", highlight=False)
        by_reason(out, ("Artifact", "Why"), [(each.artifact, each.why) for each in left[:SHOWN]], flexible=0)
    if found:
        whole = freed(Sizes(freed=plan.freed, exact=plan.exact))
        if plan.likely and not plan.exact:
            whole += f", {size(plan.predicted)} unless something else shares their extents,"
        out.print(f"\nTogether {whole} from {many(len(found))}, weakest proof: {plan.worst_proof}", style="bold")
    if count := for_good(plan):
        owners = ", ".join(sorted({step.ask.owner for step in plan.steps if step.ask}))
        say(
            out,
            f"{count:,} of them go for good: {owners} removes them, services keep no trash, and undo brings none back",
        )
    if plan.freezes:
        say(out, f"A capsule is written of {many(len(plan.freezes), 'environment')} before anything of it goes")
    _print_return(out, plan)


def _print_return(out: Console, plan: Plan) -> None:
    """What it takes to get things back, and who will miss them until then."""
    if plan.fetch:
        rate = f"{plan.rate / 1e6:g} Mbit/s"
        said = "" if plan.rate != RATE else "  that rate is assumed; --rate MBIT says otherwise"
        say(out, f"To get it back: at most {size(plan.fetch)} to fetch, {lasting(plan.fetch_seconds)} at {rate}")
        if said:
            line(out, said)
    names: dict[str, list[str]] = {}
    for each in plan.breaks:
        names.setdefault(each.artifact, []).append(each.who)
    if names:
        out.print(f"\nAsked for by name  {len(names):,}", style="bold", highlight=False)
        rows = [(name, places(who)) for name, who in list(names.items())[:SHOWN]]
        table(out, ("Artifact", "By"), rows, flexible=1)


def places(who: list[str]) -> str:
    """Who asks for something, the first three of them by name."""
    more = f" and {len(who) - 3:,} more" if len(who) > 3 else ""
    return ", ".join(who[:3]) + more


def for_good(plan: Plan) -> int:
    """How many of its steps ask a service, which keeps no trash."""
    return sum(step.do == "ask" for step in plan.steps)


def ask(at_once: bool, plan: Plan | None = None, *, savable: bool = False) -> bool:
    """The one question before something is removed."""
    words = "Remove them for good" if at_once else TRASHING
    words = "Move it" if plan and plan.moves else UNITING if plan and is_one_copy(plan) else words
    count = for_good(plan) if plan and not at_once else 0
    if plan and count:
        every = count == len(plan.steps)
        words = "Let their services remove them for good" if every else f"{words}, and let services remove {count:,}"
    return confirmed(words, savable=savable)


def confirmed(words: str, *, savable: bool = False) -> bool:
    """One question. Without a terminal nobody answers, and nothing is changed."""
    if not sys.stdin.isatty():
        saving = ", or --plan FILE to save the plan and `modelyard apply FILE` later" if savable else ""
        hint = f"add --yes to go on{saving}"
        print(f"modelyard: nothing was changed: nobody can be asked here\n  {hint}", file=sys.stderr)
        return False
    if words == TRASHING:
        print("`modelyard purge` then frees the space; until that `modelyard undo` brings all back.", file=sys.stderr)
    return click.confirm(f"{words}?", default=False, err=True)


def saved(plan: Plan, file: Path) -> None:
    """Writes the plan into a new file."""
    try:
        reclaim.save(plan, file)
    except FileExistsError as error:
        raise HelpfulError(f"{file} is there already", "give the plan another name, or remove that file") from error


def made(request: Request, plan: Plan, again: str, ruled: Rules) -> Receipt:
    """Makes a plan, after one more look; `again` is the command that makes a new one."""
    doubted = doubts(request, plan, ruled)
    try:
        with opened(request) as yard, progress(request) as told:
            return yard.apply(plan, told, doubted)
    except FileExistsError as error:
        raise HelpfulError("this plan was applied before", f"`modelyard journal show {plan.id}`") from error
    except ValueError as error:
        raise HelpfulError(str(error), f"make a new plan with `{again}`") from error


def make(request: Request, plan: Plan, at_once: bool, ruled: Rules) -> int:
    """Makes a plan and says what came of it; the exit code. Rules may ask for older plans to be purged afterwards."""
    doubted = doubts(request, plan, ruled)
    try:
        with opened(request) as yard, progress(request) as told, copying(request, plan) as copied:
            found = yard.apply(plan, silent if plan.moves else told, doubted, copied)
            if at_once:
                found = replace(yard.purge(find(yard, plan.id), told), capsules=found.capsules)
            if ruled.purge_itself and ruled.trash_for is not None:
                for each in older(yard, ruled.trash_for):
                    yard.purge(each, told)
    except FileExistsError as error:
        raise HelpfulError(APPLIED, f"`modelyard journal show {plan.id}`") from error
    except ValueError as error:
        raise HelpfulError(str(error), "make a new plan with `modelyard clean`") from error
    return tell(request, found, "purged" if at_once else UNITED if is_one_copy(plan) else TRASHED, plan)


def _done(found: Receipt, words: str) -> str:
    """How many things, and what became of them."""
    if words != TRASHED or not found.for_good:
        return f"{found.done:,} {'thing' if found.done == 1 else 'things'} {words}"
    removed = f"{found.for_good:,} removed for good by their services"
    return f"{found.done - found.for_good:,} {words}, {removed}" if found.done > found.for_good else removed


def tell(request: Request, found: Receipt, words: str, plan: Plan | None = None) -> int:
    """A receipt; the exit code: 3 when something was left undone."""
    if request.json:
        as_json.emit(receipt_document(found))
    else:
        out = console()
        if plan and plan.moves:
            tell_move(request, plan, found)
        else:
            line(out, f"{_done(found, words)}  (plan {found.journal})", "bold")
        if plan and plan.moves:
            pass
        elif found.measured is not None:
            line(out, f"{size(max(found.measured, 0))} more are free, {size(found.predicted)} were predicted")
        elif words == TRASHED and found.done > found.for_good:
            whole = size(found.predicted) if not found.for_good else "what lies there"
            told = (
                f"`{again(request, 'purge')}` frees {whole}\n`{again(request, 'undo', found.journal)}` brings it back"
            )
            out.print(told, markup=False, highlight=False, soft_wrap=True)
        elif words == TRASHED and found.done:
            line(out, f"{size(found.predicted)} were predicted; what a service removed cannot be brought back")
        elif found.waiting:
            words = f"`{again(request, 'undo', found.journal)}` makes the files their own again"
            line(out, f"`{again(request, 'purge')}` frees the old files; until then {words}")
        for capsule in found.capsules:
            line(out, f"capsule {capsule}")
        if found.capsules:
            line(out, "`modelyard env restore CAPSULE` builds the environment again")
        rest = (("Not done", found.skipped), ("Failed", found.failed))
        for title, reasons in rest:
            if reasons:
                out.print(f"\n{title}  {len(reasons):,}", style="bold", highlight=False)
                by_reason(out, ("Path", "Why"), reasons[:SHOWN], flexible=0)
    return PARTLY if found.skipped or found.failed else 0


def receipt_document(found: Receipt) -> documents.Made:
    """A receipt as JSON."""

    def refused(reasons: list[tuple[str, str]]) -> list[documents.RefusedLine]:
        return [documents.RefusedLine(path, why) for path, why in reasons]

    return documents.Made(
        documents.ReceiptLine(
            found.journal,
            found.done,
            refused(found.skipped),
            refused(found.failed),
            found.predicted,
            found.measured,
            found.for_good,
            found.capsules,
        )
    )


def _move_line(move: Move) -> documents.MoveLine:
    return documents.MoveLine(
        move.artifact,
        move.store,
        move.source.text,
        move.target.text,
        move.how,
        move.why,
        move.bytes,
        move.entries,
        move.renamed,
        None if move.file is None else move.file.text,
        move.lines,
        move.say,
        move.notes,
    )


def plan_document(plan: Plan) -> documents.Planned:
    """A plan as JSON, without what only its making needs."""
    steps = [
        documents.StepLine(step.do, step.path.text, step.artifact, step.recovery, step.proof, step.freed)
        for step in plan.steps
    ]
    skipped = [documents.SkippedLine(each.artifact, each.why) for each in plan.skipped]
    breaks = [documents.BreakLine(each.artifact, each.who, each.evidence) for each in plan.breaks]
    return documents.Planned(
        documents.PlanLine(
            plan.id, plan.title, plan.digest, steps, plan.freed, plan.exact, plan.worst_proof, skipped,
            plan.fetch, plan.rate, plan.fetch_seconds, breaks, [_move_line(each) for each in plan.moves],
        )
    )  # fmt: skip
