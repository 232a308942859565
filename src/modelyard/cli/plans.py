"""Plans and receipts on the screen and as JSON, for every verb that changes something."""

from __future__ import annotations

import sys

import click

from modelyard.api.reclaim import Receipt
from modelyard.cli import as_json, documents
from modelyard.cli.errors import PARTLY, HelpfulError
from modelyard.cli.options import Request
from modelyard.cli.output import console, freed, line, table
from modelyard.cli.progress import progress
from modelyard.cli.yards import find, older, opened
from modelyard.inventory import Sizes
from modelyard.plan import Plan, Step
from modelyard.policies.clean import ORDER
from modelyard.policies.rules import Rules
from modelyard.units import size

SHOWN = 12


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
    out = console()
    found = by_artifact(plan)
    if not found:
        line(out, "Nothing to give back that is proven to come back. `modelyard` shows where the space is.")
    for proof in (each for each in ORDER if any(_proof(steps) == each for steps in found.values())):
        members = {name: steps for name, steps in found.items() if _proof(steps) == proof}
        out.print(f"\n{proof}  {len(members):,} artifacts", style="bold", highlight=False)
        rows = [
            (size(sum(step.freed for step in steps)), name, steps[0].proof.partition(": ")[2])
            for name, steps in list(members.items())[:SHOWN]
        ]
        table(out, ("Alone", "Artifact", "Why it can go"), rows, right=(0,), flexible=2)
        if len(members) > SHOWN:
            out.print(f"and {len(members) - SHOWN:,} more: --json lists them all", style="dim")
    if plan.skipped:
        out.print(f"\nLeft out  {len(plan.skipped):,}", style="bold", highlight=False)
        table(out, ("Artifact", "Why"), [(each.artifact, each.why) for each in plan.skipped[:SHOWN]], flexible=0)
    if found:
        whole = freed(Sizes(freed=plan.freed, exact=plan.exact))
        out.print(f"\nTogether {whole} from {len(found):,} artifacts, weakest proof: {plan.worst_proof}", style="bold")


def ask(at_once: bool) -> bool:
    """The one question. Without a terminal nobody answers, and nothing is changed."""
    if not sys.stdin.isatty():
        hint = "add --yes to go on, or --plan FILE to save the plan and `modelyard apply FILE` later"
        print(f"modelyard: nothing was changed: nobody can be asked here\n  {hint}", file=sys.stderr)
        return False
    words = "Remove them for good" if at_once else "Move them into the trash"
    return click.confirm(f"{words}?", default=False, err=True)


def make(request: Request, plan: Plan, at_once: bool, ruled: Rules) -> int:
    """Makes a plan and says what came of it; the exit code. Rules may ask for older plans to be purged afterwards."""
    try:
        with opened(request) as yard, progress(request) as told:
            found = yard.apply(plan, told)
            if at_once:
                found = yard.purge(find(yard, plan.id), told)
            if ruled.purge_itself and ruled.trash_for is not None:
                for each in older(yard, ruled.trash_for):
                    yard.purge(each, told)
    except FileExistsError as error:
        raise HelpfulError("this plan was applied before", f"`modelyard journal show {plan.id}`") from error
    except ValueError as error:
        raise HelpfulError(str(error), "make a new plan with `modelyard clean`") from error
    return tell(request, found, "purged" if at_once else "moved into the trash")


def tell(request: Request, found: Receipt, words: str) -> int:
    """A receipt; the exit code: 3 when something was left undone."""
    if request.json:
        as_json.emit(receipt_document(found))
    else:
        out = console()
        line(out, f"{found.done:,} {'thing' if found.done == 1 else 'things'} {words}  (plan {found.journal})", "bold")
        if found.measured is not None:
            line(out, f"{size(max(found.measured, 0))} more are free, {size(found.predicted)} were predicted")
        elif words == "moved into the trash" and found.done:
            line(
                out, f"`modelyard purge` frees {size(found.predicted)}; `modelyard undo {found.journal}` brings it back"
            )
        rest = (("Not done", found.skipped), ("Failed", found.failed))
        for title, reasons in rest:
            if reasons:
                out.print(f"\n{title}  {len(reasons):,}", style="bold", highlight=False)
                table(out, ("Path", "Why"), reasons[:SHOWN], flexible=0)
    return PARTLY if found.skipped or found.failed else 0


def receipt_document(found: Receipt) -> documents.Made:
    """A receipt as JSON."""

    def refused(reasons: list[tuple[str, str]]) -> list[documents.RefusedLine]:
        return [documents.RefusedLine(path, why) for path, why in reasons]

    return documents.Made(
        documents.ReceiptLine(
            found.journal, found.done, refused(found.skipped), refused(found.failed), found.predicted, found.measured
        )
    )


def plan_document(plan: Plan) -> documents.Planned:
    """A plan as JSON, without what only its making needs."""
    steps = [
        documents.StepLine(step.do, step.path.text, step.artifact, step.recovery, step.proof, step.freed)
        for step in plan.steps
    ]
    skipped = [documents.SkippedLine(each.artifact, each.why) for each in plan.skipped]
    return documents.Planned(
        documents.PlanLine(plan.id, plan.title, plan.digest, steps, plan.freed, plan.exact, plan.worst_proof, skipped)
    )
