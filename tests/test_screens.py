"""Terminals of every size: nothing wraps, no number loses a digit or its unit, and a low one holds it all."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from modelyard import api
from modelyard.cli.output import shorten, table
from modelyard.cli.overview import screen
from modelyard.demo.build import build
from modelyard.demo.writer import TODAY
from modelyard.units import size


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> api.Survey:
    """A survey of a small sample."""
    folder = tmp_path_factory.mktemp("sample") / "home"
    build(folder, 1, 0.02)
    return api.survey({}, folder, "linux", system=False)


def drawn(found: api.Survey, width: int, height: int) -> list[str]:
    """The overview's lines on a terminal of this size."""
    out = Console(width=width, height=height, file=io.StringIO(), force_terminal=True, color_system=None)
    out.print(screen(found, api.opportunities(found, TODAY), 0.1, out))
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue().splitlines()


@pytest.mark.parametrize(("width", "height"), [(60, 24), (80, 24), (80, 50), (112, 50), (200, 24)])
def test_every_store_keeps_its_whole_numbers(width: int, height: int, found: api.Survey) -> None:
    lines = drawn(found, width, height)
    assert all(cell_len(line) <= width for line in lines)
    for holding in found.holdings:
        if holding.artifacts:
            (line,) = [line for line in lines if line.startswith(f"{holding.store.title} ")]
            for count in (holding.sizes.apparent, holding.sizes.allocated, holding.sizes.freed):
                assert size(count) in line


def test_a_low_screen_holds_everything(found: api.Survey) -> None:
    assert len(drawn(found, 80, 24)) <= 24


def test_a_high_screen_tells_the_commands(found: api.Survey) -> None:
    assert any("modelyard ls" in line for line in drawn(found, 80, 60))


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_table_shortens_names_and_never_numbers(width: int) -> None:
    out = Console(width=width, file=io.StringIO(), force_terminal=True, color_system=None)
    rows = [(f"artifact-with-a-long-name-{number}" * 3, "1.25 GiB", "at least 12.0 MiB") for number in range(3)]
    table(out, ("Id", "On disk", "Frees"), rows, right=(1, 2), flexible=0)
    assert isinstance(out.file, io.StringIO)
    lines = out.file.getvalue().splitlines()
    assert len(lines) == 4
    assert all("1.25 GiB" in line for line in lines[1:])
    assert all(cell_len(line) <= max(width, 50) for line in lines)


@pytest.mark.parametrize(
    ("text", "width"), [("short", 10), ("a/very/long/path/to/a/file", 12), ("日本語のモデル名前", 9)]
)
def test_a_path_is_shortened_in_the_middle(text: str, width: int) -> None:
    made = shorten(text, width)
    assert cell_len(made) <= width
    assert made == text or (made[0] == text[0] and made[-1] == text[-1] and "…" in made)


def test_the_width_of_a_pipe_may_be_anything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from modelyard.cli.output import PIPE_WIDTH, console

    for columns, width in (("²", PIPE_WIDTH), ("0", PIPE_WIDTH), ("", PIPE_WIDTH), ("-3", PIPE_WIDTH), ("61", 61)):
        monkeypatch.setenv("COLUMNS", columns)
        assert console().width == width
