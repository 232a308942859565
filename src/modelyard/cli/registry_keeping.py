"""`modelyard registry init`, `save`, `load`, `alias` and `gitignore`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from modelyard.cli import as_json, documents
from modelyard.cli.errors import HelpfulError
from modelyard.cli.options import Request, with_place
from modelyard.cli.registry_place import helpful, in_registry, opened
from modelyard.problem import Problem
from modelyard.walk.read import read_file
from modelyard.walk.text import shown


@click.command("init")
@click.argument("folder", default="models", metavar="[DIR]")
@with_place
def init_command(request: Request, folder: str) -> int:
    """Make a registry: a folder that `modelyard ls` knows, with a .gitignore that keeps models out of the repository.

    DIR is `models` without one. What is there already stays as it is.
    """
    from modelyard.library import Registry

    with helpful():
        registry = Registry(folder)
        made = registry.init()
    if request.json:
        as_json.emit(documents.Founded(shown(registry.root), [shown(each) for each in made]))
        return 0
    for each in made:
        click.echo(shown(each))
    words = "save a model with `modelyard registry save FILE NAME`, or with Registry.save in Python"
    click.echo(words if made else f"{shown(registry.root)} is a registry already", err=True)
    return 0


@click.command("save")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.argument("name", metavar="NAME")
@click.option("--version", metavar="X.Y.Z", help="This version; the next one without.")
@click.option("--metric", "metrics", multiple=True, metavar="NAME=NUMBER", help="A metric; may be repeated.")
@click.option("--task", default="", metavar="TEXT", help="What it does: text-classification.")
@click.option("--dataset", "datasets", multiple=True, metavar="NAME[=URI]", help="What it was trained on; repeatable.")
@click.option("--training", metavar="FILE.json", type=click.Path(path_type=Path), help="Configuration of the training.")
@click.option("--parent", default="", metavar="NAME@VERSION", help="The version that it was made from.")
@click.option("--license", "license_", default="", metavar="TEXT", help="Its licence: apache-2.0.")
@click.option("--tag", "tags", multiple=True, metavar="TEXT", help="A tag; may be repeated.")
@click.option("--code", metavar="PATH", type=click.Path(path_type=Path), help="Keep this code beside it, as it is.")
@click.option("--allow-pickle", is_flag=True, help="Keep a file whose loading may execute code.")
@in_registry
def save_command(
    request: Request,
    place: str,
    file: Path,
    name: str,
    version: str | None,
    metrics: Sequence[str],
    task: str,
    datasets: Sequence[str],
    training: Path | None,
    parent: str,
    license_: str,
    tags: Sequence[str],
    code: Path | None,
    allow_pickle: bool,
) -> int:
    """Save a model file as a version: a copy with digests and metadata, there whole or not at all.

    FILE: safetensors, ONNX, GGUF, skops, Keras and every other format that `modelyard inspect` reads; the files that
    it needs come along. A pickle is refused: `modelyard convert` makes a safe copy of it.
    """
    known = [dict(zip(("name", "uri"), each.split("=", 1), strict=False)) for each in datasets]
    with opened(place) as registry:
        which = registry.save(
            file, name, version=version, metrics=_numbers(metrics), task=task, datasets=known,
            training=_settings(training), parent=parent, license=license_, tags=tags, code=code,
            allow_pickle=allow_pickle,
        )  # fmt: skip
        files = [each.path for each in registry.metadata(which).files]
        path = shown(str(registry.path(which)))
    if request.json:
        as_json.emit(documents.SavedVersion(str(which), path, files))
    else:
        click.echo(str(which))
        click.echo(path, err=True)
    return 0


def _numbers(texts: Sequence[str]) -> dict[str, float]:
    found = {}
    for each in texts:
        name, equals, number = each.partition("=")
        try:
            found[name] = float(number)
        except ValueError as error:
            raise click.UsageError(f"--metric {each}: NAME=NUMBER is wanted") from error
        if not equals or not name:
            raise click.UsageError(f"--metric {each}: NAME=NUMBER is wanted")
    return found


def _settings(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    data = read_file(bytes(path), follow=True)
    if isinstance(data, Problem):
        raise HelpfulError(f"{data.path}: {data.message}", data.hint or "name a JSON file")
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HelpfulError(f"{shown(str(path))}: {error}", "one JSON object is wanted") from error


@click.command("load")
@click.argument("name", metavar="NAME[@VERSION]")
@click.option("--to", "target", metavar="DIR", help="Copy the verified files into this new folder.")
@in_registry
def load_command(request: Request, place: str, name: str, target: str | None) -> int:
    """Verify every file of a version; print where it lies, or copy it out. Nothing in it is executed."""
    with opened(place) as registry:
        which = registry.resolve(name)
        files = registry.check(which) if target is None else registry.copy_out(which, target)
        where = target or str(registry.path(which))
    if request.json:
        as_json.emit(documents.TakenOut(str(which), shown(target) if target is not None else None, files))
    else:
        click.echo(shown(where))
        click.echo(f"{which}: {len(files)} files verified", err=True)
    return 0


@click.command("alias")
@click.argument("name", metavar="NAME")
@click.argument("alias", required=False, metavar="[ALIAS]")
@click.argument("version", required=False, metavar="[VERSION]")
@click.option("--remove", is_flag=True, help="Take the alias away.")
@in_registry
def alias_command(request: Request, place: str, name: str, alias: str | None, version: str | None, remove: bool) -> int:
    """Let ALIAS mean a version of a model: `alias net production 1.2.0`. With NAME alone: list its aliases.

    VERSION may be a range or another alias; it is settled now. Changed in one step: readers see the old or the new one.
    """
    if alias is not None and (version is None) != remove:
        raise click.UsageError("give the VERSION that the alias is to mean, or --remove")
    with opened(place) as registry:
        if alias is not None:
            registry.alias(name, alias, version)
        found = {each: str(meant) for each, meant in registry.aliases(registry.resolve(name).name).items()}
    if request.json:
        as_json.emit(documents.Aliases(name, found))
        return 0
    for each, meant in found.items():
        click.echo(f"{each}\t{name}@{meant}")
    return 0


@click.command("gitignore")
@with_place
def gitignore_command(request: Request) -> int:
    """Print the .gitignore of a registry: model files of every format stay out, what is known of them stays in."""
    from modelyard.registry.gitignore import gitignore

    click.echo(gitignore(), nl=False)
    return 0
