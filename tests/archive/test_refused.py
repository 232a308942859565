"""What cannot be archived is refused before anything is sent, with the reason; Ctrl-C is told as such."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import makers
from modelyard.api import archiving
from modelyard.apply.disk import Disk
from moving.test_flags import flagged
from typed import Run as Command


def test_what_nobody_may_take_away_is_not_archived(run: Command, home: Path, tmp_path: Path) -> None:
    checkpoint = makers.trainer_checkpoint(home / "runs" / "a", 500)
    (shelf := tmp_path / "shelf").mkdir()
    with flagged("i", checkpoint / "optimizer.pt"):
        answer = run("archive", "checkpoint:runs/a/checkpoint-500", str(shelf), "--yes")
        assert answer.code == 4
        assert "optimizer.pt is immutable" in answer.err
        assert not list(shelf.iterdir())


def test_a_folder_that_cannot_be_read_is_not_archived(
    run: Command, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    makers.trainer_checkpoint(home / "runs" / "a", 500)

    def closed(base: bytes, tops: object) -> None:
        raise PermissionError(13, "Permission denied", base + b"/locked")

    monkeypatch.setattr(archiving, "entries_below", closed)
    answer = run("archive", "checkpoint:runs/a/checkpoint-500", str(tmp_path), "--yes")
    assert answer.code == 4
    assert f"{home}/runs/a/locked: Permission denied" in answer.err


def test_a_shelf_whose_name_is_no_text_is_refused_before_anything_is_sent(
    run: Command, home: Path, tmp_path: Path
) -> None:
    makers.trainer_checkpoint(home / "runs" / "a", 500)
    odd = Path(os.fsdecode(bytes(tmp_path) + b"/s\xff"))
    odd.mkdir()
    answer = run("archive", "checkpoint:runs/a/checkpoint-500", str(odd), "--yes")
    assert answer.code == 4
    assert "a name that is no text" in answer.err
    assert not list(odd.iterdir())


def test_ctrl_c_when_a_file_got_its_name_just_now_is_told_as_such(
    run: Command, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    makers.trainer_checkpoint(home / "runs" / "a", 500)
    (shelf := tmp_path / "shelf").mkdir()
    replace = Disk.replace

    def stopped(disk: Disk, source: bytes, target: bytes) -> None:
        replace(disk, source, target)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Disk, "replace", stopped)
        answer = run("archive", "checkpoint:runs/a/checkpoint-500", str(shelf), "--yes")
    assert answer.code == 130
    assert "interrupted; nothing was changed" in answer.err
    assert run("archive", "checkpoint:runs/a/checkpoint-500", str(shelf), "--yes").code == 0
