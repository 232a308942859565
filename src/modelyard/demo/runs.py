"""The sample's 509 checkpoints: Trainer runs with a best and a last one, and what other trainers write."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

from modelyard.demo.writer import MIB, Writer

A_RUN = 12
LIGHTNING_HEAD = (
    b"\x80\x02}q\x00(X\x05\x00\x00\x00epochq\x01K\x01"
    b"X\x19\x00\x00\x00pytorch-lightning_versionq\x02X\x05\x00\x00\x002.6.6q\x03u."
)


def runs(w: Writer) -> None:
    """509 checkpoints at full scale, a little under 600 GiB; at a small scale one of each kind stays."""
    others = (_lightning, _accelerate, _deepspeed, _sharded, _orbax)
    wanted = max(w.count(509), 2 * len(others) + 3)
    made = 0
    for number, write in enumerate(others):
        for step in (1000, 2000):
            write(w, w.home / "projects" / f"study-{number}", step, w.age(5, 200))
            made += 1
    number = 0
    while made < wanted:
        steps = min(A_RUN, wanted - made)
        _trainer_run(w, w.home / "projects" / f"finetune-{number:02d}" / "out", steps)
        made += steps
        number += 1


def _trainer_run(w: Writer, run: Path, count: int) -> None:
    size, start = w.rng.randint(335, 410) * MIB, w.age(20, 300)
    best = 500 * max(1, count - 2)
    for number in range(1, count + 1):
        step, written = 500 * number, start + number * 3_600 * 1_000_000_000
        folder = run / f"checkpoint-{step}"
        w.weights(folder / "model.safetensors", size, written)
        w.file(folder / "optimizer.pt", 2 * size, written)
        for name in ("scheduler.pt", "rng_state.pth", "training_args.bin"):
            w.file(folder / name, 14_000, written)
        w.text(folder / "config.json", "{}", written)
        if number == count and count == A_RUN and w.rng.random() < 0.1:
            continue  # the run was killed while it saved: trainer_state.json is written last
        state = {
            "global_step": step,
            "max_steps": 500 * A_RUN,
            "best_metric": 0.31,
            "best_global_step": min(best, step),
            "best_model_checkpoint": f"out/checkpoint-{min(best, step)}",
            "log_history": [],
        }
        w.text(folder / "trainer_state.json", json.dumps(state), written)


def _lightning(w: Writer, run: Path, step: int, written: int) -> None:
    head = io.BytesIO()
    with zipfile.ZipFile(head, "w") as archive:
        archive.writestr(zipfile.ZipInfo("archive/data.pkl", (1980, 1, 1, 0, 0, 0)), LIGHTNING_HEAD)
    path = run / "lightning_logs" / "version_0" / "checkpoints" / f"epoch={step // 1000}-step={step}.ckpt"
    w.file(path, 1200 * MIB, written, head=head.getvalue())


def _accelerate(w: Writer, run: Path, step: int, written: int) -> None:
    folder = run / "checkpoints" / f"checkpoint_{step // 1000}"
    w.weights(folder / "model.safetensors", 400 * MIB, written)
    w.file(folder / "optimizer.bin", 800 * MIB, written)
    w.file(folder / "random_states_0.pkl", 15_000, written)


def _deepspeed(w: Writer, run: Path, step: int, written: int) -> None:
    folder = run / "deepspeed" / f"global_step{step}"
    w.file(folder / "mp_rank_00_model_states.pt", 400 * MIB, written)
    for rank in range(2):
        w.file(folder / f"bf16_zero_pp_rank_{rank}_mp_rank_00_optim_states.pt", 500 * MIB, written)
    w.text(folder.parent / "latest", folder.name, written)


def _sharded(w: Writer, run: Path, step: int, written: int) -> None:
    folder = run / "sharded" / f"step_{step}"
    for rank in range(2):
        w.file(folder / f"__{rank}_0.distcp", 600 * MIB, written)
    w.file(folder / ".metadata", 9_000, written)


def _orbax(w: Writer, run: Path, step: int, written: int) -> None:
    folder = run / "orbax" / str(step)
    w.text(folder / "_CHECKPOINT_METADATA", "{}", written)
    w.file(folder / "default" / "manifest.ocdbt", 120, written)
    w.file(folder / "default" / "ocdbt.process_0" / "d" / w.hex(32), 1000 * MIB, written)
