"""`modelyard env`: writes an environment's capsule, builds it again, and proves that this works."""

from __future__ import annotations

import os
from pathlib import Path

import click

from modelyard import api
from modelyard.api import environments
from modelyard.api.environments import Capsule, Opened, Proof
from modelyard.cli import as_json, documents
from modelyard.cli.errors import COMPLAINTS, REFUSED, HelpfulError
from modelyard.cli.looking import look, place
from modelyard.cli.options import Request, with_place
from modelyard.problem import Problem
from modelyard.units import size
from modelyard.walk.text import shown


@click.group("env")
def command() -> None:
    """Freeze an environment into one file, build it again, and prove that this works.

    A capsule holds the exact list of packages with hashes and addresses, the wheels that no index has, and the
    uncommitted changes of repositories that are installed in place. No password or token is written into it.
    """


@command.command("freeze")
@click.argument("name", metavar="NAME|PATH")
@click.option("--into", type=click.Path(path_type=Path), metavar="DIR", help="Write it there.")
@with_place
def freeze(request: Request, name: str, into: Path | None) -> int:
    """Write the capsule of an environment: an id as `modelyard ls` prints it, a part of one, or its folder.

    Only files are read: the environment's Python is not started, and it may be gone.
    """
    path = _frozen(request, _prefix(request, name), into)
    capsule = _opened(path).capsule
    if request.json:
        as_json.emit(_document(path, capsule))
        return 0
    click.echo(shown(str(path)))
    _tell(capsule.said)
    words = f"{len(capsule.packages)} Python and {len(capsule.conda)} conda packages"
    click.echo(f"{words}, {size(path.stat().st_size)}; try it: modelyard env prove {shown(str(path))}", err=True)
    return 0


@command.command("restore")
@click.argument("capsule", type=click.Path(path_type=Path), metavar="CAPSULE")
@click.option("--prefix", type=click.Path(path_type=Path), metavar="DIR", help="Build it there; it must not exist yet.")
@click.option("--with-sources", is_flag=True, help="Clone repositories that were installed in place, and patch them.")
@with_place
def restore(request: Request, capsule: Path, prefix: Path | None, with_sources: bool) -> int:
    """Build an environment again, in a new folder here unless --prefix says where. Nothing is ever built over.

    pip, conda and git fetch what the capsule does not hold, with your own settings of indexes and channels.
    """
    found = _opened(capsule)
    folder = prefix or environments.spare_prefix(Path.cwd(), found.capsule.name)
    env, home, _ = place(request)
    made = environments.restore(found, folder, env or os.environ, home, with_sources=with_sources)
    if isinstance(made, Problem):
        code = REFUSED if made.code in ("exists", "busy") else 1
        raise HelpfulError(_words(made), made.hint or "nothing was left behind; mend it and run again", code)
    if request.json:
        as_json.emit(documents.Rebuilt(shown(str(made.prefix)), shown(str(capsule)), list(made.notes)))
        return 0
    click.echo(shown(str(made.prefix)))
    _tell(list(made.notes))
    return 0


@command.command("prove")
@click.argument("name", metavar="NAME|CAPSULE")
@with_place
def prove(request: Request, name: str) -> int:
    """Build an environment from its capsule, compare the packages, import them, and remove it again.

    A name or folder is frozen first. The result is kept beside the capsule, where `modelyard clean` finds it. Exit
    code 5 when anything differs.
    """
    path = Path(name)
    if not (name.endswith(".zip") and path.is_file()):
        path = _frozen(request, _prefix(request, name), None)
    env, home, _ = place(request)
    proof = environments.prove(_opened(path), env or os.environ, home)
    if isinstance(proof, Problem):
        raise HelpfulError(_words(proof), proof.hint or "run again")
    if request.json:
        as_json.emit(_proved(path, proof))
    else:
        _print(path, proof)
    return 0 if proof.holds else COMPLAINTS


def _prefix(request: Request, name: str) -> Path:
    """The folder that was meant: a path that is there, else the environment of that name."""
    if os.path.isdir(name) or name.startswith((os.sep, ".")):  # ids have separators too
        return Path(name).absolute()
    found, _ = look(request)
    try:
        return environments.find_environment(found, name)
    except LookupError as error:
        raise HelpfulError(str(error.args[0]), "`modelyard ls --kind environment` lists them") from error


def _frozen(request: Request, prefix: Path, into: Path | None) -> Path:
    env, home, _ = place(request)
    folder = into or environments.capsules_folder(env, home, api.this_platform())
    made = environments.write_capsule(prefix, folder)
    if isinstance(made, Problem):
        raise HelpfulError(_words(made), made.hint or "run again")
    return made


def _opened(path: Path) -> Opened:
    found = environments.opened(path)
    if isinstance(found, Problem):
        raise HelpfulError(_words(found), found.hint or "`modelyard env freeze` writes capsules")
    return found


def _words(problem: Problem) -> str:
    return f"{problem.path}: {problem.message}" if problem.path else problem.message


def _tell(lines: list[str]) -> None:
    for each in lines:
        click.echo(f"note: {shown(each)}", err=True)


def _document(path: Path, capsule: Capsule) -> documents.Frozen:
    return documents.Frozen(
        shown(str(path)), capsule.kind, capsule.name, capsule.python, len(capsule.packages), len(capsule.conda),
        sum(each.name.startswith("wheels/") for each in capsule.members), [each.name for each in capsule.sources],
        path.stat().st_size, capsule.digest, capsule.environment, capsule.said,
    )  # fmt: skip


def _proved(path: Path, proof: Proof) -> documents.Proved:
    return documents.Proved(shown(str(path)), proof.holds, proof.at, proof.differences, proof.notes, proof.seconds)


def _print(path: Path, proof: Proof) -> None:
    if proof.holds:
        click.echo(f"proven: {shown(str(path))} builds the same environment ({proof.seconds:.0f} s)")
    else:
        click.echo(f"not proven: {shown(str(path))}")
    for each in proof.differences:
        click.echo(f"  {shown(each)}")
    _tell(proof.notes)
