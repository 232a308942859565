"""What saving a model with its optimizer takes, and how long training stands still for it, beside torch's own ways.

All ways save the same tensors in one process, round by round in another order; the first round is not measured.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.report import Report

GIB = 1 << 30
ROWS = 1024
LAYERS = 24
RAW = "raw write, fsync"
MINE, BEHIND = "modelyard save", "modelyard save, async"
TORCH, TORCH_SYNC = "torch.save", "torch.save, fsync"
DCP, DCP_ASYNC = "torch.distributed.checkpoint save", "torch.distributed.checkpoint async_save"
MINE_LOAD, TORCH_LOAD = "modelyard resume, verified", "torch.load, load_state_dict"
Way = Callable[[Path], float]
"""Saves into a folder that is not there, until everything is written; how long the caller had to wait."""


@dataclass(slots=True)
class Times:
    """Seconds of the rounds of one way: until training may go on, and until all is written."""

    blocked: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)


def trained(size: int) -> tuple[Any, Any]:
    """A model with Adam's two moments, together about so many bytes."""
    import torch

    columns = size // 3 // 4 // ROWS // LAYERS
    model = torch.nn.Sequential(*(torch.nn.Linear(columns, ROWS, bias=False) for _ in range(LAYERS)))
    optimizer = torch.optim.Adam(model.parameters())
    for each in model.parameters():
        each.grad = torch.randn_like(each)
    optimizer.step()
    optimizer.zero_grad()
    return model, optimizer


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def raw(model: Any, optimizer: Any) -> Way:
    """The limit: the same bytes, one write after the other, and one fsync."""

    def way(folder: Path) -> float:
        started = time.perf_counter()
        state = optimizer.state_dict()["state"]
        tensors = [*model.state_dict().values(), *(each for one in state.values() for each in one.values())]
        folder.mkdir()
        with (folder / "raw").open("wb", buffering=0) as file:
            for each in tensors:
                data = memoryview(each.detach().reshape(-1).numpy()).cast("B")
                while data:
                    data = data[file.write(data) :]
            os.fsync(file.fileno())
        return time.perf_counter() - started

    return way


def mine(model: Any, optimizer: Any, *, behind: bool) -> Way:
    """Ours; one object for all rounds, as a training has."""
    from modelyard import Checkpoints

    kept = Checkpoints("unset", async_save=behind)

    def way(folder: Path) -> float:
        kept.folder = folder
        started = time.perf_counter()
        kept.save(1, model=model, optimizer=optimizer)
        blocked = time.perf_counter() - started
        kept.wait()
        return blocked

    return way


def torch_save(model: Any, optimizer: Any, *, sync: bool) -> Way:
    """What most scripts do: a pickle that is truncated and written in place."""
    import torch

    def way(folder: Path) -> float:
        folder.mkdir()
        started = time.perf_counter()
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, folder / "checkpoint.pt")
        if sync:
            _sync(folder / "checkpoint.pt")
        return time.perf_counter() - started

    return way


def distributed(model: Any, optimizer: Any, *, behind: bool) -> Way:
    """torch.distributed.checkpoint in one process; async_save copies to memory and writes in a thread."""
    dist: Any = importlib.import_module("torch.distributed")
    dcp: Any = importlib.import_module("torch.distributed.checkpoint")
    if not dist.is_initialized():
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)

    def way(folder: Path) -> float:
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        started = time.perf_counter()
        if behind:
            work = dcp.async_save(state, checkpoint_id=folder)
            blocked = time.perf_counter() - started
            work.result()
            return blocked
        dcp.save(state, checkpoint_id=folder)
        return time.perf_counter() - started

    return way


def loads(model: Any, optimizer: Any, folder: Path) -> dict[str, Callable[[], object]]:
    """Ways back, of what was saved once."""
    import torch

    from modelyard import Checkpoints

    kept = Checkpoints(folder / "ours")
    kept.save(1, model=model, optimizer=optimizer)
    torch_save(model, optimizer, sync=True)(folder / "theirs")

    def theirs() -> None:
        found = torch.load(folder / "theirs" / "checkpoint.pt", weights_only=True)
        model.load_state_dict(found["model"])
        optimizer.load_state_dict(found["optimizer"])

    return {MINE_LOAD: lambda: kept.resume(model=model, optimizer=optimizer), TORCH_LOAD: theirs}


def rounds_of(folder: Path, size: int, rounds: int) -> dict[str, Times]:
    """All ways, paired; needs room for one checkpoint, and for two where they are loaded."""
    model, optimizer = trained(size)
    ways: dict[str, Way] = {
        RAW: raw(model, optimizer),
        MINE: mine(model, optimizer, behind=False),
        BEHIND: mine(model, optimizer, behind=True),
        TORCH: torch_save(model, optimizer, sync=False),
        TORCH_SYNC: torch_save(model, optimizer, sync=True),
        DCP: distributed(model, optimizer, behind=False),
        DCP_ASYNC: distributed(model, optimizer, behind=True),
    }
    results = {name: Times() for name in (*ways, MINE_LOAD, TORCH_LOAD)}
    names = list(ways)
    for turn in range(rounds + 1):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            place = folder / "checkpoint"
            os.sync()
            started = time.perf_counter()
            blocked = ways[name](place)
            whole = time.perf_counter() - started
            shutil.rmtree(place)
            if turn:
                results[name].blocked.append(blocked)
                results[name].whole.append(whole)
    back = loads(model, optimizer, folder)
    for turn in range(rounds + 1):
        for name in sorted(back, reverse=bool(turn % 2)):
            started = time.perf_counter()
            back[name]()
            if turn:
                results[name].whole.append(time.perf_counter() - started)
                results[name].blocked.append(results[name].whole[-1])
    return results


def share(one: list[float], other: list[float]) -> float:
    """The median of the rounds' own ratios."""
    return median(a / b for a, b in zip(one, other, strict=True))


def table(results: Mapping[str, Times]) -> list[str]:
    """The rows of a report."""
    lines = ["| way | training waits s | all written s | of raw write, fsync |", "|---|---|---|---|"]
    for name, each in results.items():
        of = f"{share(each.whole, results[RAW].whole):.2f}" if name not in (MINE_LOAD, TORCH_LOAD) else ""
        lines.append(f"| {name} | {median(each.blocked):.3f} | {median(each.whole):.3f} | {of} |")
    return lines


def goals(results: Mapping[str, Times]) -> list[tuple[str, float, float]]:
    """What was promised: words, what came out, the limit."""
    mine, behind = results[MINE].whole, results[BEHIND].blocked
    return [
        ("a checkpoint / raw write and fsync of the same bytes", share(mine, results[RAW].whole), 1.25),
        ("a checkpoint / torch.save and fsync", share(mine, results[TORCH_SYNC].whole), 1.0),
        ("a checkpoint / torch.distributed.checkpoint", share(mine, results[DCP].whole), 1.0),
        ("training waits, async / torch.save", share(behind, results[TORCH].blocked), 0.5),
        ("training waits, async / DCP's async_save", share(behind, results[DCP_ASYNC].blocked), 1.0),
        ("resume, verified / torch.load and load_state_dict",
         share(results[MINE_LOAD].whole, results[TORCH_LOAD].whole), 1.5),
    ]  # fmt: skip


def part(report: Report, folder: Path, rounds: int) -> None:
    """A model with Adam of MODELYARD_GIB, 1, together. In a process of its own: torch keeps its threads and memory."""
    gib = float(os.environ.get("MODELYARD_GIB", "1").split()[0])
    command = [sys.executable, "-m", "benchmarks.checkpointing", str(gib), str(rounds), str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    results = {name: Times(*each) for name, each in json.loads(done.stdout).items()}
    report.say(f"A model with Adam, {gib:g} GiB together.\n")
    for line in table(results):
        report.say(line)
    for words, value, limit in goals(results):
        report.goal(words, value, limit)


def main() -> None:
    """The seconds of all ways as JSON: GiB, rounds, folder."""
    results = rounds_of(Path(sys.argv[3]), int(float(sys.argv[1]) * GIB), int(sys.argv[2]))
    print(json.dumps({name: [each.blocked, each.whole] for name, each in results.items()}))


if __name__ == "__main__":
    main()
