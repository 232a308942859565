"""`modelyard registry export`: a version in ONNX, beside its weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelyard.cli import as_json, documents
from modelyard.cli.options import Request
from modelyard.cli.registry_place import in_registry, opened, ports_text
from modelyard.walk.text import shown

if TYPE_CHECKING:  # help needs none of them
    from modelyard.library import Export, Registry


@click.command("export")
@click.argument("name", metavar="NAME[@VERSION]")
@click.argument("to", metavar="[FORMAT]", type=click.Choice(["onnx"]), default="onnx")
@click.option(
    "--example", metavar="FILE", type=click.Path(path_type=Path),
    help="An example of its input: .npy, .npz with an array a name, or .json. Without: made up of the saved schema.",
)  # fmt: skip
@click.option(
    "--tolerance", type=click.FloatRange(0, 1), metavar="SHARE",
    help="How far a number may be off, of an output's largest; without: 1e-4 for float32.",
)  # fmt: skip
@click.option("--trust", multiple=True, metavar="NAME", help="A class, module or package that the model may use.")
@click.option("--code", is_flag=True, help="Import, and so execute, the code that was kept beside it.")
@click.option("--allow-pickle", is_flag=True, help="Load a model whose file executes code when it is loaded.")
@in_registry
def export_command(
    request: Request,
    place: str,
    name: str,
    to: str,
    example: Path | None,
    tolerance: float | None,
    trust: tuple[str, ...],
    code: bool,
    allow_pickle: bool,
) -> int:
    """Write a version as ONNX beside its weights, and compare it with the original on made up inputs.

    The number of samples is free, names are those of the schema, and what was found is kept in the metadata. FORMAT is
    onnx. `modelyard serve NAME` serves the export by itself.
    """
    with opened(place) as registry:
        which = registry.resolve(name)
        found = registry.export(
            which, to, example_input=_example(registry, name, example), tolerance=tolerance, trusted=trust, code=code,
            allow_pickle=allow_pickle,
        )  # fmt: skip
        path = shown(str(registry.path(which) / found.path))
    if request.json:
        as_json.emit(_document(str(which), path, found))
        return 0
    click.echo(path)
    lines = (
        ("operators", ", ".join(f"{domain} {number}" for domain, number in found.opset.items())),
        ("input", ports_text(found.inputs)), ("output", ports_text(found.outputs)),
        ("compared", f"{found.compared:,} numbers, batches of {', '.join(map(str, found.batches))}"),
        ("largest", f"{found.error:.3g} apart"), ("allowed", found.tolerance),
    )  # fmt: skip
    for label, text in lines:
        click.echo(f"  {label:<10} {shown(text)}", err=True)
    return 0


def _example(registry: Registry, name: str, path: Path | None) -> Any:
    if path is None:
        return None
    from modelyard.registry.examples import read_example  # late: it needs numpy

    return read_example(path, registry.metadata(name).codec)


def _document(which: str, path: str, found: Export) -> documents.ExportedVersion:
    def lines(ports: list[Any]) -> list[documents.PortLine]:
        return [documents.PortLine(each.name, each.dtype, each.shape) for each in ports]

    return documents.ExportedVersion(
        which, path, found.format, found.opset, found.error, found.tolerance, found.compared, found.batches,
        lines(found.inputs), lines(found.outputs),
    )  # fmt: skip
