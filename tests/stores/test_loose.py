"""Model files that belong to no store."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import makers
from modelyard import api
from modelyard.stores import loose
from modelyard.walk import tree


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets files of a few kilobytes count as large."""
    monkeypatch.setattr(loose, "LEAST", 20_000)


def gguf(path: Path, size: int = 30_000) -> Path:
    """A file that begins like one."""
    return makers.write(path, b"GGUF" + os.urandom(size))


def test_found_by_content_and_not_by_name(home: Path) -> None:
    gguf(home / "downloads" / "thing")
    makers.write(home / "downloads" / "false.gguf", os.urandom(30_000))
    gguf(home / "downloads" / "small.gguf", 100)
    found = makers.artifacts(home)
    assert set(found) == {"loose:downloads/thing"}
    artifact = found["loose:downloads/thing"]
    assert (artifact.kind, artifact.detail, artifact.recovery) == ("model", "GGUF", "none")
    assert artifact.root == str(home / "downloads")


def test_what_a_store_claims_is_not_loose(home: Path) -> None:
    makers.hub_repo(home / ".cache/huggingface/hub", "models--acme--tiny", {"m.gguf": b"GGUF" + os.urandom(30_000)})
    run = makers.trainer_checkpoint(home / "run", 500)
    gguf(run / "inside")
    assert not [name for name in makers.artifacts(home) if name.startswith("loose:")]


def test_bytes_inside_a_store_that_nobody_claims_are_found(home: Path) -> None:
    makers.layouts()["ollama"](home)
    gguf(home / ".ollama" / "mine.gguf")
    assert "loose:.ollama/mine.gguf" in makers.artifacts(home)


def test_a_file_with_several_names_is_one_and_frees_with_all_of_them(home: Path) -> None:
    path = gguf(home / "a" / "m")
    (home / "b").mkdir()
    os.link(path, home / "b" / "m")
    (artifact,) = makers.artifacts(home).values()
    assert artifact.id == "loose:a/m"
    assert artifact.sizes.allocated == artifact.sizes.freed == path.stat().st_blocks * 512


def test_a_file_whose_other_name_a_store_holds_is_that_stores(home: Path) -> None:
    repo = makers.hub_repo(home / ".cache/huggingface/hub", "models--acme--tiny", {"m": b"GGUF" + os.urandom(30_000)})
    os.link(next((repo / "blobs").iterdir()), home / "again.gguf")
    assert not [name for name in makers.artifacts(home) if name.startswith("loose:")]


def test_sparse_files_count_by_what_they_take(home: Path) -> None:
    path = makers.write(home / "half.gguf", b"GGUF")
    os.truncate(path, 10_000_000)
    assert makers.artifacts(home) == {}


def test_a_file_that_may_not_be_read_is_a_problem(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gguf(home / "m")
    walked = tree.walk

    def lost(*arguments: object, **options: object) -> object:
        found = walked(*arguments, **options)  # type: ignore[arg-type]
        (home / "m").unlink()
        return found

    monkeypatch.setattr("modelyard.api.surveying.walk", lost)
    survey = api.survey({}, home, "linux", system=False)
    assert [problem.code for problem in survey.problems] == ["vanished"]


def test_more_large_files_than_one_look_holds(home: Path) -> None:
    for number in range(600):
        gguf(home / f"{number:03d}", 20_000)
    assert len(makers.artifacts(home)) == 600
