"""An environment that goes leaves its capsule: written first, and no room for it keeps the environment."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from capsules.making import listed
from typed import Run
from walk.disks import mounted


@pytest.fixture(autouse=True)
def _variables(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What the installers of the command get."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)


def named(run: Run, prefix: Path) -> str:
    """The id of the environment."""
    (found,) = run("ls", "-q", "--kind", "environment").out.split()
    return found


def planned(run: Run, *words: str) -> dict[str, str]:
    """The proofs of a plan by artifact."""
    plan = json.loads(run("clean", "--dry-run", "--json", *words).out)["plan"]
    return {step["artifact"]: step["proof"] for step in plan["steps"]}


def test_an_environment_that_works_goes_only_when_it_is_named_and_leaves_its_capsule(
    run: Run, prefix: Path, env: dict[str, str], home: Path
) -> None:
    name, before = named(run, prefix), listed(prefix, env)
    assert planned(run) == planned(run, "venv") == {}
    answer = run("clean", "--include", name, "--yes", "--json")
    receipt = json.loads(answer.out)["receipt"]
    assert (answer.code, receipt["done"], prefix.exists()) == (0, 1, False)
    (capsule,) = receipt["capsules"]
    assert run("env", "restore", capsule, "--prefix", str(home / "again")).code == 0
    assert listed(home / "again", env) == before
    assert run("undo").code == 0
    assert listed(prefix, env) == before


def test_an_environment_that_was_proven_is_proven_until_it_changes(run: Run, prefix: Path, home: Path) -> None:
    name = named(run, prefix)
    assert run("env", "prove", str(prefix)).code == 0
    assert planned(run) == {}
    assert planned(run, "venv")[name].startswith("re-solve: its capsule work-venv-")
    assert planned(run, "venv", "--proof-max-age", "0s") == {}
    (site,) = prefix.glob("lib/python3*/site-packages")
    (site / "mine.py").write_text("WORD = 'later'\n")
    assert planned(run, "venv") == {}


def test_an_environment_that_does_not_run_any_more_goes_by_itself_and_not_for_good(
    run: Run, prefix: Path, home: Path
) -> None:
    for python in prefix.glob("bin/python*"):
        python.unlink()
    os.symlink("/gone/python3", prefix / "bin" / "python3")
    assert next(iter(planned(run).values())).startswith("re-solve: it does not run any more")
    assert "A capsule is written of 1 environment" in run("clean", "--dry-run").out
    answer = run("clean", "--now", "--yes")
    assert (answer.code, "--now is not for environments" in answer.err, prefix.exists()) == (1, True, True)
    answer = run("clean", "--yes")
    assert (answer.code, prefix.exists()) == (0, False)
    assert "modelyard env restore" in answer.out
    assert list((home / ".local/share/modelyard/capsules").glob("work-venv-*.zip"))


def test_no_room_for_the_capsule_keeps_the_environment(run: Run, prefix: Path, home: Path) -> None:
    name = named(run, prefix)
    folder = home / ".local/share/modelyard/capsules"
    folder.mkdir(parents=True)
    with mounted("none", folder, "-t", "tmpfs", "-o", "size=4k"):
        (folder / "full").write_bytes(bytes(4096))
        answer = run("clean", "--include", name, "--yes", "--json")
    receipt = json.loads(answer.out)["receipt"]
    assert (answer.code, receipt["done"], receipt["capsules"]) == (3, 0, [])
    assert "its capsule could not be written" in receipt["skipped"][0]["why"]
    assert prefix.exists()
