"""Writes what the documentation shows from the program itself: the picture of the overview and the JSON page."""

from __future__ import annotations

import io
import json
import tempfile
import time
from pathlib import Path
from types import NoneType, UnionType
from typing import get_args, get_origin

import msgspec
import store_page
from msgspec.structs import replace
from rich.console import Console

from modelyard import api
from modelyard.cli import documents
from modelyard.cli.overview import screen
from modelyard.demo.build import build
from modelyard.demo.writer import TODAY
from modelyard.registry.metadata import json_schema

DOCS = Path(__file__).parent
WIDTH = 112
PICTURE = """\
<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 {width} {height}" role="img">
<title>The overview of modelyard</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
<rect fill="#10141b" width="{width}" height="{height}" rx="10"/>
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
HEAD = """\
# JSON of every command

Every command answers `--json` with one document: bytes are integers, times are RFC 3339 in UTC, ids are stable.
`schema_version` grows when a field changes its meaning; fields may be added at any time, so ignore what you do not
know. Paths and names that are not UTF-8 or hold control characters are escaped as `\\xNN`. This page is written by
`make docs` from the types in `src/modelyard/cli/documents/`.

`exact` says whether `freed` is the whole truth: where something could not be known it is false and `freed` is a lower
bound. `freed` is what the device gains if exactly this set goes, so the figures of several rows cannot be added.
"""


def picture(home: Path) -> str:
    """The overview of the sample workstation as an SVG without fonts from elsewhere."""
    build(home, 1, 1.0)
    started = time.perf_counter()
    found = api.survey({}, home, "linux", system=False)
    seconds = time.perf_counter() - started
    found = replace(found, home="/home/sample", disks=())
    out = Console(
        width=WIDTH, height=60, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    out.print(screen(found, api.opportunities(found, TODAY), seconds, out))
    out.print()
    return out.export_svg(title="modelyard", code_format=PICTURE, unique_id="modelyard")


def _word(kind: object) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is dict:
        return f"object of {_word(inner[1])}"
    if origin is list:
        return f"list of {_word(inner[0])}"
    if origin is UnionType:
        return " or ".join("null" if each is NoneType else _word(each) for each in inner)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    return {int: "integer", str: "text", bool: "true or false", float: "number"}.get(kind, str(kind))  # type: ignore[call-overload, no-any-return]


def _section(title: str, kind: type[msgspec.Struct]) -> str:
    rows = [f"| `{field.encode_name}` | {_word(field.type)} |" for field in msgspec.structs.fields(kind)]
    return "\n".join([f"## {title}", "", kind.__doc__ or "", "", "| field | value |", "|---|---|", *rows, ""])


def page() -> str:
    """The JSON page."""
    commands = {name: f"`modelyard{'' if name == 'modelyard' else f' {name}'} --json`" for name in documents.DOCUMENTS}
    parts = [
        kind
        for kind in vars(documents).values()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind is not msgspec.Struct
        and kind not in documents.DOCUMENTS.values()
    ]  # fmt: skip
    sections = [_section(title, documents.DOCUMENTS[name]) for name, title in commands.items()]
    return "\n".join([HEAD, *sections, *(_section(kind.__name__, kind) for kind in parts)])


if __name__ == "__main__":
    (DOCS / "json.md").write_text(page())
    (DOCS / "stores.md").write_text(store_page.page())
    (DOCS / "metadata.schema.json").write_text(json.dumps(json_schema(), indent=2) + "\n")
    with tempfile.TemporaryDirectory() as folder:
        (DOCS / "overview.svg").write_text(picture(Path(folder) / "home"))
