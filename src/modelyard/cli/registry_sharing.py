"""`modelyard registry card`, `push`, `pull` and `import`: versions for others, and from others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from modelyard.cli import as_json, documents
from modelyard.cli.options import Request
from modelyard.cli.output import console, line, table
from modelyard.cli.registry_place import in_registry, opened
from modelyard.registry.layout import CARD
from modelyard.walk.text import shown

if TYPE_CHECKING:  # it knows every format, which the other verbs have no need of
    from modelyard.registry.adopting import Adopted


@click.command("card")
@click.argument("name", metavar="NAME[@VERSION]")
@click.option("--write", is_flag=True, help="Put it beside the version, as README.md.")
@in_registry
def card_command(request: Request, place: str, name: str, write: bool) -> int:
    """Print the model card of a version, in Hugging Face form: facts in YAML, then metrics, schema, data and files."""
    with opened(place) as registry:
        which = registry.resolve(name)
        text = registry.card(which, write=write)
        path = shown(str(registry.path(which) / CARD)) if write else None
    if request.json:
        as_json.emit(documents.Card(str(which), path, text))
        return 0
    click.echo(text, nl=False)
    if path is not None:
        click.echo(path, err=True)
    return 0


@click.command("push")
@click.argument("name", metavar="NAME[@VERSION]")
@click.argument("address", metavar="TO")
@in_registry
def push_command(request: Request, place: str, name: str, address: str) -> int:
    """Copy a version to another place, and verify every file of it there.

    TO: a folder; s3://bucket/models and every other URL that fsspec knows; hf://organisation/name, which gets a commit
    and a tag. What is there stays: a version of that number with other bytes is refused.
    """
    with opened(place) as registry:
        which = registry.resolve(name)
        pushed = registry.push(which, address)
    if request.json:
        as_json.emit(documents.PushedVersion(str(which), shown(pushed.address), list(pushed.files), pushed.verified))
    else:
        click.echo(shown(pushed.address))
        click.echo(f"{which}: {len(pushed.files)} files verified: {pushed.verified}", err=True)
    return 0


@click.command("pull")
@click.argument("address", metavar="FROM")
@click.argument("name", required=False, metavar="[NAME[@VERSION]]")
@in_registry
def pull_command(request: Request, place: str, address: str, name: str | None) -> int:
    """Bring a version from another place; it appears when every file was verified.

    FROM: what `push` printed, or the folder, URL or repository with NAME in it. A version of that number with other
    bytes that is here already stays, and the pull is refused.
    """
    with opened(place) as registry:
        which = registry.pull(address, name)
        files = [each.path for each in registry.metadata(which).files]
        path = shown(str(registry.path(which)))
    if request.json:
        as_json.emit(documents.SavedVersion(str(which), path, files))
    else:
        click.echo(str(which))
        click.echo(path, err=True)
    return 0


@click.command("import")
@click.argument("folder", metavar="DIR")
@click.option("--dry-run", is_flag=True, help="Only list what would be taken.")
@click.option("--allow-pickle", is_flag=True, help="Take pickles, too, but none that is dangerous.")
@in_registry
def import_command(request: Request, place: str, folder: str, dry_run: bool, allow_pickle: bool) -> int:
    """Take every model below a folder as a version; the originals stay, and nothing is executed.

    DIR: a folder with model files, found by their content; a store of MLflow (mlruns); one of BentoML (~/bentoml).
    What is here already, byte for byte, is not taken again.
    """
    with opened(place) as registry:
        found = registry.adopt(folder, dry_run=dry_run, allow_pickle=allow_pickle)
        root = registry.root
    if request.json:
        items = [
            documents.AdoptedLine(shown(each.path), each.name, each.kind, each.reference or None, each.why)
            for each in found
        ]
        as_json.emit(documents.AdoptedModels(shown(root), dry_run, items))
    else:
        _print(found, folder, dry_run)
    return 0


def _print(found: list[Adopted], folder: str, dry_run: bool) -> None:
    out = console()
    good = [each for each in found if not each.why]
    if found:
        rows = [
            (
                each.reference or ("" if each.why else each.name),
                each.kind,
                shown(os.path.relpath(each.path, folder)),
                shown(each.why.replace(f"{each.path}: ", "").replace(f"loading {each.path} ", "it ")),
            )
            for each in found
        ]
        table(out, ("Version", "Kind", "From", "Why not"), rows, flexible=3, spare=(1,))
    words = "would be taken: run it without --dry-run" if dry_run and good else "taken"
    line(out, f"{len(good):,} of {len(found):,} models {words}", "bold")
