"""`modelyard registry ls` and `show`: which models and versions there are, and everything known about one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import msgspec

from modelyard.cli import as_json, documents
from modelyard.cli.options import Request
from modelyard.cli.output import console, line, table
from modelyard.cli.registry_place import in_registry, meant, opened
from modelyard.units import size
from modelyard.walk.read import read_file
from modelyard.walk.text import shown

if TYPE_CHECKING:  # help needs none of them
    from modelyard.library import Reference, Registry
    from modelyard.registry.metadata import Metadata, Port

CAP = 16 << 20


@click.command("ls")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@in_registry
def ls_command(request: Request, place: str, names: tuple[str, ...]) -> int:
    """List models with their versions, the newest first. NAME: a model, a version, an alias or a range."""
    with opened(place) as registry:
        lines = [_line(registry, each) for each in meant(registry, names)]
        if request.json:
            as_json.emit(documents.Registered(shown(registry.root), lines))
            return 0
        _print(lines)
    return 0


def _line(registry: Registry, which: Reference) -> documents.VersionLine:
    from modelyard.registry.errors import RegistryError

    aliases = [alias for alias, version in registry.aliases(which.name).items() if version == which.version]
    try:
        found = registry.metadata(which)
    except RegistryError as error:
        problem = documents.ProblemLine(shown(str(registry.path(which))), error.code, error.message, error.hint)
        return documents.VersionLine(str(which), which.name, str(which.version), aliases, "", "", "", {}, 0, 0, problem)
    total = sum(each.size for each in found.files)
    return documents.VersionLine(
        str(which), which.name, str(which.version), aliases, found.created, found.framework, found.task,
        found.metrics, len(found.files), total, None,
    )  # fmt: skip


def _print(lines: list[documents.VersionLine]) -> None:
    out = console()
    if not lines:
        line(out, "nothing was saved here yet: `modelyard registry save FILE NAME`, or Registry.save in Python")
        return
    rows = [
        (
            shown(each.id),
            ", ".join(each.aliases),
            each.problem.message if each.problem else each.framework,
            _metrics(each.metrics),
            each.created[:10],
            "" if each.problem else size(each.size),
        )
        for each in lines
    ]
    table(
        out, ("Version", "Aliases", "Framework", "Metrics", "Saved", "Size"), rows, right=(5,), flexible=2, spare=(3,)
    )


def _metrics(metrics: dict[str, float]) -> str:
    return ", ".join(f"{shown(key)} {value:.4g}" for key, value in list(metrics.items())[:3])


@click.command("show")
@click.argument("name", metavar="NAME[@VERSION]")
@in_registry
def show_command(request: Request, place: str, name: str) -> int:
    """Everything known about one version: what made it, metrics, schema, files and digests, and what it came from."""
    from modelyard.registry.layout import METADATA

    with opened(place) as registry:
        which = registry.resolve(name)
        found = registry.metadata(which)
        aliases = [alias for alias, version in registry.aliases(which.name).items() if version == which.version]
        chain = [each.reference for each in registry.lineage(which)]
        path = registry.path(which)
        if request.json:
            raw: Any = read_file(bytes(path / METADATA), CAP)
            text = msgspec.json.decode(raw, type=dict[str, Any])
            as_json.emit(documents.Described(str(which), shown(str(path)), aliases, text, chain))
            return 0
        _describe(which, found, aliases, chain, str(path))
    return 0


def _describe(which: Reference, found: Metadata, aliases: list[str], chain: list[str], path: str) -> None:
    out = console()
    line(out, f"{shown(str(which))}  {found.framework}", "bold")
    packages = ", ".join(f"{name} {version}" for name, version in found.packages.items())
    code = f"{found.git.commit[:12]}{', with changes' if found.git.dirty else ''}" if found.git else ""
    facts = (
        ("path", shown(path)), ("aliases", ", ".join(aliases)), ("saved", found.created), ("task", found.task),
        ("made with", packages), ("Python", f"{found.python} on {found.platform}"), ("code", code),
        ("metrics", _metrics(found.metrics)), ("input", _ports(found.inputs)), ("output", _ports(found.outputs)),
        ("training", ", ".join(f"{key} {value}" for key, value in found.training.items())),
        ("data", ", ".join(f"{each.name} {each.digest}".strip() for each in found.datasets)),
        ("made from", " from ".join(chain[1:])), ("licence", found.license), ("tags", ", ".join(found.tags)),
    )  # fmt: skip
    for label, text in facts:
        if text:
            line(out, f"  {label:<10} {shown(text)}")
    rows = [(shown(each.path), size(each.size), each.sha256) for each in found.files]
    out.print()
    table(out, ("File", "Size", "SHA-256"), rows, right=(1,), flexible=2)


def _ports(ports: list[Port]) -> str:
    """`x float32[n, 4]`: n for a free axis."""
    words = []
    for each in ports[:8]:
        sides = ", ".join("n" if side is None else str(side) for side in each.shape)
        words.append(f"{each.name} {each.dtype}[{sides}]")
    return ", ".join(words) + (f" and {len(ports) - 8} more" if len(ports) > 8 else "")
