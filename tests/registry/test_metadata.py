"""Metadata: nothing that others wrote is lost, real ones fit the published schema, newer ones are told."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import modelyard as my
from modelyard.problem import Problem
from modelyard.registry.amending import amending
from modelyard.registry.errors import RegistryError
from modelyard.registry.git import commit_here
from modelyard.registry.metadata import Metadata, decode, encode, json_schema

SCHEMA = Path(__file__).parents[2] / "docs" / "metadata.schema.json"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=6), each, max_size=3),
    max_leaves=8,
)
NAMES = st.text(min_size=1, max_size=6).map(lambda text: f"x-{text}")
MINIMAL = {"name": "net", "version": "1.0.0", "created": "2026-01-01T00:00:00Z", "codec": "arrays"}


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(NAMES, VALUES, max_size=4), st.dictionaries(NAMES, VALUES, max_size=2))
def test_unknown_keys_survive_at_every_depth(more: dict[str, Any], inner: dict[str, Any]) -> None:
    given_ = {
        **MINIMAL, **more, "unknown": 7, "git": {"commit": "abc", **inner},
        "files": [{"path": "a", "size": 1, "sha256": "0", **inner}],
    }  # fmt: skip
    found = decode(json.dumps(given_).encode(), "here")
    assert isinstance(found, Metadata), found
    written = json.loads(encode(found))
    assert {key: written[key] for key in (*more, "unknown")} == {**more, "unknown": 7}
    assert {key: written["git"][key] for key in inner} == inner
    assert {key: written["files"][0][key] for key in inner} == inner
    assert decode(encode(found), "here") == found


def test_the_published_schema_is_that_of_the_types() -> None:
    """Stale? `make docs` writes it again."""
    assert json.loads(SCHEMA.read_text()) == json_schema()


def test_real_metadata_fit_the_published_schema(tmp_path: Path) -> None:
    registry = my.Registry(tmp_path)
    first = registry.save({"w": np.ones(3)}, "net")
    data = {"name": "mnist", "uri": "hf://datasets/mnist", "digest": "sha256:00", "rows": "70000"}
    registry.save(
        {"w": np.ones(3)}, "net", metrics={"f1": 1}, task="t", datasets=[data], tags=["a"], license="MIT",
        parent=str(first), extra={"note": [1, None]}, training={"lr": 0.1},
    )  # fmt: skip
    for path in tmp_path.glob("net/*/metadata.json"):
        jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(json.loads(path.read_text()))
    found = registry.metadata("net")
    assert (found.parent, found.datasets[0].unknown) == ("net@1.0.0", {"rows": "70000"})
    wrong = {**json.loads(path.read_text()), "files": [{"path": 3}]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(wrong)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b"{", b"\xff", b'{"name":1}', b"[" * 5000, b'{"files":[{"path":1}]}', b'"x"']
)
def test_damaged_metadata_are_a_problem(text: bytes) -> None:
    found = decode(text, "here")
    assert isinstance(found, Problem) and found.code == "damaged-metadata"


def test_a_newer_schema_is_listed_told_and_not_loaded(tmp_path: Path) -> None:
    registry = my.Registry(tmp_path)
    for schema in ("1.7", "2.0"):
        which = registry.save({"w": np.ones(3)}, "net")
        path = registry.path(which) / "metadata.json"
        path.chmod(0o644)
        path.write_text(path.read_text().replace('"schema_version": "1.0"', f'"schema_version": "{schema}"'))
        sums = registry.path(which) / "SHA256SUMS"
        sums.chmod(0o644)
        lines = [line for line in sums.read_text().splitlines() if not line.endswith("metadata.json")]
        digest = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout.split()[0]
        sums.write_text("\n".join([*lines, f"{digest}  metadata.json"]) + "\n")
    assert [str(each) for each in registry.versions("net")] == ["1.0.0", "1.1.0"]
    assert registry.load("net@1.0.0")["w"].tolist() == [1, 1, 1]
    with pytest.raises(RegistryError, match=r"schema 2\.0, this program knows 1; a newer modelyard"):
        registry.load("net")
    states = {(each.version, each.state) for each in registry.verify() if each.state != "ok"}
    assert states == {("net@1.1.0", "newer")}


def test_files_may_be_added_and_nothing_that_was_saved_changes(tmp_path: Path) -> None:
    registry = my.Registry(tmp_path)
    which = registry.save({"w": np.ones(9000)}, "net")
    before = (registry.path(which) / "model.safetensors").stat().st_ino
    with amending(registry.root, which) as (made, metadata):
        made.write("README.md", b"# net\n")
        metadata.extra["card"] = True
    assert (registry.path(which) / "model.safetensors").stat().st_ino == before
    assert (registry.metadata(which).extra, len(registry.metadata(which).files)) == ({"card": True}, 3)
    assert all(each.state == "ok" for each in registry.verify())
    with pytest.raises(RegistryError, match="would change"), amending(registry.root, which) as (made, _):
        made.discard("model.safetensors")
        made.write("model.safetensors", b"other")
    assert all(each.state == "ok" for each in registry.verify())
    assert [path.name for path in registry.path(which).parent.iterdir()] == ["v1.0.0"]


def test_the_commit_and_whether_its_files_were_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "-q")
    (tmp_path / "train.py").write_text("one")
    git("add", "train.py")
    git("commit", "-qm", "one")
    git("remote", "add", "origin", "https://me:secret@example.com/me/code.git")
    found = commit_here(str(tmp_path))
    assert found is not None and (found.commit, found.dirty) == (git("rev-parse", "HEAD"), False)
    assert "secret" not in found.remote and "example.com" in found.remote
    (tmp_path / "untracked.txt").write_text("x")
    assert commit_here(str(tmp_path)) == found
    (tmp_path / "train.py").write_text("two")
    changed = commit_here(str(tmp_path))
    git("add", "train.py")
    staged = commit_here(str(tmp_path))
    assert changed is not None and changed.dirty and staged is not None and staged.dirty
    monkeypatch.chdir(tmp_path)
    registry = my.Registry(tmp_path / "models")
    assert registry.metadata(registry.save({"w": np.ones(1)}, "net")).git == staged
