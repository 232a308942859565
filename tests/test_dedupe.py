"""`modelyard dedupe` on real disks: what the plan says comes back is what the disk gains, and nothing changes."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import makers
import weights
from modelyard.api import deduping, reclaim, surveying
from modelyard.api.equality import Search
from modelyard.api.identity import find_equal
from modelyard.apply.disk import Disk
from modelyard.cli import dedupe, lately
from moving.test_flags import flagged
from typed import Run
from walk.disks import MIB, free_bytes, fresh_disk, reflink
from walk.disks import run as run_tool

CONTENT = os.urandom(24 * MIB)


@pytest.fixture(params=["xfs", "btrfs", "ext4"])
def kind(request: pytest.FixtureRequest) -> str:
    """A kind of file system."""
    return str(request.param)


@pytest.fixture
def there(kind: str, tmp_path: Path) -> Iterator[Path]:
    """A home on a disk of that kind."""
    with fresh_disk(kind, tmp_path) as disk:
        (disk / "home").mkdir()
        yield disk / "home"


def answered(run: Run, there: Path, *words: str) -> dict[str, Any]:
    """The document of a command about that home."""
    answer = run(*words, "--home", str(there), "--json")
    assert answer.code == 0, (answer.out, answer.err)
    found = json.loads(answer.out)
    assert isinstance(found, dict)
    return found


def stores(there: Path) -> dict[str, Path]:
    """One file in the hub's cache, in Ollama and in LM Studio."""
    digest = hashlib.sha256(CONTENT).hexdigest()
    hub = makers.hub_repo(there / ".cache" / "huggingface" / "hub", "models--a--b", {"m.gguf": CONTENT})
    models = there / ".ollama" / "models"
    makers.ollama_model(models, "registry.ollama.ai/library/m/latest", [makers.ollama_blob(models, CONTENT)])
    lm = makers.write(there / ".lmstudio" / "models" / "a" / "b" / "m-Q4_0.gguf", CONTENT)
    makers.write(there / ".lmstudio" / "settings.json", "{}")
    return {"hf": hub / "blobs" / digest, "ollama": models / "blobs" / f"sha256-{digest}", "lmstudio": lm}


def look(files: dict[str, Path]) -> dict[str, tuple[object, ...]]:
    """What nobody may change."""
    seen = {name: path.stat() for name, path in files.items()}
    return {
        name: (each.st_mode, each.st_size, each.st_mtime_ns, files[name].read_bytes()) for name, each in seen.items()
    }


def test_what_the_plan_says_comes_back(run: Run, there: Path, kind: str) -> None:
    files = stores(there)
    before, free = look(files), free_bytes(there)
    told = answered(run, there, "dupes")
    plan = answered(run, there, "dedupe", "--dry-run")["plan"]
    assert look(files) == before
    assert told["freed"] == plan["freed"] == (1 if kind == "ext4" else 2) * len(CONTENT)
    receipt = answered(run, there, "dedupe", "--yes")["receipt"]
    if kind == "ext4":
        assert [step["do"] for step in plan["steps"]] == ["relink"]
        assert "replace files" in " ".join(each["why"] for each in plan["skipped"])
        assert os.path.samefile(files["hf"], files["ollama"])
        assert answered(run, there, "purge", "--yes")["receipt"]["failed"] == []
    else:
        assert {step["do"] for step in plan["steps"]} == {"share"}
        assert abs(receipt["freed_measured"] - plan["freed"]) < 0.01 * plan["freed"]
        assert look(files) == before
        assert answered(run, there, "dupes")["freed"] == 0
    gained = free_bytes(there) - free
    assert abs(gained - plan["freed"]) < 0.01 * plan["freed"]
    assert {name: each[3] == CONTENT for name, each in look(files).items()} == dict.fromkeys(files, True)


def test_files_that_were_written_just_now_count_as_what_comes_back(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They wait in memory still, and take no room: btrfs tells less free bytes after than before."""
    calls = []

    class Telling(Disk):
        def sync_file_system(self, path: bytes) -> None:
            calls.append("synced")
            super().sync_file_system(path)

        def share_equal(self, source: int, start: int, length: int, target: int, at: int) -> int:
            calls.append("shared")
            return super().share_equal(source, start, length, target, at)

    monkeypatch.setattr(reclaim, "Disk", Telling)
    with fresh_disk("btrfs", tmp_path) as disk:
        there = disk / "home"
        for name in ("one", "two", "three"):
            makers.write(there / name, CONTENT)
        receipt = answered(run, there, "dedupe", "--yes")["receipt"]
    assert [each for each, _ in groupby(calls)] == ["synced", "shared", "synced"]
    assert abs(receipt["freed_measured"] - 2 * len(CONTENT)) < 0.02 * len(CONTENT)


@pytest.mark.parametrize("kind", ["xfs", "btrfs"], indirect=True)
def test_files_that_share_among_themselves_come_along_in_one_run(run: Run, there: Path) -> None:
    """Their bytes come back with the last of them; nobody is to run it twice."""
    for name in ("one", "two"):
        reflink(makers.write(there / name, CONTENT), there / f"{name} again")
    free = free_bytes(there)
    plan = answered(run, there, "dedupe", "--dry-run")["plan"]
    assert (plan["freed"], plan["exact"], len(plan["steps"])) == (0, False, 2)
    receipt = answered(run, there, "dedupe", "--yes")["receipt"]
    assert abs(free_bytes(there) - free - len(CONTENT)) < MIB
    assert abs(receipt["freed_predicted"] - len(CONTENT)) < MIB
    assert answered(run, there, "dedupe", "--dry-run")["plan"]["steps"] == []


def test_what_cannot_share_is_promised_to_nobody(run: Run, tmp_path: Path) -> None:
    """Immutable files, files rewritten in place, and files without a block."""
    with fresh_disk("btrfs", tmp_path) as disk:
        there = disk / "home"
        for name in ("one", "two", "three"):
            makers.write(there / name, CONTENT)
        makers.write(there / "place", b"")
        run_tool("chattr", "+C", there / "place")
        (there / "place").write_bytes(CONTENT)
        for name in ("hole", "another"):
            os.truncate(makers.write(there / name, b""), 9 * MIB)
        with flagged("i", there / "three"):
            plan = answered(run, there, "dedupe", "--dry-run")["plan"]
            assert [Path(step["path"]).name for step in plan["steps"]] == ["one", "two"]
            assert {Path(each["artifact"]).name: each["why"].partition(" (")[0] for each in plan["skipped"]} == {
                "place": "one of the two is rewritten in place",
                "another": "it takes no room on the disk",
            }
            receipt = answered(run, there, "dedupe", "--yes")["receipt"]
            assert receipt["failed"] == []
            assert abs(receipt["freed_measured"] - 2 * len(CONTENT)) < MIB


def test_undo_makes_hard_links_files_of_their_own_again(run: Run, tmp_path: Path) -> None:
    with fresh_disk("ext4", tmp_path) as disk:
        (there := disk / "home").mkdir()
        files = stores(there)
        before = look(files)
        answered(run, there, "dedupe", "--yes")
        assert os.path.samefile(files["hf"], files["ollama"])
        answered(run, there, "undo")
        assert not os.path.samefile(files["hf"], files["ollama"])
        assert look(files) == before


def test_what_is_pinned_or_kept_is_in_no_plan(run: Run, tmp_path: Path) -> None:
    with fresh_disk("xfs", tmp_path) as disk:
        (there := disk / "home").mkdir()
        stores(there)
        makers.write(there / ".lmstudio" / "models" / "a" / ".modelyard-keep", "")
        assert run("pin", "--home", str(there), "hf:model/a/b").code in (0, 1)
        plan = answered(run, there, "dedupe", "--dry-run")["plan"]
        assert "lmstudio" not in {step["artifact"].partition(":")[0] for step in plan["steps"]}
        assert "a .modelyard-keep file keeps it" in {each["why"] for each in plan["skipped"]}


def tuned(there: Path, mib: int) -> tuple[Path, Path]:
    """Two checkpoints of which the second kept three of four tensors."""
    layers = [os.urandom(mib * MIB) for _ in range(4)]
    first = {f"layer{at}": ("U8", [len(data)], data) for at, data in enumerate(layers)}
    one = weights.safetensors(there / "runs" / "one.safetensors", first)
    last = ("U8", [len(layers[3])], os.urandom(len(layers[3])))
    return one, weights.safetensors(there / "runs" / "two.safetensors", {**first, "layer3": last})


def test_equal_tensors_of_two_checkpoints_share_their_extents(run: Run, tmp_path: Path) -> None:
    with fresh_disk("xfs", tmp_path) as disk:
        (there := disk / "home").mkdir()
        one, two = tuned(there, 16)
        os.sync()
        before, free = look({"one": one, "two": two}), free_bytes(there)
        (told,) = answered(run, there, "dupes")["tensors"]
        assert (told["part"], told["freed"]) == (0.75, 48 * MIB)
        assert answered(run, there, "dedupe", "--dry-run")["plan"]["steps"] == []
        plan = answered(run, there, "dedupe", "--tensors", "--dry-run")["plan"]
        assert (plan["freed"], plan["exact"]) == (48 * MIB, True)
        answered(run, there, "dedupe", "--tensors", "--yes")
        assert look({"one": one, "two": two}) == before
        assert abs(free_bytes(there) - free - plan["freed"]) < 0.01 * plan["freed"]
        (after,) = answered(run, there, "dupes")["tensors"]
        assert after["freed"] == 0


def scattered(path: Path, content: bytes, pieces: list[int]) -> None:
    """Writes a file in pieces, the last one first, so that they do not lie behind each other on the disk."""
    with path.open("wb") as file:
        for first, last in reversed(list(zip([0, *pieces], [*pieces, len(content)], strict=True))):
            file.seek(first)
            file.write(content[first:last])
            file.flush()
            os.fsync(file.fileno())


@pytest.mark.parametrize("pieces", [[], [4096, 4096 + 48 * MIB]])
def test_on_btrfs_only_whole_extents_are_promised_and_those_come_back(
    run: Run, tmp_path: Path, pieces: list[int]
) -> None:
    with fresh_disk("btrfs", tmp_path) as disk:
        (there := disk / "home").mkdir()
        one, two = tuned(there, 16)
        scattered(two, two.read_bytes(), pieces)
        before, free = look({"one": one, "two": two}), free_bytes(there)
        (told,) = answered(run, there, "dupes")["tensors"]
        assert (told["part"], told["freed"]) == (0.75, 48 * MIB if pieces else 0)
        plan = answered(run, there, "dedupe", "--tensors", "--dry-run")["plan"]
        assert plan["freed"] == told["freed"]
        if not pieces:
            assert plan["steps"] == []
            return
        answered(run, there, "dedupe", "--tensors", "--yes")
        assert look({"one": one, "two": two}) == before
        gained = free_bytes(there) - free
        assert abs(gained - plan["freed"]) < 0.02 * plan["freed"]


def test_tensors_at_different_places_of_a_block_are_told_and_left_alone(run: Run, tmp_path: Path) -> None:
    with fresh_disk("xfs", tmp_path) as disk:
        (there := disk / "home").mkdir()
        data = os.urandom(4 * MIB)
        weights.safetensors(there / "a.safetensors", {"w": ("U8", [len(data)], data)}, pad=4096)
        more = {"v": ("U8", [512], b"v" * 512), "w": ("U8", [len(data)], data)}
        weights.safetensors(there / "b.safetensors", more, pad=4096)
        (told,) = answered(run, there, "dupes")["tensors"]
        assert (told["tensors"], told["freed"]) == (1, 0)
        assert answered(run, there, "dedupe", "--tensors", "--dry-run")["plan"]["steps"] == []


def test_without_a_terminal_nothing_is_changed(run: Run, tmp_path: Path) -> None:
    with fresh_disk("xfs", tmp_path) as disk:
        (there := disk / "home").mkdir()
        files = stores(there)
        answer = run("dedupe", "--home", str(there))
        assert answer.code == 4
        assert "Share their extents  2 files" in answer.out
        assert "nobody can be asked" in answer.err
        saved = there / "plan.json"
        assert run("dedupe", "--home", str(there), "--plan", str(saved)).code == 0
        receipt = answered(run, there, "apply", str(saved), "--yes")["receipt"]
        assert receipt["done"] == 2
        undone = run("undo", "--home", str(there))
        assert "no byte of it changed" in undone.out
        assert {path.read_bytes() for path in files.values()} == {CONTENT}


def late(run: Run, there: Path, meanwhile: Callable[[], AbstractContextManager[object]]) -> dict[str, str]:
    """Saves a plan, lets something happen, applies it; what was left undone by the first part of its path, and why."""
    saved = there / "plan.json"
    assert run("dedupe", "--home", str(there), "--plan", str(saved)).code == 0
    with meanwhile():
        answer = run("apply", str(saved), "--home", str(there), "--yes", "--json")
    assert answer.code == 3, (answer.out, answer.err)
    refused = json.loads(answer.out)["receipt"]["skipped"]
    return {Path(each["path"]).relative_to(there).parts[0]: each["why"] for each in refused}


@pytest.mark.parametrize("kind", ["xfs", "ext4"], indirect=True)
def test_what_was_pinned_or_kept_meanwhile_stays_as_it_is(
    run: Run, there: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lately, "FRESH", 0.0)
    files = stores(there)
    os.utime(files["hf"], ns=(1, 1))  # the oldest one is kept
    before = look(files)

    def pinned() -> AbstractContextManager[object]:
        assert run("pin", "--home", str(there), "ollama:m:latest").code == 0
        makers.write(there / ".lmstudio" / ".modelyard-keep", "")
        return nullcontext()

    why = late(run, there, pinned)
    assert why[".ollama"] == "it is pinned"
    assert why.get(".lmstudio") == ("a .modelyard-keep file keeps it" if kind == "xfs" else None)
    assert look(files) == before
    assert not os.path.samefile(files["hf"], files["ollama"])


def test_a_saved_plan_says_what_it_does(run: Run, tmp_path: Path) -> None:
    with fresh_disk("xfs", tmp_path) as disk:
        (there := disk / "home").mkdir()
        tuned(there, 4)
        stores(there)
        words = ("dedupe", "--tensors", "--home", str(there))
        shown = run(*words, "--plan", str(there / "plan.json")).out
        answer = run("apply", str(there / "plan.json"), "--home", str(there), "--yes")
        assert "Share the extents of equal tensors  1 file" in shown
        assert answer.out.startswith(shown)
        assert "3 things made one with an equal file" in answer.out
        assert "trash" not in answer.out


def test_a_keep_file_keeps_files_that_belong_to_nothing(run: Run, tmp_path: Path) -> None:
    with fresh_disk("xfs", tmp_path) as disk:
        there = disk / "home"
        for name in ("one", "two"):
            makers.write(there / "data" / "deep" / name, CONTENT[:MIB])
        makers.write(there / "data" / ".modelyard-keep", "")
        plan = answered(run, there, "dedupe", "--dry-run")["plan"]
        assert plan["steps"] == []
        assert [each["why"] for each in plan["skipped"]] == ["a .modelyard-keep file keeps it"]


def test_what_was_pinned_while_equal_files_were_searched_stays(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan is young, and what it was made of is not."""
    with fresh_disk("xfs", tmp_path) as disk:
        (there := disk / "home").mkdir()
        stores(there)
        begun = time.time_ns() - 3600 * 10**9
        monkeypatch.setattr(surveying, "time", SimpleNamespace(time_ns=lambda: begun))

        def agreed(words: str, *, savable: bool) -> bool:
            return run("pin", "--home", str(there), "ollama:m:latest", "lmstudio:a/b@Q4_0").code == 0

        monkeypatch.setattr(dedupe, "confirmed", agreed)
        answer = run("dedupe", "--home", str(there))
        assert answer.code == 3
        assert answer.out.count("it is pinned") == 2


@pytest.mark.parametrize("words", [["--yes"], ["--yes", "--tensors"]])
def test_who_interrupts_the_search_does_not_mean_yes(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """What was found until then is shown, and nothing is done with it."""

    def cut_short(search: Search) -> Search:
        found = find_equal(search)
        found.partial = True
        return found

    monkeypatch.setattr(deduping, "find_equal", cut_short)
    with fresh_disk("xfs", tmp_path) as disk:
        (there := disk / "home").mkdir()
        stores(there)
        answer = run("dedupe", "--home", str(there), *words)
        assert answer.code == 130
        assert "Share their extents  2 files" in answer.out
        assert "nothing was changed" in answer.err
        assert "nothing" in run("undo", "--home", str(there)).err
