"""Hostile headers cost little memory and little time, whatever they promise; and huge files cost what small ones do."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from formats.hostile import HOSTILE
from modelyard.formats.file import Meter
from modelyard.formats.header import Header
from modelyard.formats.known import read_header
from modelyard.problem import Problem

MEASURING = Path(__file__).parent / "measuring.py"
SOURCE = Path(__file__).parent.parent.parent / "src"


def cost(path: Path) -> dict[str, float]:
    """What reading a header costs in a process of its own."""
    told = subprocess.run(
        [sys.executable, str(MEASURING), str(path)],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    found: dict[str, float] = json.loads(told.stdout)
    return found


@pytest.mark.parametrize("danger", list(HOSTILE))
def test_hostile(danger: str, home: Path) -> None:
    path = home / "model"
    HOSTILE[danger](path)
    found = cost(path)
    assert found["grown"] < 64 * 1024, found
    assert found["read"] <= 50 << 20, found
    assert found["seconds"] < 1.5, found


def huge(path: Path, elements: int) -> None:
    """A safetensors file of one tensor, whose bytes are a hole."""
    table = {"w": {"dtype": "F32", "shape": [elements], "data_offsets": [0, 4 * elements]}}
    header = json.dumps(table).encode().ljust(120)
    with path.open("wb") as out:
        out.write(struct.pack("<Q", len(header)) + header)
        out.truncate(8 + len(header) + 4 * elements)


def test_a_file_of_100_gb_costs_what_one_of_1_mb_costs(home: Path) -> None:
    read = []
    for elements in (250_000, 25_000_000_000):
        meter = Meter()
        huge(home / "model", elements)
        found = read_header(str(home / "model"), meter)
        assert isinstance(found, Header)
        assert (found.complete, found.parameters) == (True, elements)
        read.append(meter.read)
    assert read[0] == read[1] <= 200_000


def test_truncated(home: Path) -> None:
    huge(home / "model", 1000)
    os.truncate(home / "model", 2000)
    found = read_header(str(home / "model"))
    assert isinstance(found, Header)
    assert not found.complete
    os.truncate(home / "model", 60)
    found = read_header(str(home / "model"))
    assert isinstance(found, Problem)
    assert found.code == "truncated"


def test_vanished(home: Path) -> None:
    found = read_header(str(home / "nothing"))
    assert isinstance(found, Problem)
    assert found.code == "vanished"


def test_no_plain_file_is_waited_for(home: Path) -> None:
    os.mkfifo(home / "pipe")
    for path in (home / "pipe", home):
        found = read_header(str(path))
        assert isinstance(found, Problem)
        assert found.code == "not-a-file"


def test_unreadable(home: Path) -> None:
    """As another user: root may read everything."""
    huge(home / "model", 10)
    (home / "model").chmod(0)
    if os.geteuid():
        found = read_header(str(home / "model"))
        assert isinstance(found, Problem)
        assert found.code == "unreadable"
        return
    for folder in (home, *home.parents):
        if folder.stat().st_uid == 0 and folder != Path("/") and not folder.stat().st_mode & 1:
            folder.chmod(0o711)
    child = os.fork()
    if not child:
        os.setuid(65534)
        found = read_header(str(home / "model"))
        os._exit(0 if isinstance(found, Problem) and found.code == "unreadable" else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_reading_leaves_no_trace(home: Path) -> None:
    huge(home / "model", 10)
    os.utime(home / "model", ns=(1, 1))
    assert isinstance(read_header(str(home / "model")), Header)
    assert os.stat(home / "model").st_atime_ns == 1


def test_a_name_that_leads_out_of_the_folder_is_not_followed(home: Path) -> None:
    (home / "in").mkdir()
    huge(home / "secret", 10)
    for name in ("../secret", str(home / "secret"), "a/../../secret"):
        (home / "in" / "index.json").write_text(json.dumps({"weight_map": {"w": name}}))
        found = read_header(str(home / "in" / "index.json"))
        assert isinstance(found, Header)
        assert [each.exists for each in found.needs] == [None]
        assert (found.tensors, found.complete) == ((), False)
