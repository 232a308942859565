"""Whole outputs of the command line, on a sample workstation that lies on a file system of its own.

`MODELYARD_WRITE_GOLDEN=1` writes the files anew; read the difference before keeping it.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard import cli
from modelyard.cli.errors import guarded
from modelyard.demo.build import build
from modelyard.demo.writer import DAY, TODAY
from walk.disks import loop_disk

WRITES = bool(os.environ.get("MODELYARD_WRITE_GOLDEN"))  # asked before a test takes all such variables away
GOLDEN = Path(__file__).parent / "golden"
COMMANDS = {
    "overview": (),
    "overview.json": ("--json",),
    "ls": ("ls",),
    "ls.json": ("ls", "checkpoint", "--json"),
    "ls-quiet": ("ls", "-q", "--sort", "name"),
    "show-revision": ("show", "writer-1.3b@"),
    "show-environment": ("show", "conda:env/project-000"),
    "show-checkpoint.json": ("show", "global_step2000", "--json"),
    "clean": ("clean", "--dry-run"),
    "help-convert": ("convert", "--help"),
    "help-clean": ("clean", "--help"),
    "help-move": ("move", "--help"),
    "top": ("top", "8"),
    "where": ("where",),
    "where.json": ("where", "--json"),
    "help": ("--help",),
    "help-ls": ("ls", "--help"),
}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small sample on ext4, whose blocks are the same everywhere."""
    with loop_disk("ext4", tmp_path_factory.mktemp("disk")) as disk:
        build(disk / "home", 1, 0.02)
        yield disk / "home"


def plain(text: str, home: Path) -> str:
    """The text without what differs from machine to machine: the home, the disk and how long it took."""
    text = text.replace(str(home), "HOME")
    text = re.sub(r"entries in \d+\.\d s", "entries in N s", text)
    text = re.sub(r"(?m)^disk /dev/loop\d+ .*$", "disk LINE", text)
    text = re.sub(r'(?m)^\d+ process(?:es)? could not .*\n|"\d+ process(?:es)? could not [^"]*"', "", text)
    text = re.sub(r'"disk":\[[^]]*\]', '"disk":[]', text)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


@pytest.mark.parametrize("name", list(COMMANDS))
def test_the_whole_output(
    name: str, sample: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: TODAY + DAY)
    monkeypatch.setenv("COLUMNS", "100")
    words = ["--home", str(sample), *COMMANDS[name]]
    assert guarded(lambda: cli.modelyard.main(words, standalone_mode=False, prog_name="modelyard")) == 0
    out, err = capfd.readouterr()
    text = plain(out, sample)
    if name.endswith(".json"):
        text = json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n"
    file = GOLDEN / f"{name}.txt"
    if WRITES:
        file.write_text(text)
    assert err == ""
    assert text == file.read_text()
