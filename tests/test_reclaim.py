"""Cleaning as a person types it: the plan, the question, the trash, the way back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import makers
import oracle
from modelyard.apply.lock import locked
from typed import Run

OLD = 1_700_000_000


@pytest.fixture
def full(home: Path) -> Path:
    """A hub cache with leftovers, an ollama store, conda, pip; everything written long ago."""
    for store in ("hf", "ollama", "conda", "pip", "checkpoint"):
        makers.layouts()[store](home)
    for path in oracle.below(home):
        os.utime(path, (OLD, OLD), follow_symlinks=False)
    return home


def content(home: Path) -> dict[str, str]:
    """Every path with what it is, but for modelyard's own."""
    own = (home / ".local/share/modelyard", home / ".local/state")
    return {
        str(path): os.readlink(path) if path.is_symlink() else path.read_bytes().hex() if path.is_file() else "folder"
        for path in oracle.below(home)
        if not any(path.is_relative_to(each) for each in own)
        and path != home / ".local/share"
        and path != home / ".local"
    }


def test_a_plan_changes_nothing(run: Run, full: Path) -> None:
    before = content(full)
    answer = run("clean", "--dry-run")
    assert answer.code == 0
    for words in (
        "leftover",
        "hf:model/acme/tiny#orphan",
        "nothing names it any more",
        "Together",
        "weakest proof: re-get",
    ):
        assert words in answer.out
    assert content(full) == before


def test_nobody_is_asked_without_a_terminal_and_nothing_is_changed(run: Run, full: Path) -> None:
    before = content(full)
    answer = run("clean")
    assert answer.code == 4
    assert "--yes" in answer.err
    assert content(full) == before


def test_clean_undo_and_everything_is_as_it_was(run: Run, full: Path) -> None:
    before = content(full)
    done = json.loads(run("clean", "--yes", "--json").out)["receipt"]
    assert done["done"] > 0
    assert not done["skipped"] and not done["failed"]
    assert content(full) != before
    assert run("ls", "-q", "trash").out.count("\n") == 1
    answer = run("undo")
    assert (answer.code, "brought back" in answer.out) == (0, True)
    assert content(full) == before
    assert run("undo").code == 1


def test_undo_says_what_it_could_not_bring_back(run: Run, full: Path) -> None:
    orphan = next((full / ".cache/huggingface/hub").glob("models--acme--tiny/blobs/*.incomplete"))
    run("clean", "hf", "--yes")
    makers.write(orphan, b"downloaded again")
    answer = run("undo")
    assert answer.code == 3
    assert "something new is there" in answer.out
    assert orphan.read_bytes() == b"downloaded again"


def test_purge_frees_and_cannot_be_undone(run: Run, full: Path) -> None:
    run("clean", "--yes")
    after = content(full)
    assert run("purge").code == 4
    assert "Nothing in the trash is that old." in run("purge", "--yes", "--older", "1d").out
    done = json.loads(run("purge", "--yes", "--json").out)["receipt"]
    assert done["done"] > 0
    assert done["freed_measured"] is not None
    assert run("ls", "-q", "trash").out == ""
    assert content(full) == after
    assert run("undo").code == 1
    (journal,) = json.loads(run("journal", "--json").out)["journals"]
    assert (journal["in_trash"], journal["purged"]) == (0, journal["steps"])


def test_now_frees_at_once_and_only_what_is_proven(run: Run, full: Path) -> None:
    answer = run("clean", "--yes", "--now", "--include", "hf:dataset/globex/crops@eeeeeeeeeeee")
    assert answer.code == 1
    assert "--include" in answer.err
    answer = run("clean", "--yes", "--now")
    assert answer.code == 0
    assert "purged" in answer.out
    assert run("ls", "-q", "trash").out == ""


def test_a_saved_plan_is_applied_once_and_drifted_steps_are_refused(run: Run, full: Path) -> None:
    file = full / "plan.json"
    assert run("clean", "hf", "--plan", str(file)).code == 0
    orphan = next((full / ".cache/huggingface/hub").glob("models--acme--tiny/blobs/*.incomplete"))
    orphan.write_bytes(b"somebody goes on with this")
    answer = run("apply", str(file), "--yes")
    assert answer.code == 3
    assert "it was written to" in answer.out or "its size changed" in answer.out
    assert orphan.read_bytes() == b"somebody goes on with this"
    again = run("apply", str(file), "--yes")
    assert (again.code, "applied before" in again.err) == (1, True)


def test_a_plan_that_was_changed_is_refused(run: Run, full: Path) -> None:
    file = full / "plan.json"
    run("clean", "hf", "--plan", str(file))
    file.write_bytes(file.read_bytes().replace(b"incomplete", b"ncompletee"))
    answer = run("apply", str(file), "--yes")
    assert (answer.code, "changed after it was made" in answer.err) == (1, True)


def test_names_narrow_and_only_an_id_reaches_the_unproven(run: Run, full: Path) -> None:
    only = json.loads(run("clean", "pip", "--dry-run", "--json").out)["plan"]
    assert {step["artifact"].partition(":")[0] for step in only["steps"]} == {"pip"}
    assert json.loads(run("clean", "ollama:llama3:8b", "--dry-run", "--json").out)["plan"]["steps"] == []
    named = json.loads(run("clean", "ollama", "--include", "ollama:llama3:8b", "--dry-run", "--json").out)["plan"]
    assert named["worst_proof"] == "unproven"
    assert any(step["artifact"] == "ollama:llama3:8b" for step in named["steps"])
    answer = run("clean", "nothing-like-it")
    assert (answer.code, "modelyard ls -q" in answer.err) == (1, True)


def test_no_more_than_asked_for(run: Run, full: Path) -> None:
    everything = json.loads(run("clean", "--dry-run", "--json").out)["plan"]
    some = json.loads(run("clean", "--free", "1B", "--dry-run", "--json").out)["plan"]
    assert 0 < some["freed"] < everything["freed"]
    enough = json.loads(run("clean", "--until-free", "1B", "--dry-run", "--json").out)["plan"]
    assert enough["steps"] == []


def test_what_is_kept_is_never_in_a_plan(run: Run, full: Path) -> None:
    kept = json.loads(run("clean", "--keep", "pip:", "--dry-run", "--json").out)["plan"]
    assert not [step for step in kept["steps"] if step["artifact"].startswith("pip:")]
    makers.write(full / ".cache/huggingface/.modelyard-keep", b"")
    plan = json.loads(run("clean", "hf", "--dry-run", "--json").out)["plan"]
    assert plan["steps"] == []
    assert {each["why"] for each in plan["skipped"]} == {"a .modelyard-keep file keeps it"}


def test_what_a_process_has_open_is_left_out(run: Run, full: Path) -> None:
    path = next((full / ".cache/huggingface/hub").glob("models--acme--tiny/blobs/*.incomplete"))
    code = "import sys; f = open(sys.argv[1]); print(1, flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == b"1\n"
        plan = json.loads(run("clean", "hf", "--dry-run", "--json").out)["plan"]
        process.kill()
    (skipped,) = [each for each in plan["skipped"] if each["artifact"] == "hf:model/acme/tiny#partial"]
    assert f"(process {process.pid}) has a file of it open" in skipped["why"]


def test_conda_packages_under_soft_linked_environments_stay(run: Run, full: Path) -> None:
    """`conda clean` calls them unused, for their hard links are few, and breaks the environment."""
    library = full / "miniconda3/pkgs/tiny-1.0-0/lib/libtiny.so"
    link = full / "miniconda3/envs/old/lib/soft.so"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(library)
    plan = json.loads(run("clean", "conda", "--dry-run", "--json").out)["plan"]
    (skipped,) = [each for each in plan["skipped"] if each["artifact"] == "conda:pkg/tiny-1.0-0"]
    assert "envs/old/lib/soft.so leads to it" in skipped["why"]
    assert run("clean", "conda", "--yes").code == 0
    assert link.resolve(strict=True) == library


def test_reading_the_journal_makes_nothing(run: Run, home: Path) -> None:
    assert run("journal").code == 0
    assert list(home.iterdir()) == []


def test_the_lock_of_another_is_respected(run: Run, full: Path) -> None:
    run("purge")
    with locked(bytes(full / ".local/state/modelyard")):
        pid = os.fork()
        if pid == 0:
            os._exit(run("purge", "--yes").code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 75


def test_the_second_waits_as_long_as_it_is_told(run: Run, full: Path) -> None:
    run("purge")
    code = "import sys; sys.path[:0] = sys.argv[2:]; from modelyard.apply.lock import locked\n"
    code += "with locked(sys.argv[1].encode()): print(1, flush=True); sys.stdin.read(1)"
    command = [sys.executable, "-c", code, str(full / ".local/state/modelyard"), *sys.path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin and other.stdout and other.stdout.readline() == b"1\n"
        late = run("purge", "--wait", "1s", "--yes")
        assert (late.code, f"process {other.pid}" in late.err) == (75, True)
        threading.Timer(0.3, other.stdin.close).start()
        assert run("purge", "--wait", "1m", "--yes").code == 0


def test_nothing_to_give_back(run: Run, home: Path) -> None:
    answer = run("clean", "--yes")
    assert answer.code == 0
    assert "Nothing to give back" in answer.out
    assert json.loads(run("clean", "--yes", "--json").out)["plan"]["steps"] == []
    assert json.loads(run("journal", "--json").out)["journals"] == []


def test_a_journal_shows_its_steps(run: Run, full: Path) -> None:
    done = json.loads(run("clean", "--yes", "--json").out)["receipt"]
    assert done["journal_id"] in run("journal").out
    out = run("journal", done["journal_id"][:6]).out
    assert "done" in out
    assert ".incomplete" in out
    assert run("journal", "zzz").code == 1


def test_the_journal_shows_one_plan_by_either_way_of_asking(run: Run, full: Path) -> None:
    plan = json.loads(run("clean", "--yes", "--json").out)["receipt"]["journal_id"]
    assert run("journal", "show", plan[:6]).out == run("journal", plan).out
    assert plan in run("journal", "show").out
    assert run("journal", plan, plan).code == 2


def test_what_was_purged_or_taken_back_is_not_counted_again(run: Run, full: Path) -> None:
    plan = json.loads(run("clean", "--yes", "--json").out)["receipt"]["journal_id"]
    assert json.loads(run("purge", plan, "--yes", "--json").out)["receipt"]["done"] > 0
    again = json.loads(run("purge", plan, "--yes", "--json").out)["receipt"]
    assert (again["done"], again["freed_predicted"]) == (0, 0)
    answer = run("undo", plan)
    assert (answer.code, "it was purged" in answer.err) == (1, True)


def test_an_empty_home_is_no_home(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "")
    command = [sys.executable, "-m", "modelyard", "ls"]
    for more in ([], ["--home", ""]):
        answer = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
        assert (answer.returncode, answer.stdout) == (2, "")


def test_undo_leaves_no_empty_trash(run: Run, full: Path) -> None:
    run("clean", "--yes")
    run("undo")
    assert run("ls", "-q", "--store", "trash").out == ""
