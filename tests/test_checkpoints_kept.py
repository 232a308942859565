"""What stays of runs on a disk: of every layout something that loads, with the best and the last, whatever is asked."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import makers
import oracle
from modelyard import api
from modelyard.api.checkpoints import plan_with_checkpoints
from modelyard.plan import Plan
from modelyard.policies.checkpoints import Rule
from modelyard.policies.clean import Wish
from modelyard.units import SECOND
from modelyard.uses.everyone import Everyone
from modelyard.uses.references import References

OLD = 1_700_000_000
NOW = 1_790_000_000 * SECOND
CHECKPOINTS = Wish(names=("checkpoint",))


def weights(path: Path) -> Path:
    """A whole safetensors file."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [64], "data_offsets": [0, 64]}}).encode()
    return makers.write(path, struct.pack("<Q", len(header)) + header + os.urandom(64))


def whole(path: Path) -> bool:
    """Whether it is one."""
    content = path.read_bytes() if path.is_file() else b""
    return len(content) > 8 and len(content) == 8 + struct.unpack("<Q", content[:8])[0] + 64


def trainer(run: Path, step: int, scores: dict[int, float], best: int, written: int) -> Path:
    """A checkpoint as a Trainer saves it, with the log of its evaluations so far."""
    folder = makers.trainer_checkpoint(
        run,
        step,
        best,
        best_metric=scores.get(best),
        log_history=[{"step": at, "eval_loss": score} for at, score in scores.items() if at <= step],
    )
    weights(folder / "model.safetensors")
    dated(folder, written)
    return folder


def dated(folder: Path, written: int) -> None:
    """Gives everything below a time, in seconds."""
    for path in (folder, *oracle.below(folder)):
        os.utime(path, (written, written), follow_symlinks=False)


def planned(home: Path, rule: Rule = Rule(), wish: Wish = CHECKPOINTS) -> tuple[api.Survey, Plan]:  # noqa: B008
    """The plan for a home in which no process does anything."""
    seen = api.survey({}, home, "linux", system=False)
    nobody = Everyone(seen.tree, seen.claims, seen.artifacts, [], 0, [], [], [], References(0, True, {}, {}))
    return seen, plan_with_checkpoints(seen, nobody, wish, NOW, rule)


def going(home: Path, rule: Rule = Rule()) -> set[str]:  # noqa: B008
    """What goes, by its path in the home."""
    return {os.path.relpath(step.path.text, home) for step in planned(home, rule)[1].steps}


RUNS = st.lists(st.sampled_from(("whole", "whole", "cut", "empty", "partial", "slim")), min_size=1, max_size=6)
RULES = st.builds(Rule, st.integers(0, 3), st.integers(1, 3), st.none() | st.integers(1, 900), st.booleans())


@settings(max_examples=60, deadline=None)
@given(RUNS, RULES, st.integers(0, 6), st.booleans())
def test_of_any_run_the_best_the_last_and_one_that_loads_stay(
    made: list[str], rule: Rule, best: int, shuffled: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(os.path.realpath(folder))
        scores = {100 * number: float(score) for number, score in enumerate((5, 3, 8, 1, 9, 2)[: len(made)], 1)}
        best_step = 100 * (best + 1)
        for number, state in enumerate(made, 1):
            written = OLD + (number * 7919 % 13 if shuffled else number) * 100
            place = trainer(home / "run" / "out", 100 * number, scores, best_step, written)
            if state == "cut":
                os.truncate(place / "model.safetensors", 40)
            elif state == "empty":
                (place / "model.safetensors").unlink()
            elif state == "partial":
                (place / "trainer_state.json").unlink()
            elif state == "slim":
                (place / "optimizer.pt").unlink()
            dated(place, written)
        loads = [n for n, state in enumerate(made, 1) if state in ("whole", "slim")]
        for step in planned(home, rule)[1].steps:
            path = Path(step.path.text)
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        left = {int(path.name[11:]) // 100 for path in (home / "run" / "out").iterdir()}
        usable = [
            n
            for n in loads
            if n in left and whole(home / "run" / "out" / f"checkpoint-{100 * n}" / "model.safetensors")
        ]
        assert set(range(1, len(made) + 1)) - left <= set(loads), "what is broken is for a person to judge"
        assert bool(usable) == bool(loads)
        if loads:
            last = home / "run" / "out" / f"checkpoint-{100 * loads[-1]}"
            assert whole(last / "model.safetensors")
            assert (last / "optimizer.pt").exists() == (made[loads[-1] - 1] != "slim")
        named = [n for n, state in enumerate(made, 1) if n == best + 1 and state != "partial"]
        assert set(named) <= left


def test_a_whole_set_of_ranks_is_the_last_and_goes_as_one(home: Path) -> None:
    for step, ranks in ((100, 4), (200, 4), (300, 3)):
        for rank in range(ranks):
            makers.write(home / "ds" / "out" / f"global_step{step}" / f"zero_pp_rank_{rank}_mp_rank_00_optim_states.pt")
        makers.write(home / "ds" / "out" / f"global_step{step}" / "mp_rank_00_model_states.pt")
    dated(home, OLD)
    assert going(home) == set()
    assert going(home, Rule(best=0, slim=True)) == {"ds/out/global_step100"}
    makers.write(home / "ds" / "out" / "latest", "global_step100")
    dated(home, OLD)
    assert going(home, Rule(best=0, slim=True)) == set()


def test_a_rank_set_with_a_gap_is_not_whole(home: Path) -> None:
    for step, ranks in ((100, (0, 1)), (200, (0, 2))):
        for rank in ranks:
            makers.write(home / "ds" / "out" / f"global_step{step}" / f"zero_pp_rank_{rank}_mp_rank_00_optim_states.pt")
    dated(home, OLD)
    assert going(home, Rule(best=0)) == set()


def test_what_megatron_calls_its_latest_stays(home: Path) -> None:
    for step in (100, 200, 300):
        for name in ("__0_0.distcp", ".metadata"):
            makers.write(home / "mega" / "out" / f"iter_{step:07d}" / name)
    makers.write(home / "mega" / "out" / "latest_checkpointed_iteration.txt", "200")
    dated(home, OLD)
    assert going(home, Rule(best=0)) == {"mega/out/iter_0000100"}


def test_orbax_steps_that_were_not_committed_are_neither_kept_nor_taken_for_the_last(home: Path) -> None:
    for name in ("100", "200", "300.orbax-checkpoint-tmp-17"):
        makers.write(home / "jax" / "out" / name / "_CHECKPOINT_METADATA", "{}")
    dated(home, OLD)
    assert going(home, Rule(best=0)) == {"jax/out/100"}


def test_an_index_that_names_a_file_that_is_gone_keeps_all(home: Path) -> None:
    for step in (100, 200):
        place = trainer(home / "run" / "out", step, {100: 2.0, 200: 1.0}, 200, OLD + step)
        (place / "model.safetensors").rename(place / "model-00001-of-00002.safetensors")
        names = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
        makers.write(place / "model.safetensors.index.json", json.dumps({"weight_map": names}))
        dated(place, OLD + step)
    assert going(home, Rule(slim=True)) == set()
    for step in (100, 200):
        weights(home / "run" / "out" / f"checkpoint-{step}" / "model-00002-of-00002.safetensors")
    dated(home, OLD)
    assert going(home) == {"run/out/checkpoint-100"}


class Acting:
    """A thing whose pickle would make a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.file}",)


def ckpt(path: Path, **more: object) -> Path:
    """A Lightning checkpoint with this beside its version."""
    return makers.torch_zip(path, pickle.dumps({"pytorch-lightning_version": "2.6.6", **more}, 2))


def callback(best: str, **scores: float) -> dict[str, object]:
    """What a callback that watches a loss keeps in mind."""
    key = "ModelCheckpoint{'monitor': 'loss', 'mode': 'min', 'every_n_epochs': 1}"
    ranks = {f"/elsewhere/{name}.ckpt": score for name, score in scores.items()}
    return {key: {"monitor": "loss", "best_model_path": f"/elsewhere/{best}.ckpt", "best_k_models": ranks}}


def test_hostile_ckpt_is_read_and_nothing_runs(home: Path) -> None:
    run, proof = home / "pl" / "out", home / "it-ran"
    for step in (1, 2, 3):
        ckpt(run / f"step={step}.ckpt", callbacks=callback("step=1"), evil=Acting(proof))
    dated(home, OLD)
    assert going(home) == {"pl/out/step=2.ckpt"}
    ckpt(run / "step=3.ckpt", callbacks=Acting(proof))
    dated(home, OLD)
    assert going(home) == set()
    assert not proof.exists()


@pytest.mark.parametrize("best", ["../../it", "..", "step=9", "", "/etc/passwd\0", "step=2.ckpt/../step=1"])
def test_a_lightning_best_that_is_not_here_keeps_all(best: str, home: Path) -> None:
    for step in (1, 2, 3):
        ckpt(home / "pl" / "out" / f"step={step}.ckpt", callbacks=callback(best))
    dated(home, OLD)
    assert going(home) == ({"pl/out/step=2.ckpt"} if best.endswith("step=1") else set())


def test_lightning_scores_count_the_way_their_callback_says(home: Path) -> None:
    names = {f"step={step}": float(abs(step - 2)) for step in range(1, 7)}
    for step in range(1, 7):
        ckpt(home / "pl" / "out" / f"step={step}.ckpt", callbacks=callback("step=2", **names))
    dated(home, OLD)
    assert going(home, Rule(best=2)) == {"pl/out/step=4.ckpt", "pl/out/step=5.ckpt"}  # 1 and 3 are as good


def test_a_cut_last_leaves_the_whole_one_before_it(home: Path) -> None:
    for step in (1, 2, 3, 4):
        ckpt(home / "pl" / "out" / f"step={step}.ckpt", callbacks=callback("step=1"))
    os.truncate(home / "pl" / "out" / "step=4.ckpt", 4000)
    dated(home, OLD)
    assert going(home) == set()
    assert going(home, Rule(best=0)) == {"pl/out/step=1.ckpt", "pl/out/step=2.ckpt"}


def test_no_more_is_made_slim_than_is_wanted(home: Path) -> None:
    for step in (100, 200, 300):
        trainer(home / "run" / "out", step, {100: 1.0, 200: 2.0, 300: 3.0}, 100, OLD + step)
    dated(home / "run" / "out", OLD)
    wish = Wish(names=("checkpoint",), wanted=1)
    assert len(planned(home, Rule(slim=True), wish)[1].steps) == 1
    everything = planned(home, Rule(slim=True))[1]
    assert everything.worst_proof == "slimmed"
    assert {os.path.relpath(step.path.text, home / "run" / "out") for step in everything.steps} == {
        "checkpoint-200",
        *(f"checkpoint-100/{name}" for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth")),
    }


HOUR = 3600
LATELY = NOW // SECOND


@pytest.mark.parametrize(
    ("steps", "every", "quiet", "runs_on"),
    [
        (10_000, 5 * HOUR, 3 * HOUR, True),  # saves every five hours, and there was one three hours ago
        (10_000, 5 * HOUR, 11 * HOUR, False),
        (10_000, 60, HOUR // 2, True),
        (10_000, 60, 2 * HOUR, False),
        (300, 5 * HOUR, HOUR // 2, False),  # it has reached its last step
        (300, 60, 60, True),
        (10_000, 30 * 24 * HOUR, 8 * 24 * HOUR, False),
        (10_000, 60, -HOUR, True),  # a clock that was wrong
    ],
)
def test_a_running_training_is_told_from_a_finished_one(
    steps: int, every: int, quiet: int, runs_on: bool, home: Path
) -> None:
    for number in (1, 2, 3):
        scores = {100: 2.0, 200: 3.0, 300: 1.0}
        place = trainer(home / "run" / "out", 100 * number, scores, 300, OLD)
        state = place / "trainer_state.json"
        state.write_text(json.dumps(json.loads(state.read_text()) | {"max_steps": steps}))
        dated(place, LATELY - quiet - (3 - number) * every)
    assert bool(going(home)) != runs_on


def test_what_else_is_written_in_a_home_does_not_keep_a_run_that_lies_in_it(home: Path) -> None:
    for step in (100, 200, 300):
        trainer(home, step, {100: 2.0, 200: 3.0, 300: 1.0}, 300, OLD + step)
        dated(home / f"checkpoint-{step}", OLD + step)
    path = makers.write(home / "notes" / "today.txt")
    os.utime(path, (LATELY, LATELY))
    assert going(home) == {"checkpoint-100", "checkpoint-200"}


def test_unreadable_folder_in_a_run_keeps_it() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(os.path.realpath(folder))
        for step in (100, 200, 300):
            trainer(home / "run" / "out", step, {100: 2.0, 200: 3.0, 300: 1.0}, 300, OLD + step)
        makers.write(home / "run" / "out" / "logs" / "x")
        dated(home / "run" / "out" / "logs", OLD)
        home.chmod(0o755)
        assert len(going(home)) == 2
        (home / "run" / "out" / "logs").chmod(0o000)
        root = os.geteuid() == 0
        try:
            if root:
                os.seteuid(65534)  # root reads everything
            assert going(home) == set()
        finally:
            if root:
                os.seteuid(0)
        (home / "run" / "out" / "logs").chmod(0o755)


@pytest.mark.parametrize("hurt", ["cut", "shards without an index", "gone"])
def test_a_best_that_would_not_load_keeps_all(hurt: str, home: Path) -> None:
    for step in (100, 200, 300, 400):
        trainer(home / "run" / "out", step, {100: 2.0, 200: 1.0, 300: 3.0, 400: 4.0}, 200, OLD + step)
    assert len(going(home)) == 2
    file = home / "run" / "out" / "checkpoint-200" / "model.safetensors"
    if hurt == "cut":
        os.truncate(file, 30)
    elif hurt == "gone":
        file.unlink()
    else:
        file.rename(file.with_name("model-00001-of-00002.safetensors"))
    dated(home / "run" / "out" / "checkpoint-200", OLD + 200)
    assert going(home) == set()
    assert len(planned(home)[1].skipped) == 4


def test_two_runs_in_one_folder_keep_all_even_where_all_times_are_the_same(home: Path) -> None:
    for step in (100, 200, 300, 400):
        scores = {100: 2.0, 200: 1.0, 300: 3.0, 400: 4.0} if step > 200 else {100: 9.0, 200: 8.0}
        trainer(home / "run" / "out", step, scores, 200, OLD)
    dated(home, OLD)
    assert going(home, Rule(best=0, slim=True)) == set()


def test_slim_narrows_as_everything_else_does(home: Path) -> None:
    for step in (100, 200, 300):
        trainer(home / "run" / "out", step, {100: 2.0, 200: 3.0, 300: 1.0}, 300, OLD + step)
    dated(home, OLD)

    def steps(**wish: object) -> int:
        return len(planned(home, Rule(last=3, slim=True), Wish(("checkpoint",), **wish))[1].steps)  # type: ignore[arg-type]

    assert steps() == 6
    assert steps(keep=("checkpoint-100",)) == 3
    assert steps(unused_since=OLD * SECOND) == 0
    (home / "run" / "out" / "checkpoint-200" / ".modelyard-keep").touch()
    dated(home, OLD)
    assert steps() == 3
    (home / "link").symlink_to(home / "run" / "out" / "checkpoint-100" / "optimizer.pt")
    assert steps() == 0


def test_checkpoints_of_diffusers_scripts_keep_their_weights_in_folders_of_parts(home: Path) -> None:
    for step in (500, 1000, 1500):
        place = home / "sd" / "out" / f"checkpoint-{step}"
        for name in ("random_states_0.pkl", "optimizer.bin", "scheduler.bin"):
            makers.write(place / name)
        weights(place / "unet" / "diffusion_pytorch_model.safetensors")
    dated(home, OLD)
    assert going(home) == set()
    assert going(home, Rule(best=0, last=2, slim=True)) == {
        "sd/out/checkpoint-500",
        *(f"sd/out/checkpoint-1000/{name}" for name in ("optimizer.bin", "random_states_0.pkl", "scheduler.bin")),
    }
    os.truncate(home / "sd" / "out" / "checkpoint-1500" / "unet" / "diffusion_pytorch_model.safetensors", 20)
    dated(home, OLD)
    assert going(home, Rule(best=0, slim=True)) == {"sd/out/checkpoint-500"}
