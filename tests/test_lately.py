"""Between a plan and its making: what came to need, hold or keep a thing meanwhile, which its own files do not show."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

import makers
from apply.work import apply, digest, journal_file, plan_for, take_back
from modelyard.apply import journal as journals
from modelyard.apply.disk import Disk
from modelyard.apply.journal import Ledger
from modelyard.cli import lately
from modelyard.plan import Plan
from reclaiming import OLD, age, everything
from test_checkpoints_kept import trainer
from typed import Run

RUN, PIRATE = Path("runs/a"), "ollama:acme/pirate:v1"
MANIFESTS = Path(".ollama/models/manifests/registry.ollama.ai")


@pytest.fixture
def full(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Models, a cache and a run of training, written long ago; a plan is looked at again however young it is."""
    for store in ("ollama", "pip"):
        makers.layouts()[store](home)
    age(home)
    for step in (500, 1000, 1500):
        trainer(home / RUN, step, {500: 0.9, 1000: 0.1, 1500: 0.3}, 1000, OLD + step)
    monkeypatch.setattr(lately, "FRESH", 0.0)
    return home


def applied(run: Run, home: Path, meanwhile: Callable[[Path], object], *words: str) -> dict[str, str]:
    """Saves a plan, lets something happen, applies it; what was left undone by the last part of its path, and why."""
    file = home.parent / "plan.json"
    assert run("clean", *words, "--plan", str(file)).code == 0
    assert json.loads(file.read_text())["steps"]
    meanwhile(home)
    answer = run("apply", str(file), "--yes", "--json")
    receipt = json.loads(answer.out)["receipt"]
    assert answer.code == (3 if receipt["skipped"] else 0)
    return {Path(each["path"]).name: each["why"] for each in receipt["skipped"]}


def copied(home: Path) -> None:
    """What `ollama cp` does: another name for the same layers; no file of the first one changes."""
    manifest = home / MANIFESTS / "acme" / "pirate"
    (manifest / "mine").write_bytes((manifest / "v1").read_bytes())


def replaced(home: Path) -> None:
    """What `ollama create` does: the name stands for other settings of the same weights."""
    manifest = home / MANIFESTS / "acme" / "pirate" / "v1"
    told = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(told | {"annotations": {"made": "anew"}}))


@pytest.mark.parametrize("meanwhile", [copied, replaced])
def test_layers_stay_that_a_name_stands_for_by_now(meanwhile: Callable[[Path], None], run: Run, full: Path) -> None:
    blobs = full / ".ollama" / "models" / "blobs"
    before = everything(blobs)
    why = applied(run, full, meanwhile, PIRATE, "--include", PIRATE)
    assert why
    assert everything(blobs) == before


def test_what_was_pinned_meanwhile_stays(run: Run, full: Path) -> None:
    why = applied(run, full, lambda _: run("pin", "pip:http"), "pip")
    assert "pinned" in why["http-v2"]


def test_what_a_file_keeps_meanwhile_stays(run: Run, full: Path) -> None:
    """Above the thing, where its own mark does not tell of it."""
    why = applied(run, full, lambda home: makers.write(home / ".cache/pip/.modelyard-keep", b""), "pip")
    assert why["http-v2"] == "a .modelyard-keep file keeps it"


def test_a_training_that_went_on_meanwhile_keeps_its_checkpoints(run: Run, full: Path) -> None:
    """It may go back to any of them."""
    why = applied(run, full, lambda home: makers.write(home / RUN / "events.out", b"step 1501"), "checkpoint")
    assert "a training may be going on" in why["checkpoint-500"]
    assert (full / RUN / "checkpoint-500").exists()


def test_a_link_that_was_made_meanwhile_keeps_what_it_leads_to(run: Run, full: Path) -> None:
    def linked(home: Path) -> None:
        (home / "favourite").symlink_to(home / RUN / "checkpoint-500")

    assert "leads to it" in applied(run, full, linked, "checkpoint")["checkpoint-500"]


def test_a_rule_that_was_written_meanwhile_keeps(run: Run, full: Path) -> None:
    settings = Path(".config/modelyard/config.toml")
    why = applied(run, full, lambda home: makers.write(home / settings, b"[stores.pip]\nnever = true\n"), "pip")
    assert why["http-v2"] == "a rule of yours: never"


def test_a_store_in_which_something_was_pinned_meanwhile_is_not_moved(run: Run, full: Path) -> None:
    file, target = full.parent / "plan.json", full.parent / "elsewhere"
    assert run("move", "ollama", str(target), "--plan", str(file)).code == 0
    assert run("pin", PIRATE).code == 0
    answer = run("apply", str(file), "--yes")
    assert answer.code == 3
    assert f"{PIRATE}: it is pinned" in " ".join(answer.out.split())
    assert not target.exists()
    assert run("pin", "--remove", PIRATE).code == 0
    assert run("move", "ollama", str(target), "--yes").code == 0
    assert target.is_dir()


def test_where_nothing_happened_everything_goes(run: Run, full: Path) -> None:
    assert applied(run, full, lambda _: None, "pip", "checkpoint") == {}


def parts_of_one(home: Path) -> tuple[list[Path], Plan]:
    """A name, and two files of bytes that it stands for, as one artifact; and something else."""
    paths = [makers.write(home / "things" / each, each.encode()) for each in ("name", "bytes", "more", "else")]
    plan = plan_for(paths, home)
    steps = [replace(step, artifact="model" if number < 3 else "other") for number, step in enumerate(plan.steps)]
    return paths, replace(plan, steps=steps).sealed()


def states(home: Path, plan: Plan) -> list[str]:
    """What became of each step."""
    found = journals.read(journal_file(home, plan))
    assert isinstance(found, Ledger)
    return [*found.states]


def test_bytes_stay_with_a_name_that_changed(home: Path) -> None:
    paths, plan = parts_of_one(home)
    paths[0].write_bytes(b"stands for the same bytes still")
    apply(home, plan, Disk())
    assert states(home, plan) == ["refused", "refused", "refused", "done"]


class Late(Disk):
    """The second thing is exchanged for another just before it is carried away."""

    def move(self, source: bytes, target: bytes) -> None:
        """Renames as ever, but for that."""
        if source.endswith(b"/bytes") and os.path.exists(source):
            os.replace(source + b".new", source)
        super().move(source, target)


def test_what_changes_at_the_last_moment_brings_its_name_back(home: Path) -> None:
    paths, plan = parts_of_one(home)
    makers.write(home / "things" / "bytes.new", b"other")
    apply(home, plan, Late())
    assert states(home, plan) == ["refused", "refused", "refused", "done"]
    assert [path.exists() for path in paths] == [True, True, True, False]
    assert paths[1].read_bytes() == b"other"


class Stubborn(Disk):
    """One thing cannot be moved."""

    def move(self, source: bytes, target: bytes) -> None:
        """Fails for it, whatever its place."""
        if source.endswith(b"/name"):
            raise PermissionError(1, "not permitted")
        super().move(source, target)


def test_bytes_stay_with_a_name_that_cannot_be_removed(home: Path) -> None:
    _, plan = parts_of_one(home)
    before = digest(home)
    apply(home, plan, Stubborn())
    assert states(home, plan) == ["failed", "refused", "refused", "done"]
    take_back(home, plan, Disk())
    assert digest(home) == before
