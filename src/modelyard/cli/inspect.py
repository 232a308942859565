"""`modelyard inspect`: what a model file is, read from its header and never by loading it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from modelyard.api import find_artifact
from modelyard.api.inspecting import (
    Header,
    Inspected,
    inspect_artifact,
    inspect_file,
    inspect_folder,
    largest_model,
    models_only,
    problem_of,
    told,
)
from modelyard.cli import as_json, documents
from modelyard.cli.errors import ERROR, OK, PARTLY, HelpfulError
from modelyard.cli.headers import document, print_file, print_summary
from modelyard.cli.looking import look, looked
from modelyard.cli.options import Request, with_place
from modelyard.cli.output import console
from modelyard.problem import Problem

if TYPE_CHECKING:  # who asks for JSON does not wait for what draws screens
    from rich.console import Console


@click.command("inspect")
@click.argument("names", metavar="PATH|ID...", nargs=-1, required=True)
@click.option("--tensors", is_flag=True, help="Every tensor: dtype, shape, bytes, and where they lie.")
@with_place
def command(request: Request, names: tuple[str, ...], tensors: bool) -> int:
    """What a model file is: format, tensors, precision, what made it, what it needs, how it is loaded.

    A file gets one screen, a folder or an artifact (an id as `modelyard ls` prints it) a summary. Only headers are
    read, and nothing in a file is ever run. `modelyard inspect --json` has everything.
    """
    found, single = _found(request, names)
    if request.json:
        _emit(found, tensors)
    else:
        _print(console(), found, single, tensors)
    bad = [wrong for each in found if (wrong := problem_of(each))]
    for each in bad if not request.json else ():
        print(f"modelyard: {each.path}: {each.message}" + (f"; {each.hint}" if each.hint else ""), file=sys.stderr)
    return OK if not bad else PARTLY if len(bad) < len(found) else ERROR


def _found(request: Request, names: tuple[str, ...]) -> tuple[list[Inspected], bool]:
    """The files of all names, and whether files were named one by one."""
    found: list[Inspected] = []
    single = True
    ids = [each for each in names if not os.path.lexists(each)]
    survey = look(request)[0] if ids else None
    for name in names:
        if os.path.isdir(name):
            found += _some(models_only(inspect_folder(name)), name)
            single = False
        elif survey is None or name not in ids:
            found.append(inspect_file(name))
        else:
            try:
                _, artifact = find_artifact(survey, name)
            except LookupError as error:
                why = f"there is no file {name!r}, and {error.args[0]}"
                raise HelpfulError(why, "give a path, or an id that `modelyard ls -q` prints") from error
            remembered = looked(request, survey)
            remembered.mark(artifact)
            own = list(inspect_artifact(survey, artifact))
            remembered.put(artifact, model=told(largest_model(own)))
            remembered.save()
            found += _some(models_only(own), name)
            single = False
    return found, single or len(found) == 1


def _some(found: list[Inspected], name: str) -> list[Inspected]:
    if not found:
        raise HelpfulError(f"no model file in {name}", "`modelyard inspect` knows models by their content")
    return found


def _emit(found: Iterable[Inspected], tensors: bool) -> None:
    lines = [document(each, each.header, tensors) for each in found if isinstance(each.header, Header)]
    problems = [documents.ProblemLine(p.path, p.code, p.message, p.hint) for each in found if (p := problem_of(each))]
    as_json.emit(documents.Headers(lines, problems))


def _print(out: Console, found: list[Inspected], single: bool, tensors: bool) -> None:
    readable = [(each, each.header) for each in found if not isinstance(each.header, Problem)]
    if single or tensors:
        for at, (each, header) in enumerate(readable):
            if at:
                out.print()
            print_file(out, each, header, tensors)
    else:
        print_summary(out, readable)
