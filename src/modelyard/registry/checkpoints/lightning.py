"""Lets a Trainer of Lightning save into `Checkpoints` and go on from there: what it would pickle is kept as data."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.trainer.states import TrainerFn

from modelyard.registry.checkpoints.checkpoints import Checkpoints
from modelyard.registry.checkpoints.errors import UnsaveableError
from modelyard.registry.checkpoints.nested import encode
from modelyard.registry.checkpoints.parts import Taken
from modelyard.registry.checkpoints.saved import NAME, name_of
from modelyard.registry.checkpoints.shelf import Writing

MODEL, OPTIMIZERS, CHOICES = "state_dict", "optimizer_states", "hyper_parameters"
"""What Lightning calls them in the dict that it saves."""


class LightningCheckpoints(Checkpoint):
    """Saves every so many steps, or after each epoch and its validation, with the metrics that are known then."""

    def __init__(self, kept: Checkpoints, every: int | None) -> None:
        self._kept, self._every = kept, every
        self._saved = -1
        self._resumed: int | None = None
        """The step whose random states are put back, until the first batch."""
        self._ended_again = False
        self._metrics: dict[str, object] = {}

    def resume_from(self) -> str | None:
        """What `trainer.fit(ckpt_path=)` takes: the newest whole checkpoint, None where there is none."""
        found = self._kept.find()
        return None if found is None else str(found)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Takes what is saved into the folder of the run and loaded from it; all else goes its usual way."""
        self._saved = -1
        if not isinstance(trainer.strategy.checkpoint_io, _Folders):
            trainer.strategy.checkpoint_io = _Folders(self, trainer.strategy.checkpoint_io)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts random states back before the first epoch draws its order; the check of validation leaves them alone."""
        self._saved = trainer.global_step if self._resumed is None else self._resumed
        self._random()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Once more where the epoch before was only ended again: it drew an order in vain."""
        if self._ended_again:
            self._random()
            self._ended_again = False

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Once more where an epoch goes on: its loader may have drawn numbers when it began again."""
        if batch_idx:
            self._random()
        self._resumed = None

    def _random(self) -> None:
        if self._resumed is not None:
            self._kept.resume(step=self._resumed)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves where it is time; at the end of an epoch after its validation, which Lightning would not do again."""
        if self._every is not None and trainer.global_step % self._every == 0 and not trainer.is_last_batch:
            self._save(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves at the end of an epoch, with the metrics of the validation."""
        if trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking and trainer.is_last_batch:
            self._end(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves at the end of an epoch that nothing validated."""
        self._ended_again = self._resumed is not None
        self._end(trainer)

    def _end(self, trainer: Trainer) -> None:
        if self._every is None or trainer.global_step % self._every == 0:
            self._save(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Waits until the last one is on the disk."""
        self._kept.wait()

    def _save(self, trainer: Trainer) -> None:
        if trainer.global_step != self._saved:
            self._saved = trainer.global_step
            self._metrics = dict(trainer.callback_metrics)
            trainer.save_checkpoint(self._kept.folder / name_of(trainer.global_step))

    def holds(self, path: Path) -> bool:
        """Whether a path is that of a checkpoint of this run."""
        return path.parent == self._kept.folder and NAME.fullmatch(path.name) is not None

    def keep(self, step: int, found: dict[str, Any]) -> None:
        """Saves what Lightning would pickle: weights and optimizers as tensors, all else as plain values."""
        extra = {name: each for name, each in found.items() if name not in (MODEL, OPTIMIZERS)}
        try:
            encode(extra.get(CHOICES), Writing().put, (CHOICES,))
        except UnsaveableError as error:
            del extra[CHOICES]
            warnings.warn(f"hyper-parameters are not saved with the checkpoint: {error.message}", stacklevel=2)
        model, optimizers = Taken(found[MODEL]), Taken(found.get(OPTIMIZERS, []))
        self._kept.save(step, model=model, optimizer=optimizers, extra=extra, metrics=self._metrics)

    def give(self, step: int) -> dict[str, Any]:
        """What Lightning would unpickle."""
        found = self._kept.load(step)
        assert found is not None  # a step that is not there is an error
        self._resumed = step
        parts: Any = found.parts
        return {**parts["extra"], MODEL: parts["model"], OPTIMIZERS: parts["optimizer"]}


class _Folders(CheckpointIO):
    """Between Lightning and the disk: checkpoints of the run go to `Checkpoints`, others to who had them before."""

    def __init__(self, owner: LightningCheckpoints, other: CheckpointIO) -> None:
        self._owner, self._other = owner, other

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        here = Path(path)
        if self._owner.holds(here):
            self._owner.keep(checkpoint["global_step"], checkpoint)
        else:
            self._other.save_checkpoint(checkpoint, here, storage_options)

    def load_checkpoint(
        self, path: str | os.PathLike[str], map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        here = Path(path)
        if self._owner.holds(here):
            return self._owner.give(int(here.name.removeprefix("step-")))
        return self._other.load_checkpoint(here, map_location, weights_only)

    def remove_checkpoint(self, path: str | os.PathLike[str]) -> None:
        if not self._owner.holds(Path(path)):
            self._other.remove_checkpoint(Path(path))

    def teardown(self) -> None:
        self._other.teardown()
