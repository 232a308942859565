"""Runs of real trainers, cleaned: the best and the last stay and load, whatever happened to the run meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from modelyard.units import SECOND
from real import disk
from typed import Run

LOADING = Path(__file__).parent / "programs" / "loading.py"
OLD = 1_700_000_000


@pytest.fixture
def old(runs: Path) -> Path:
    """The runs, long over; what was written earlier stays earlier."""
    age(runs)
    return runs


def age(runs: Path) -> None:
    """Moves the times of everything below a folder to the past, by the same span."""
    paths = [path for path in disk.below(runs) if path.is_symlink() or path.is_file()]
    newest = max(path.lstat().st_mtime_ns for path in paths)
    for path in paths:
        at = path.lstat().st_mtime_ns - newest + OLD * SECOND
        os.utime(path, ns=(at, at), follow_symlinks=False)


def names(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def loads(*paths: Path) -> list[int]:
    """How many numbers each holds, as its own program loads it."""
    done = subprocess.run([sys.executable, str(LOADING), *map(str, paths)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]


def why(run: Run, *words: str) -> dict[str, str]:
    """Why each checkpoint stays, by its path below the runs."""
    plan = json.loads(run("clean", "checkpoint", "--dry-run", "--json", *words).out)["plan"]
    return {each["artifact"].removeprefix("checkpoint:runs/"): each["why"] for each in plan["skipped"]}


def test_a_plain_clean_never_touches_checkpoints(run: Run, old: Path) -> None:
    before = {path: path.stat() for path in disk.below(old)}
    assert "Nothing to give back" in run("clean", "--yes").out
    assert {path: path.stat() for path in disk.below(old)} == before


def test_the_best_and_the_last_of_every_real_run_stay_and_load(run: Run, old: Path) -> None:
    assert run("clean", "checkpoint", "--yes").code == 0
    assert names(old / "trainer") == ["checkpoint-4", "checkpoint-8"]
    assert names(old / "monitored") == ["epoch=1-step=4.ckpt", "epoch=3-step=8.ckpt"]
    assert len(names(old / "restarted")) == 4  # two runs in one folder
    assert len(names(old / "linked")) == 4  # a callback that watches nothing knows no best
    assert len(names(old / "accelerated" / "checkpoints")) == len(names(old / "sharded")) == 2
    kept = [path for name in ("trainer", "monitored") for path in sorted((old / name).iterdir())]
    assert loads(*kept) == [12384, 12384, 66, 66]
    assert run("undo").code == 0
    assert len(names(old / "trainer")) == len(names(old / "monitored")) == 4


def test_lightning_scores_rank_without_being_unpickled(run: Run, old: Path) -> None:
    assert run("clean", str(old / "monitored"), "--keep-best", "2", "--yes").code == 0
    assert names(old / "monitored") == ["epoch=1-step=4.ckpt", "epoch=2-step=6.ckpt", "epoch=3-step=8.ckpt"]
    assert len(names(old / "trainer")) == 4  # another run was not named


def test_the_metric_of_a_trainer_is_found_by_its_best(run: Run, old: Path) -> None:
    assert why(run)["trainer/checkpoint-4"] == "the best (eval_score 0.9)"
    assert run("clean", "checkpoint", "--keep-best", "2", "--yes").code == 0
    assert names(old / "trainer") == ["checkpoint-4", "checkpoint-6", "checkpoint-8"]


def test_an_unknown_direction_keeps_more(run: Run, old: Path) -> None:
    state = old / "trainer" / "checkpoint-8" / "trainer_state.json"
    known = json.loads(state.read_text())
    state.write_text(json.dumps(known | {"best_metric": 0.95}))
    age(old)
    assert why(run, "--keep-best", "2").get("trainer/checkpoint-2") == "how good it is is not known"
    assert "trainer/checkpoint-2" not in why(run)


def test_slim_takes_what_only_resuming_needs_and_the_weights_load(run: Run, old: Path) -> None:
    answer = run("clean", "checkpoint", "--slim", "--yes")
    assert "no exact resume" in answer.out
    assert "weakest proof: slimmed" in answer.out
    left = set(names(old / "trainer" / "checkpoint-4"))
    assert left == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "trainer_state.json",
        "training_args.bin",
    }
    assert {"optimizer.pt", "scheduler.pt", "rng_state.pth"} < set(names(old / "trainer" / "checkpoint-8"))
    assert names(old / "accelerated" / "checkpoints" / "checkpoint_0") == ["model.safetensors"]
    assert "optimizer.bin" in names(old / "accelerated" / "checkpoints" / "checkpoint_1")
    slim = (old / "trainer" / "checkpoint-4", old / "accelerated" / "checkpoints" / "checkpoint_0")
    assert loads(*slim) == [12384, 64 * 65]
    assert run("undo").code == 0
    assert "optimizer.pt" in names(old / "trainer" / "checkpoint-4")


def test_slim_is_never_purged_at_once(run: Run, old: Path) -> None:
    assert "--slim" in run("clean", "checkpoint", "--slim", "--now", "--yes").err
    assert "optimizer.pt" in names(old / "trainer" / "checkpoint-4")


def test_a_run_that_was_moved_keeps_its_best(run: Run, old: Path, home: Path) -> None:
    moved = home / "archive"
    moved.mkdir()
    for name in ("trainer", "monitored"):
        shutil.move(old / name, moved / name)
    shutil.rmtree(old)
    assert run("clean", "checkpoint", "--yes").code == 0
    assert names(moved / "trainer") == ["checkpoint-4", "checkpoint-8"]
    assert names(moved / "monitored") == ["epoch=1-step=4.ckpt", "epoch=3-step=8.ckpt"]


@pytest.mark.parametrize("end", [0, 1, 200, 900])
def test_a_truncated_state_keeps_the_whole_run(end: int, run: Run, old: Path) -> None:
    state = old / "trainer" / "checkpoint-8" / "trainer_state.json"
    state.write_bytes(state.read_bytes()[:end])
    age(old)
    found = why(run)
    assert found["trainer/checkpoint-2"] == "best not known: the last trainer_state.json is damaged"
    assert run("clean", "checkpoint", "--yes").code == 0
    assert len(names(old / "trainer")) == 4


@pytest.mark.parametrize(
    "lie",
    [
        {"best_global_step": None, "best_model_checkpoint": "/etc"},
        {"best_global_step": None, "best_model_checkpoint": "../copied/last.ckpt"},
        {"best_global_step": None, "best_model_checkpoint": ".."},
        {"best_global_step": 77},
        {"best_global_step": 10**30},
        {"best_model_checkpoint": "\ud800", "best_global_step": None, "total_flos": float("nan")},
        {"global_step": 4},
        {"best_global_step": None, "best_model_checkpoint": None},
    ],
)
def test_a_lying_state_keeps_the_whole_run(lie: dict[str, object], run: Run, old: Path) -> None:
    state = old / "trainer" / "checkpoint-8" / "trainer_state.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | lie))
    age(old)
    assert run("clean", str(old / "trainer"), "--yes").code == 0
    assert len(names(old / "trainer")) == 4
    assert len(names(old / "copied")) == 4


def test_steps_alone_count_when_that_is_asked_for(run: Run, old: Path) -> None:
    assert run("clean", "checkpoint", "--keep-best", "0", "--yes").code == 0
    assert names(old / "sharded") == ["step-20"]
    assert names(old / "accelerated" / "checkpoints") == ["checkpoint_1"]
    assert names(old / "linked") == ["epoch=2-step=6.ckpt", "last.ckpt"]
    assert names(old / "copied") == ["epoch=2-step=6.ckpt", "last.ckpt"]
    assert names(old / "trainer") == ["checkpoint-4", "checkpoint-8"]
    assert len(names(old / "restarted")) == 4
    assert loads(old / "linked" / "last.ckpt", old / "copied" / "last.ckpt") == [66, 66]


def test_a_link_that_names_a_checkpoint_keeps_it(run: Run, old: Path) -> None:
    (old / "linked" / "last.ckpt").unlink()
    (old / "linked" / "last.ckpt").symlink_to("epoch=0-step=2.ckpt")
    age(old)
    assert run("clean", str(old / "linked"), "--keep-best", "0", "--yes").code == 0
    assert names(old / "linked") == ["epoch=0-step=2.ckpt", "epoch=2-step=6.ckpt", "last.ckpt"]


def test_a_checkpoint_that_became_a_link_is_refused(run: Run, old: Path, home: Path) -> None:
    file = home / "plan.json"
    assert run("clean", "checkpoint", "--plan", str(file)).code == 0
    (old / "trainer" / "checkpoint-2").rename(home / "moved-away")
    (old / "trainer" / "checkpoint-2").symlink_to(home / "moved-away")
    answer = run("apply", str(file), "--yes")
    assert answer.code == 3
    assert (home / "moved-away" / "model.safetensors").is_file()
    assert (old / "trainer" / "checkpoint-2").is_symlink()


def test_a_checkpoint_that_is_a_link_is_not_touched(run: Run, old: Path, home: Path) -> None:
    (old / "trainer" / "checkpoint-2").rename(home / "moved-away")
    (old / "trainer" / "checkpoint-2").symlink_to(home / "moved-away")
    age(old)
    assert run("clean", "checkpoint", "--yes").code == 0
    assert names(old / "trainer") == ["checkpoint-2", "checkpoint-4", "checkpoint-8"]
    assert (home / "moved-away" / "model.safetensors").is_file()


def test_a_run_that_was_written_to_just_now_is_left_alone(run: Run, old: Path) -> None:
    (old / "trainer" / "train.log").write_text("step 9")
    assert why(run)["trainer/checkpoint-2"].startswith("its run was written to just now")
    assert run("clean", "checkpoint", "--slim", "--yes").code == 0
    assert len(names(old / "trainer")) == 5
    assert "optimizer.pt" in names(old / "trainer" / "checkpoint-4")
    assert len(names(old / "monitored")) == 2


def test_a_run_into_which_a_process_writes_is_left_alone(run: Run, old: Path) -> None:
    log = old / "trainer" / "runs" / "events.out"
    log.parent.mkdir()
    log.touch()
    age(old)
    code = "import sys; f = open(sys.argv[1], 'a'); print(1, flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(log)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == b"1\n"
        found = why(run)["trainer/checkpoint-2"]
        named = run("clean", "--include", "checkpoint:runs/trainer/checkpoint-2", "--dry-run", "--json").out
        process.kill()
    assert f"(process {process.pid}) has a file of it open" in found
    assert json.loads(named)["plan"]["steps"] == []


def test_the_only_whole_checkpoint_stays_even_when_it_is_named(run: Run, old: Path) -> None:
    ids = [f"checkpoint:runs/sharded/step-{step}" for step in (10, 20)]
    both = json.loads(run("clean", "--include", ids[0], "--include", ids[1], "--dry-run", "--json").out)["plan"]
    assert both["steps"] == []
    assert {each["artifact"] for each in both["skipped"]} == set(ids)
    plan = run("clean", "checkpoint", "--keep-best", "0", "--include", ids[1], "--dry-run", "--json").out
    going = {step["artifact"] for step in json.loads(plan)["plan"]["steps"]}
    assert ids[1] in going and ids[0] not in going


def test_options_for_checkpoints_need_checkpoints(run: Run, old: Path) -> None:
    answer = run("clean", "--keep-last", "2", "--yes")
    assert answer.code == 1
    assert "modelyard clean checkpoint" in answer.err
