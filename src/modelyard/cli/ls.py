"""`modelyard ls`: artifacts that fit, in the order asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import get_args

import click

from modelyard.api.looked import Looked, Note
from modelyard.cli import as_json
from modelyard.cli.looking import exit_code, look, looked
from modelyard.cli.options import Request, with_place
from modelyard.cli.output import console, freed, table
from modelyard.inventory import Artifact, Kind, Recovery, State
from modelyard.policies.filters import ORDERS, Filter, choose
from modelyard.units import ago, count, parse_size, parse_span, size


class Parsed(click.ParamType[int]):
    """A size or a span as people write it."""

    def __init__(self, name: str, parse: Callable[[str], int]) -> None:
        self.name, self._parse = name, parse

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return self._parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


SIZE, SPAN = Parsed("size", parse_size), Parsed("span", parse_span)
INSIDE = ("Format", "Parameters", "Verdict")
SPARE = ("Kind", "Apparent", "Tags", "Parameters", "Format", "Comes back", "Used")
ASKED = ("Kind", "Apparent", "Tags", "Comes back", "Used", "Parameters", "Format")
"""Columns that go first where there is little room, in this order; and when headers were asked for."""
RIGHT = ("Apparent", "On disk", "Frees", "Parameters")
KINDS, STATES, RECOVERIES = get_args(Kind), get_args(State), get_args(Recovery)


@click.command("ls")
@click.argument("text", default="", metavar="[STORE or TEXT]")
@click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="Only this kind; may be repeated.")
@click.option("--store", "stores", multiple=True, metavar="NAME", help="Only this store; may be repeated.")
@click.option("--state", "states", type=click.Choice(STATES), multiple=True, help="Only in this state.")
@click.option(
    "--recovery",
    "recoveries",
    type=click.Choice(RECOVERIES),
    multiple=True,
    help="Only what would come back like this.",
)
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only with this tag: best, last, detached, main …")
@click.option("--larger", type=SIZE, metavar="SIZE", help="Takes at least this much disk: 500MB, 2GiB.")
@click.option("--older", type=SPAN, metavar="SPAN", help="Written longer ago than this: 30d, 12h.")
@click.option("--unused-for", type=SPAN, metavar="SPAN", help="Not known to have been used for this long.")
@click.option("--sort", type=click.Choice(list(ORDERS)), default="size", show_default=True, help="Order of the list.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N artifacts.")
@click.option("--headers", is_flag=True, help="Read the headers of the listed models now: format, parameters.")
@click.option("-q", "--quiet", is_flag=True, help="Ids only, one a line.")
@click.option("-0", "zero", is_flag=True, help="Ids only, each ended by a NUL.")
@with_place
def command(
    request: Request,
    text: str,
    kinds: tuple[str, ...],
    stores: tuple[str, ...],
    states: tuple[str, ...],
    recoveries: tuple[str, ...],
    tags: tuple[str, ...],
    larger: int | None,
    older: int | None,
    unused_for: int | None,
    sort: str,
    limit: int | None,
    headers: bool,
    quiet: bool,
    zero: bool,
) -> int:
    """List artifacts, largest first: a whole store by its name, or whatever TEXT is part of.

    Format, parameters and verdict stand where `show`, `inspect`, `scan` or --headers found them out before.
    """
    now = time.time_ns()
    wanted = Filter(
        text,
        kinds,
        stores,
        states,
        recoveries,
        tags,
        larger,
        None if older is None else now - older,
        None if unused_for is None else now - unused_for,
    )
    found, _ = look(request)
    chosen = choose(found.artifacts, wanted, sort)[:limit]
    known = looked(request, found)
    if headers:
        from modelyard.api.inspecting import read_headers  # late: it knows every format

        read_headers(found, chosen, known)
    if request.json:
        as_json.emit(as_json.listing(found, chosen, known))
    elif quiet or zero:
        sys.stdout.write("".join(f"{each.id}{chr(0) if zero else chr(10)}" for each in chosen))
    else:
        _print(chosen, known, now, ASKED if headers else SPARE)
    return exit_code(found)


def _print(chosen: list[Artifact], known: Looked, now: int, last: Sequence[str]) -> None:
    out = console()
    rows: list[Sequence[str]] = [
        (
            each.id,
            each.kind,
            size(each.sizes.apparent),
            size(each.sizes.allocated),
            freed(each.sizes),
            ago(each.last_used.at, now) if each.last_used else "unknown",
            each.recovery if each.state == "complete" else f"{each.recovery}, {each.state}",
            " ".join(each.tags),
            *_inside(known.of(each)),
        )
        for each in chosen
    ]
    heads: Sequence[str] = ("Id", "Kind", "Apparent", "On disk", "Frees", "Used", "Comes back", "Tags", *INSIDE)
    empty = [at for at in range(len(heads)) if all(row[at] in ("", "-") for row in rows)]
    if out.is_terminal and rows:
        heads = [head for at, head in enumerate(heads) if at not in empty]
        rows = [tuple(cell for at, cell in enumerate(row) if at not in empty) for row in rows]
    spare = [heads.index(head) for head in last if head in heads]
    right = [heads.index(head) for head in RIGHT if head in heads]
    table(out, heads, rows, right=right, flexible=0, spare=spare)
    if out.is_terminal:
        out.print(
            f"{len(chosen):,} artifacts" if chosen else "Nothing fits. `modelyard where` tells where it looked.",
            style="dim",
        )


def _inside(known: Note) -> tuple[str, str, str]:
    """Format with precision, parameters, verdict; `-` for what nobody looked at, nothing for what is not there."""
    model = known.model
    if model is None:
        return "-", "-", known.verdict or "-"
    precision = model.precision.partition(" ")[0]
    parameters = "" if model.parameters is None else count(model.parameters)
    return f"{model.format} {precision}".strip(), parameters, known.verdict or "-"
