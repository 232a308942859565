"""What was found out about artifacts by reading their files stands in `ls` for as long as the files are the same."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy
import pytest
import safetensors.numpy

from modelyard.api import looked
from modelyard.apply import notes
from safety.payloads import stream, system
from typed import Run

Lines = dict[str, dict[str, Any]]


@pytest.fixture
def hub(home: Path) -> Path:
    """A hub cache with a model that is safe and one that is not; the folder of their repositories."""
    place = home / ".cache/huggingface/hub"
    for name in ("a", "evil"):
        repository = place / f"models--acme--{name}"
        blob, snapshot = repository / "blobs" / (name[0] * 64), repository / "snapshots" / ("1" * 40)
        for folder in (blob.parent, snapshot, repository / "refs"):
            folder.mkdir(parents=True)
        (repository / "refs" / "main").write_text("1" * 40)
        if name == "a":
            safetensors.numpy.save_file({"w": numpy.zeros(75, "f4"), "b": numpy.zeros(4, "f2")}, blob)
            (snapshot / "model.safetensors").symlink_to(f"../../blobs/{blob.name}")
        else:
            blob.write_bytes(stream(system(home / "marker")))
            (snapshot / "pytorch_model.bin").symlink_to(f"../../blobs/{blob.name}")
    return place


def listed(run: Run, *words: str) -> Lines:
    told = json.loads(run("ls", "--json", *words).out)
    return {each["title"].partition("@")[0]: each for each in told["artifacts"]}


def inside(line: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(line[name] for name in ("format", "precision", "parameters", "verdict"))


A = ("safetensors", "F32 97%, F16 3%", 79)
NOTHING = (None, None, None, None)


def test_what_nobody_looked_at_is_null_and_a_dash(run: Run, hub: Path, home: Path) -> None:
    assert [inside(each) for each in listed(run).values()] == [NOTHING, NOTHING]
    assert [row.split("\t")[-3:] for row in run("ls").out.splitlines()[1:]] == [["-", "-", "-"]] * 2
    assert not (home / ".local").exists(), "looking at the list leaves nothing"


def test_a_scan_of_everything_fills_the_list(run: Run, hub: Path, home: Path) -> None:
    assert run("scan").code == 5
    told = listed(run)
    assert inside(told["acme/a"]) == (*A, "safe")
    assert inside(told["acme/evil"])[3] == "dangerous"
    rows = {row.split("\t")[0].partition("@")[0]: row.split("\t")[-3:] for row in run("ls").out.splitlines()[1:]}
    assert rows["hf:model/acme/a"] == ["safetensors F32", "79", "safe"]
    assert rows["hf:model/acme/evil"] == ["", "", "dangerous"]
    assert os.listdir(home / ".local") == ["state"] and os.listdir(home / ".local/state/modelyard") == ["looked.json"]
    assert not (home / "marker").exists()


def test_show_tells_the_verdict_and_the_list_knows_it_then(run: Run, hub: Path) -> None:
    shown = run("show", "acme/evil").out
    assert (
        "Verdict" in shown
        and "dangerous: `modelyard scan hf:model/acme/evil@" in shown
        and f" --home {Path.home()}` tells why" in shown
    )
    told = json.loads(run("show", "acme/a", "--json").out)
    assert inside(told["artifact"]) == (*A, "safe")
    assert told["facts"]["Verdict"] == "safe"
    assert {inside(each)[3] for each in listed(run).values()} == {"safe", "dangerous"}


def test_inspect_and_headers_tell_the_header_and_no_verdict(run: Run, hub: Path) -> None:
    assert run("inspect", "acme/a").code == 0
    assert inside(listed(run)["acme/a"]) == (*A, None)
    assert inside(listed(run)["acme/evil"]) == NOTHING
    shutil.rmtree(Path.home() / ".local")
    assert inside(listed(run, "--headers")["acme/a"]) == (*A, None)
    assert inside(listed(run)["acme/a"]) == (*A, None)


@pytest.mark.parametrize("change", ["bytes", "same size and time", "rename", "more", "elsewhere", "program"])
def test_a_verdict_of_files_that_were_changed_since_is_forgotten(
    change: str, run: Run, hub: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that was safe yesterday is what an attacker writes over."""
    blob = hub / "models--acme--a/blobs" / ("a" * 64)
    link = hub / "models--acme--a/snapshots" / ("1" * 40) / "model.safetensors"
    if change == "elsewhere":
        blob.rename(home / "kept")
        link.unlink()
        link.symlink_to(home / "kept")
    run("scan")
    assert inside(listed(run)["acme/a"])[3] == "safe"
    before = blob.stat() if change != "elsewhere" else None
    match change:
        case "bytes":
            blob.write_bytes(stream(system(home / "marker")))
        case "same size and time":
            assert before is not None
            blob.write_bytes(stream(system(home / "marker")).ljust(before.st_size, b"\0"))
            os.utime(blob, ns=(before.st_atime_ns, before.st_mtime_ns))
            assert (blob.stat().st_size, blob.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
        case "rename":
            link.rename(link.with_name("pytorch_model.bin"))
        case "more":
            (link.parent / "handler.py").write_text("import os\n")
        case "elsewhere":
            (home / "kept").write_bytes(b"other bytes")
        case "program":
            monkeypatch.setattr("modelyard.__version__", "9.9")
    assert inside(listed(run)["acme/a"]) == NOTHING


def test_a_file_changed_while_it_is_read_is_not_remembered(
    run: Run, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = hub / "models--acme--a/blobs" / ("a" * 64)
    read = looked.Looked.put

    def meanwhile(self: looked.Looked, *words: Any, **named: Any) -> None:
        blob.write_bytes(blob.read_bytes())
        read(self, *words, **named)

    monkeypatch.setattr(looked.Looked, "put", meanwhile)
    run("show", "acme/a")
    assert inside(listed(run)["acme/a"]) == NOTHING


def test_files_of_the_future_are_not_remembered(run: Run, hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns() - 10**12
    monkeypatch.setattr(time, "time_ns", lambda: now)
    run("scan")
    assert inside(listed(run)["acme/a"]) == NOTHING


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"edition":"x","artifacts":{}}', b"[" * 100_000])
def test_notes_that_cannot_be_read_are_found_out_again(run: Run, hub: Path, home: Path, content: bytes) -> None:
    file = home / ".local/state/modelyard/looked.json"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    assert inside(listed(run)["acme/a"]) == NOTHING
    run("scan")
    assert inside(listed(run)["acme/a"]) == (*A, "safe")


def test_a_full_disk_is_no_error_and_the_answer_is_the_same(
    run: Run, hub: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(notes, "save", full)
    told = run("show", "acme/a", "--json")
    assert (told.code, told.err) == (0, "") and inside(json.loads(told.out)["artifact"]) == (*A, "safe")
    assert inside(listed(run, "--headers")["acme/a"]) == (*A, None)
    assert run("scan").code == 5


def test_root_leaves_no_notes_in_other_homes(run: Run, hub: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: home.stat().st_uid + 1)
    assert "safe" in run("show", "acme/a").out
    assert not (home / ".local").exists()


def test_a_scan_that_takes_too_long_says_so(run: Run, hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelyard.cli.show.PATIENCE", -1.0)
    assert "not known, its files are not all here or too many" in run("show", "acme/evil").out
    assert inside(listed(run)["acme/evil"])[3] is None


def test_what_could_not_be_seen_whole_has_no_verdict(
    run: Run, hub: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing found in a folder that is closed, or that is not on this disk, is not the same as safe."""
    monkeypatch.setattr("modelyard.walk.tree.Tree.is_whole", lambda *_: False)
    assert "not known" in run("show", "acme/a").out
    assert run("scan").code == 5
    assert {inside(each)[3] for each in listed(run).values()} == {None}
