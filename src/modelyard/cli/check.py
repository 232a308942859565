"""`modelyard check`: whether the budgets of the settings hold, for cron and CI."""

from __future__ import annotations

import click

from modelyard.api import planning, settings, this_platform
from modelyard.cli import as_json, documents
from modelyard.cli.errors import COMPLAINTS
from modelyard.cli.looking import exit_code, look, place
from modelyard.cli.options import Request, with_place
from modelyard.cli.output import console, line, table
from modelyard.cli.settings import rules
from modelyard.policies.rules import Budget
from modelyard.units import size


@click.command("check")
@with_place
def command(request: Request) -> int:
    """Compare what is here with the budgets of `config.toml`; exit code 5 when one is exceeded. Changes nothing."""
    found, _ = look(request)
    budgets = planning.check(found, rules(request))
    if request.json:
        lines = [documents.BudgetLine(each.name, each.limit, each.found, each.exceeded) for each in budgets]
        as_json.emit(documents.Checked(lines))
    else:
        _print(request, budgets)
    return exit_code(found) or (COMPLAINTS if any(each.exceeded for each in budgets) else 0)


def _print(request: Request, budgets: list[Budget]) -> None:
    out = console()
    if not budgets:
        env, home, _ = place(request)
        line(out, f"No budgets: `min_free` and `max_size` in {settings.file(env, home, this_platform())} set them.")
        return
    rows = [
        (
            "exceeded" if each.exceeded else "holds",
            each.name,
            f"at {'least' if each.least else 'most'} {size(each.limit)}",
            size(each.found),
        )
        for each in budgets
    ]
    table(out, ("Budget", "Of", "Limit", "Found"), rows, right=(2, 3), flexible=1)
