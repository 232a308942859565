"""A training with everything that random numbers touch: dropout, shuffled data, noise of numpy and of Python."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from torch import nn

from modelyard.registry.checkpoints import Checkpoints

Optimizer = torch.optim.Optimizer
Told = Callable[[int, str], None]
OPTIMIZERS: dict[str, Callable[[Any], Optimizer]] = {
    "adam-amsgrad": lambda weights: torch.optim.Adam(weights, 1e-2, amsgrad=True),
    "sgd-momentum": lambda weights: torch.optim.SGD(weights, 1e-2, momentum=0.9, nesterov=True),
    "adamw": lambda weights: torch.optim.AdamW(weights, 1e-2),
    "lbfgs": lambda weights: torch.optim.LBFGS(weights, 1e-2, max_iter=2),
}
SCHEDULERS: dict[str, Callable[[Optimizer], Any]] = {
    "one-cycle": lambda made: torch.optim.lr_scheduler.OneCycleLR(made, 0.05, total_steps=10_000, cycle_momentum=False),
    "milestones": lambda made: torch.optim.lr_scheduler.MultiStepLR(made, [3, 3, 8], 0.5),
    "plateau": lambda made: torch.optim.lr_scheduler.ReduceLROnPlateau(made, patience=1),
    "warm-restarts": lambda made: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(made, 4),
}
ROWS, BATCH = 24, 6


@dataclass(slots=True)
class Run:
    """One training, and the generator that shuffles its data."""

    model: nn.Module
    optimizer: Optimizer
    scheduler: Any
    shuffles: torch.Generator
    numbers: numpy.random.Generator
    order: dict[str, Any]

    def state(self) -> dict[str, Any]:
        """What save and resume are given."""
        generators = {"shuffles": self.shuffles, "numbers": self.numbers}
        parts = {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}
        return {**parts, "extra": self.order, "generators": generators}


def begin(optimizer: str = "adam-amsgrad", scheduler: str = "one-cycle", seed: int = 0) -> Run:
    """A training before its first step, the same for the same seed."""
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1))
    made = OPTIMIZERS[optimizer](model.parameters())
    shuffles = torch.Generator().manual_seed(seed)
    return Run(model, made, SCHEDULERS[scheduler](made), shuffles, numpy.random.default_rng(seed), {"left": []})


def one_step(run: Run) -> str:
    """Trains on the next batch of the shuffled rows; the loss to its last bit."""
    if not run.order["left"]:
        run.order["left"] = torch.randperm(ROWS, generator=run.shuffles).tolist()
    rows, run.order["left"] = run.order["left"][:BATCH], run.order["left"][BATCH:]
    batch = torch.arange(ROWS * 4, dtype=torch.float32).sin().reshape(ROWS, 4)[rows]
    noise = random.random() + float(numpy.random.rand()) + run.numbers.random() + float(torch.rand(()))

    def closure() -> Any:
        run.optimizer.zero_grad()
        found = (run.model(batch + 0.1 * noise) - batch.sum(1, keepdim=True)).square().mean()
        found.backward()
        return found

    found: Any = run.optimizer.step(closure)
    loss = float(found.detach())
    plateau = isinstance(run.scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
    run.scheduler.step(*([loss] if plateau else []))
    return loss.hex()


def train(kept: Checkpoints | None, run: Run, steps: int, told: Told = lambda step, loss: None) -> dict[int, str]:
    """Resumes where there is something to resume, and trains up to a step; the losses by step."""
    losses = {}
    start = kept.resume(**run.state()) if kept else 0
    for step in range(start + 1, steps + 1):
        losses[step] = one_step(run)
        told(step, losses[step])
        if kept:
            kept.save(step, **run.state(), metrics={"loss": float.fromhex(losses[step])})
    return losses
