"""A download that was killed, at each moment that leaves another state on the disk: what a clean takes, and leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import makers
from reclaiming import age, chosen, everything, undo
from typed import Run

COMMIT = "a" * 40
REPO = Path(".cache/huggingface/hub/models--acme--half")
SMALL, LARGE = "1" * 40, "2" * 64
NAME = "hf:model/acme/half"
REVISION, PARTIAL, ORPHAN = f"{NAME}@{COMMIT[:12]}", f"{NAME}#partial", f"{NAME}#orphan"
"""What the client makes, in its order: the ref, the folder of the revision, blobs under a name of their own, links."""


def build(home: Path, *made: str) -> Path:
    """The repository with these of its parts."""
    repo = home / REPO
    makers.write(repo / "refs" / "main", COMMIT)
    if "folder" in made:
        (repo / "snapshots" / COMMIT).mkdir(parents=True)
    for name, blob, content in (("config.json", SMALL, b"{}"), ("model.safetensors", LARGE, b"w" * 90_000)):
        if f"half {name}" in made:
            makers.write(repo / "blobs" / f"{blob}.incomplete", content[: len(content) // 2])
        if f"whole {name}" in made:
            makers.write(repo / "blobs" / blob, content)
        if f"linked {name}" in made:
            makers.write(repo / "blobs" / blob, content)
            (repo / "snapshots" / COMMIT / name).symlink_to(f"../../blobs/{blob}")
    age(home)
    return repo


def proofs(run: Run) -> dict[str, str]:
    """By artifact that a clean takes the class of its proof."""
    plan = json.loads(run("clean", "hf", "--dry-run", "--json").out)["plan"]
    return {each["artifact"]: each["proof"].split(":")[0] for each in plan["steps"]}


@pytest.mark.parametrize(
    "made",
    [
        ("half model.safetensors",),
        ("folder", "half config.json", "half model.safetensors"),
        ("folder", "whole config.json", "half model.safetensors"),
        ("folder", "whole config.json", "whole model.safetensors"),
        ("folder",),
    ],
)
def test_a_download_of_which_nothing_can_be_loaded_goes_whole(made: tuple[str, ...], run: Run, home: Path) -> None:
    """No empty revision stays behind when its bytes go, and no bytes when the revision goes."""
    repo = build(home, *made)
    before = everything(home)
    assert set(proofs(run).values()) == {"leftover"}
    assert run("clean", "hf", "--yes").code == 0
    assert not repo.exists()
    undo(run)
    assert everything(home) == before


@pytest.mark.parametrize(
    ("rest", "leftover", "name"),
    [
        ("half model.safetensors", PARTIAL, f"{LARGE}.incomplete"),
        ("whole model.safetensors", ORPHAN, LARGE),
    ],
)
def test_what_arrived_of_a_download_stays_and_only_the_rest_goes(
    rest: str, leftover: str, name: str, run: Run, home: Path
) -> None:
    """A configuration alone may be all that was ever wanted: no default takes a revision from which files load."""
    repo = build(home, "folder", "linked config.json", rest)
    before = everything(home)
    assert proofs(run) == {leftover: "leftover"}
    assert run("clean", "hf", "--yes").code == 0
    assert set(before) - set(everything(home)) == {repo / "blobs" / name}
    assert (repo / "snapshots" / COMMIT / "config.json").read_text() == "{}"
    undo(run)
    assert everything(home) == before


def test_a_folder_that_goes_for_two_is_told_with_the_weaker_proof(run: Run, home: Path) -> None:
    """A leftover beside an unproven revision must not lend it its proof."""
    repo = build(home, "folder", "linked config.json")
    (repo / "snapshots" / ("0" * 40)).mkdir()
    age(home)
    assert chosen(run, "hf", "--include", REVISION) == {REVISION}
    steps = json.loads(run("clean", "hf", "--include", REVISION, "--dry-run", "--json").out)["plan"]["steps"]
    assert [(each["path"], each["proof"].split(":")[0]) for each in steps] == [(str(home / REPO), "unproven")]
