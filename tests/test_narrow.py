"""Plans on a terminal of 80 columns, as a person with a full disk reads them: no reason and no command is cut."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

import makers
from reclaiming import age, chosen
from typed import Run


def screen(home: Path, *words: str, typed: bytes = b"") -> str:
    """What a terminal of 80 columns shows, every run of blanks and line ends as one blank."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "TERM": "dumb"}
    command = [sys.executable, "-m", "modelyard", *words, "--home", str(home), "--no-progress"]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, close_fds=True):
        os.close(theirs)
        os.write(ours, typed)
        text = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the end of a terminal
                break
            text += piece
    os.close(ours)
    return text.decode().replace("\r", "")


@pytest.fixture
def full(home: Path) -> Path:
    """Long names, written long ago."""
    for store in ("hf", "pip", "conda"):
        makers.layouts()[store](home)
    age(home)
    return home


def test_reasons_and_commands_are_whole_on_a_narrow_terminal(full: Path) -> None:
    text = screen(full, "clean", typed=b"y\n")
    assert "\nan unfinished download that nothing wrote to for an hour\n" in text
    assert "`modelyard purge` then frees the space" in text
    flat = text.replace("\n", "")
    for verb in ("purge", "undo"):
        assert f"`modelyard {verb}" in flat
    assert f"--home {full}` frees" in flat
    assert f"--home {full}` brings it back" in flat
    assert "…" not in text.partition("moved into the trash")[2]


def test_what_is_missing_of_what_was_wanted_is_said(full: Path, run: Run) -> None:
    """The plan frees less than it was asked for: whoever only reads the first lines must not think that it helps."""
    out = run("clean", "--free", "100GB", "--dry-run").out
    assert "That is less than the 93.1 GiB that were asked for" in out
    assert "--prove" in out
    assert "That is less" not in run("clean", "--free", "1KB", "--dry-run").out


def test_a_saved_plan_says_what_makes_it_and_one_that_was_made_does_not_ask(full: Path, run: Run) -> None:
    file = full.parent / "plan.json"
    assert f"`modelyard apply {file} --home {full}` makes it" in run("clean", "--plan", str(file)).out
    assert run("apply", str(file), "--yes").code == 0
    again = run("apply", str(file))
    assert (again.code, again.out) == (1, "")
    assert "this plan was applied before" in again.err


def test_a_store_is_no_artifact_to_include(full: Path, run: Run) -> None:
    """It would include nothing, without a word."""
    for name in ("hf", "hf:model/acme/tiny"):
        answer = run("clean", "--include", name, "--dry-run")
        assert answer.code == 1
        assert f"--include takes one artifact at a time, and '{name}' is more than one" in answer.err
    assert chosen(run, "hf")


def test_the_journal_tells_what_waits_and_what_was_freed(full: Path, run: Run) -> None:
    run("clean", "pip", "--yes")
    waits = run("journal").out.splitlines()[1].split("\t")[6:]
    run("purge", "--yes")
    freed = run("journal").out.splitlines()[1].split("\t")[6:]
    assert waits[1] == "0 B" != waits[0]
    assert freed[0] == "0 B"


STRANGE = (b"line\n\x1b[31mred.incomplete", b"\xff\xfe.incomplete", b"n" * 244 + b".incomplete")


def test_a_name_that_would_write_on_the_terminal_is_told_in_plain_letters(home: Path, run: Run) -> None:
    """Names of 255 bytes, with an escape sequence, and no text at all: all go, are told, and come back."""
    blobs = home / ".cache/huggingface/hub/models--acme--x/blobs"
    kept = makers.write(blobs.parent / "snapshots" / ("a" * 40) / "config.json", b"{}")
    paths = [makers.write(Path(os.fsdecode(bytes(blobs) + b"/" + name)), name) for name in STRANGE]
    age(home)
    assert run("clean", "hf", "--yes").code == 0
    assert not any(path.exists() for path in paths)
    text = run("journal", next((home / ".local/state/modelyard").glob("*.jsonl")).stem).out
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"new")
    answer = run("undo")
    assert answer.code == 3
    for each in (text, answer.out):
        assert "line\\x0a\\x1b[31mred.incomplete" in each
        assert "\\xff\\xfe.incomplete" in each
        assert "\x1b" not in each
    for path in paths:
        path.unlink()
    assert run("undo").code == 0
    assert [path.read_bytes() for path in paths] == [*STRANGE]
    assert kept.exists()
