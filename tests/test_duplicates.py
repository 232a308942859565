"""Copies: what lies byte for byte elsewhere may go, the copy stays, and two copies never justify each other."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import makers
from modelyard import api
from modelyard.api import planning
from modelyard.api.duplicates import duplicates
from modelyard.policies.clean import Evidence, Wish
from modelyard.problem import Problem
from modelyard.walk.digest_cache import RACY, DigestCache
from modelyard.walk.hash import Hashed, Method, hash_file
from typed import Run

GGUF = b"GGUF" + os.urandom(9000)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets files of a few kilobytes count as models of their own."""
    monkeypatch.setattr("modelyard.stores.loose.LEAST", 4096)


def loose(home: Path, name: str, content: bytes = GGUF) -> str:
    """A model file that no tool keeps; its id."""
    makers.write(home / "models" / name, content)
    return f"loose:models/{name}"


def planned(run: Run, *words: str) -> tuple[dict[str, str], dict[str, str]]:
    """Proofs of what would go and reasons of what was left out, by id."""
    answer = run("clean", *words, "--prove", "--dry-run", "--json")
    assert answer.code == 0, answer.err
    plan = json.loads(answer.out)["plan"]
    return (
        {each["artifact"]: each["proof"] for each in plan["steps"]},
        {each["artifact"]: each["why"] for each in plan["skipped"]},
    )


def test_a_copy_elsewhere_lets_one_go(run: Run, home: Path) -> None:
    one, other = loose(home, "one.gguf"), loose(home, "other.gguf")
    goes, _ = planned(run, one)
    assert list(goes) == [one]
    assert goes[one].startswith("duplicate: byte-equal in models/other.gguf of ")
    assert "1 file, 8.79 KiB, SHA-256 of both" in goes[one]
    assert other in goes[one]


def test_two_copies_never_justify_each_other(run: Run, home: Path) -> None:
    one, other = loose(home, "one.gguf"), loose(home, "other.gguf")
    goes, kept = planned(run, one, other)
    assert len(goes) == 1 and set(goes) | set(kept) == {one, other}
    third = loose(home, "third.gguf")
    goes, kept = planned(run, one, other, third)
    assert len(goes) == 2 and len(kept) == 1
    assert all(next(iter(kept)) in proof for proof in goes.values())


def test_without_names_nothing_is_compared(run: Run, home: Path) -> None:
    loose(home, "one.gguf"), loose(home, "other.gguf")
    assert planned(run, "--kind", "model")[0] == {}


def test_a_copy_that_goes_itself_is_none(run: Run, home: Path) -> None:
    one, other = loose(home, "one.gguf"), loose(home, "other.gguf")
    goes, kept = planned(run, one, "--include", other)
    assert list(goes) == [other]
    assert one in kept


def hard_link(home: Path) -> None:
    os.link(home / "models/one.gguf", home / "models/other.gguf")


def symbolic_link(home: Path) -> None:
    (home / "models/other.gguf").symlink_to("one.gguf")


def one_byte_differs(home: Path) -> None:
    makers.write(home / "models/other.gguf", GGUF[:-1] + bytes([GGUF[-1] ^ 1]))


def another_size(home: Path) -> None:
    makers.write(home / "models/other.gguf", GGUF + b"x")


@pytest.mark.parametrize("other", [hard_link, symbolic_link, one_byte_differs, another_size])
def test_this_is_no_copy(other: Callable[[Path], None], run: Run, home: Path) -> None:
    one = loose(home, "one.gguf")
    other(home)
    goes, kept = planned(run, one)
    assert goes == {}
    assert kept[one].startswith("could not be proven: ")


def test_half_a_model_is_no_copy_of_a_whole_one(run: Run, home: Path) -> None:
    """Every file has to lie in one and the same artifact."""
    step = makers.trainer_checkpoint(home / "run", 100)
    for name in ("model.safetensors", "optimizer.pt"):
        makers.write(home / "models" / name, (step / name).read_bytes())
    goes, _ = planned(run, "checkpoint")
    assert goes == {}


def test_an_equal_checkpoint_elsewhere(run: Run, home: Path) -> None:
    step = makers.trainer_checkpoint(home / "run", 100)
    for path in step.iterdir():
        makers.write(home / "copied" / "checkpoint-100" / path.name, path.read_bytes())
    ids = [each.id for each in makers.artifacts(home).values() if each.kind == "checkpoint"]
    assert len(ids) == 2
    goes, _ = planned(run, ids[0])
    assert set(goes) == {ids[0]}
    assert ids[1] in goes[ids[0]]


def test_hard_links_under_another_name_are_no_copy(run: Run, home: Path) -> None:
    step = makers.trainer_checkpoint(home / "run", 100)
    (home / "linked" / "checkpoint-100").mkdir(parents=True)
    for path in step.iterdir():
        os.link(path, home / "linked" / "checkpoint-100" / path.name)
    ids = [each.id for each in makers.artifacts(home).values() if each.kind == "checkpoint"]
    assert len(ids) == 2
    assert planned(run, ids[0])[0] == {}


def test_a_plan_never_takes_both_whatever_the_evidence_says(home: Path) -> None:
    one, other = loose(home, "one.gguf"), loose(home, "other.gguf")
    for name in ("one.gguf", "other.gguf"):
        makers.write(home / "models" / name, GGUF)
    seen = api.survey({}, home, "linux", system=False)
    rows = {each.id: each.blobs for each in seen.artifacts}
    proven = {
        name: Evidence("duplicate", "equal", beside=beside, copies=rows[beside])
        for name, beside in ((one, other), (other, one))
    }
    used = api.everyone(seen, {}, home, "linux", system=False)
    plan = planning.plan_clean(seen, used, Wish(names=(one, other)), time.time_ns(), proven)
    assert plan.steps == []
    assert {each.why for each in plan.skipped} == {f"its copy {one} would go too", f"its copy {other} would go too"}
    plan = planning.plan_clean(seen, used, Wish(names=(one,)), time.time_ns(), proven)
    assert [each.artifact for each in plan.steps] == [one]
    assert [bytes(each.path) for each in plan.copies] == [bytes(home / "models" / "other.gguf")]


def test_an_unfinished_copy_is_none(run: Run, home: Path) -> None:
    models = home / ".ollama" / "models"
    layer = makers.ollama_blob(models, GGUF)
    makers.ollama_model(
        models, "registry.ollama.ai/library/tiny/latest", [layer, {**layer, "digest": "sha256:" + "0" * 64}]
    )
    one = loose(home, "one.gguf")
    assert planned(run, one)[0] == {}
    makers.ollama_model(models, "registry.ollama.ai/library/tiny/latest", [layer])
    assert "of ollama:tiny:latest" in planned(run, one)[0][one]


def test_a_file_that_changed_since_the_walk_is_no_copy(home: Path) -> None:
    one, other = loose(home, "one.gguf"), loose(home, "other.gguf")
    seen = api.survey({}, home, "linux", system=False)
    numbers = [number for number, each in enumerate(seen.artifacts) if each.id == one]
    assert set(duplicates(seen, numbers, [], DigestCache())) == {one}
    os.utime(home / "models" / "other.gguf", (1, 1))
    assert duplicates(seen, numbers, [], DigestCache()) == {}
    assert other


def test_files_are_read_once_and_again_when_they_changed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = GGUF + os.urandom(1 << 17)
    one, other = loose(home, "one.gguf", content), home / "models" / "other.gguf"
    loose(home, "other.gguf", content)
    later, cache = time.time_ns() + 2 * RACY, DigestCache()
    monkeypatch.setattr("modelyard.walk.hash.time.time_ns", lambda: later)  # files this young are not remembered
    read: list[bytes] = []

    def noted(path: bytes, methods: Sequence[Method]) -> Hashed | Problem:
        read.append(path)
        return hash_file(path, methods)

    monkeypatch.setattr("modelyard.api.digests.hash_file", noted)

    def copies() -> set[str]:
        seen = api.survey({}, home, "linux", system=False)
        return set(duplicates(seen, [at for at, each in enumerate(seen.artifacts) if each.id == one], [], cache))

    assert copies() == {one}
    assert len(read) == 2
    assert copies() == {one}
    assert len(read) == 2
    with other.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(bytes([content[-1] ^ 1]))
    assert copies() == set()
    assert read[2:] == [os.fsencode(other)]


def test_looking_for_copies_leaves_no_trace(run: Run, home: Path) -> None:
    one, _ = loose(home, "one.gguf"), loose(home, "other.gguf")
    files = list((home / "models").iterdir())
    for path in files:
        os.utime(path, (1_000_000, 2_000_000))
    planned(run, one)
    assert {path.stat().st_atime for path in files} == {1_000_000}


def test_a_saved_plan_is_refused_when_the_copy_is_gone(run: Run, home: Path) -> None:
    one, _ = loose(home, "one.gguf"), loose(home, "other.gguf")
    for change in (os.unlink, lambda path: Path(path).write_bytes(b"another")):
        makers.write(home / "models" / "other.gguf", GGUF)
        file = home / "plan.json"
        file.unlink(missing_ok=True)
        assert run("clean", one, "--prove", "--plan", str(file)).code == 0
        change(home / "models" / "other.gguf")
        answer = run("apply", str(file), "--yes")
        assert answer.code == 3
        assert "its copy " in answer.out
        assert (home / "models" / "one.gguf").read_bytes() == GGUF


def test_a_duplicate_in_the_trash_stays_when_its_copy_is_gone_meanwhile(run: Run, home: Path) -> None:
    one, _ = loose(home, "one.gguf"), loose(home, "other.gguf")
    assert run("clean", one, "--prove", "--yes").code == 0
    (home / "models" / "other.gguf").unlink()
    answer = run("purge", "--yes")
    assert answer.code == 3
    assert "is not there as it was: it is gone" in answer.out
    assert run("undo").code == 0
    assert (home / "models" / "one.gguf").read_bytes() == GGUF


def test_a_copy_with_new_rights_is_a_copy_still(run: Run, home: Path) -> None:
    one, _ = loose(home, "one.gguf"), loose(home, "other.gguf")
    assert run("clean", one, "--prove", "--yes").code == 0
    (home / "models" / "other.gguf").chmod(0o400)
    os.link(home / "models" / "other.gguf", home / "models" / "third")
    assert run("purge", "--yes").code == 0


def test_a_duplicate_goes_and_comes_back(run: Run, home: Path) -> None:
    one, _ = loose(home, "one.gguf"), loose(home, "other.gguf")
    assert run("clean", one, "--prove", "--yes").code == 0
    assert os.listdir(home / "models") == ["other.gguf"]
    assert run("undo").code == 0
    assert (home / "models" / "one.gguf").read_bytes() == GGUF
