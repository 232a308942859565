"""`modelyard journal`: what was done, and what became of it."""

from __future__ import annotations

import click

from modelyard.api import reclaim
from modelyard.api.reclaim import Ledger
from modelyard.cli import as_json, documents
from modelyard.cli.options import Request, with_place
from modelyard.cli.output import console, line, say, table
from modelyard.cli.plans import receipt_document
from modelyard.cli.yards import closed, find, ledgers, waits
from modelyard.problem import Problem
from modelyard.units import size
from modelyard.walk.text import shown


@click.command("journal")
@click.argument("words", nargs=-1, metavar="[show] [ID]")
@with_place
def command(request: Request, words: tuple[str, ...]) -> int:
    """Every plan that was applied, what of it waits in the trash, and what was purged; with ID the steps of one."""
    yard = closed(request)
    words = words[1:] if words[:1] == ("show",) else words
    if len(words) > 1:
        raise click.UsageError(f"one plan at a time, and these are {len(words)} words")
    if words:
        _print_one(request, find(yard, words[0]))
        return 0
    found_all = ledgers(yard)
    problems = [each for each in yard.ledgers() if isinstance(each, Problem)]
    if request.json:
        rows = [
            documents.JournalLine(
                each.plan.id, each.plan.title, each.plan.created, len(each.plan.steps), len(each.waiting()),
                len(each.steps("undone")), len(each.steps("purged")), each.plan.freed,
            )
            for each in found_all
        ]  # fmt: skip
        as_json.emit(documents.Journals(rows, as_json.problems(tuple(problems))))
        return 0
    out = console()
    table(
        out,
        ("Plan", "Made", "Steps", "Trash", "Undone", "Purged", "Waits", "Freed"),
        [
            (
                each.plan.id, each.plan.created, f"{len(each.plan.steps):,}", f"{len(each.waiting()):,}",
                f"{len(each.steps('undone')):,}", f"{len(each.steps('purged')):,}", size(waits(each)),
                size(each.measured),
            )
            for each in found_all
        ],
        right=(2, 3, 4, 5, 6, 7),
        flexible=1,
    )  # fmt: skip
    for problem in problems:
        say(out, f"{problem.path}: {problem.message}", "yellow")
    return 0


def _print_one(request: Request, ledger: Ledger) -> None:
    if request.json:
        as_json.emit(receipt_document(reclaim.receipt(ledger)))
        return
    out = console()
    line(out, f"{ledger.plan.id}  {ledger.plan.title}, made {ledger.plan.created}", "bold")
    rows = [
        (state, size(step.freed), shown(bytes(step.path)), ledger.reasons.get(number, ""))
        for number, (step, state) in enumerate(zip(ledger.plan.steps, ledger.states, strict=True))
    ]
    table(out, ("State", "Size", "Path", "Why"), rows, right=(1,), flexible=2)
