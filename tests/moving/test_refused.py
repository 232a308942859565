"""`modelyard move` that cannot begin says so and leaves nothing to be settled; one into a strange folder can."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import makers
from modelyard.apply.disk import Disk
from moving.making import contents
from typed import Run
from walk.disks import mounted

NAME = "checkpoint:runs/a/checkpoint-500"


def no_room(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than the target has."""
    (checkpoint / "model.safetensors").write_bytes(os.urandom(3 << 20))


def broken(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The target cannot be written to."""

    def fails(disk: Disk, descriptor: int, data: bytes, at: int) -> None:
        raise OSError(5, "Input/output error", b"/a/file")

    monkeypatch.setattr(Disk, "put", fails)


@pytest.mark.parametrize(
    ("trouble", "words"), [(no_room, "have to be free"), (broken, "EIO: Input/output error: /a/file")]
)
def test_a_move_that_cannot_begin_is_told_and_leaves_nothing_open(
    trouble: Callable[[Path, pytest.MonkeyPatch], None], words: str, run: Run, home: Path, tmp_path: Path
) -> None:
    checkpoint = makers.trainer_checkpoint(home / "runs" / "a", 500)
    with mounted("tmpfs", tmp_path / "disk", "-t", "tmpfs", "-o", "size=2M") as disk:
        with pytest.MonkeyPatch.context() as patched:
            trouble(checkpoint, patched)
            before = contents(checkpoint)
            answer = run("move", NAME, str(disk), "--yes")
        assert answer.code == 3, (answer.out, answer.err)
        assert words in answer.out
        assert "stays where it was" in answer.out
        assert contents(checkpoint) == before
        assert not checkpoint.is_symlink()
    target = tmp_path / "elsewhere"
    assert run("move", NAME, str(target), "--yes").code == 0
    assert contents(target) == before


def test_the_same_move_once_more_finds_it_there(run: Run, home: Path, tmp_path: Path) -> None:
    """As after a kill at the very end: elsewhere it is not seen, and its name means nothing any more."""
    makers.trainer_checkpoint(home / "runs" / "a", 500)
    with mounted("tmpfs", tmp_path / "disk", "-t", "tmpfs", "-o", "size=2M") as disk:
        assert run("move", NAME, str(disk), "--yes").code == 0
        answer = run("move", NAME, str(disk), "--yes")
        assert answer.code == 0, answer.err
        assert "is there already" in answer.out
        assert run("move", NAME, str(tmp_path), "--yes").code == 1
        assert run("undo").code == 0
        assert run("move", NAME, str(disk), "--dry-run").out.startswith(f"Move {NAME}")


def test_a_folder_whose_name_is_no_text_is_a_place_as_any(run: Run, home: Path, tmp_path: Path) -> None:
    checkpoint = makers.trainer_checkpoint(home / "runs" / "a", 500)
    before = contents(checkpoint)
    with mounted("tmpfs", tmp_path / "disk", "-t", "tmpfs", "-o", "size=2M") as disk:
        odd = Path(os.fsdecode(bytes(disk) + b"/d\xff"))
        odd.mkdir()
        answer = run("move", NAME, str(odd), "--yes")
        assert answer.code == 0, (answer.out, answer.err)
        assert contents(odd / "checkpoint-500") == before
        assert run("undo").code == 0
        assert contents(checkpoint) == before


def test_a_home_whose_name_is_no_text_can_be_cleaned_and_undone(run: Run, tmp_path: Path) -> None:
    home = Path(os.fsdecode(bytes(tmp_path) + b"/h\xff"))
    makers.layouts()["pip"](home)
    before = contents(home)
    saved = tmp_path / "plan.json"
    assert run("clean", "pip", "--home", str(home), "--plan", str(saved)).code == 0
    answer = run("apply", str(saved), "--home", str(home), "--yes")
    assert answer.code == 0, (answer.out, answer.err)
    assert contents(home) != before
    assert run("undo", "--home", str(home)).code == 0
    assert before.items() <= contents(home).items()
