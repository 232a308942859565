"""What the tests of verify share: one run over a home, and what it said of each file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from modelyard import api
from modelyard.api import expecting, verifying
from modelyard.api.checking import Outcome
from typed import Run

MEANINGLESS = ("ok", "unverifiable")


def verify(home: Path, *targets: str, env: Mapping[str, str] | None = None, since: int | None = None) -> list[Outcome]:
    """Every outcome of a run over a home."""
    told = env or {}
    survey = api.survey(told, home, "linux", system=False)
    wanted = expecting.wanted(survey, targets)
    _, outcomes = verifying.verify(wanted, verifying.Choice(since), (told, home, "linux"), (str(home), *targets))
    return list(outcomes)


def alarms(found: list[Outcome]) -> dict[str, str]:
    """By the name of the file the state of everything that is not as it should be."""
    return {
        os.fsdecode(os.path.basename(each.item.path)): each.state for each in found if each.state not in MEANINGLESS
    }


def told(run: Run, *words: str, code: int) -> dict[str, str]:
    """The same by the command, which ends with this code."""
    answer = run("verify", "--json", *words)
    assert answer.code == code, answer.err
    items = json.loads(answer.out)["items"]
    return {
        Path(each["path"]).name: each["state"] for each in items if each["path"] and each["state"] != "unverifiable"
    }


def flip(path: Path, at: int | None = None) -> None:
    """Turns one bit of a file over, in its middle."""
    mode = path.stat().st_mode
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if at is None else at] ^= 0x10
    path.write_bytes(data)
    path.chmod(mode)


def cut(path: Path) -> None:
    """Takes the second half of a file away."""
    mode = path.stat().st_mode
    path.chmod(0o600)
    os.truncate(path, path.stat().st_size // 2)
    path.chmod(mode)
