"""Lets a Trainer of transformers save into `Checkpoints` and go on from there, without any pickle.

The Trainer finds the state of its loop and the weights; optimizer, scheduler and random states are put back here.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from modelyard.registry.checkpoints.checkpoints import Checkpoints

STATE = "trainer_state.json"
"""Where `Trainer.train(resume_from_checkpoint=)` looks for the state of its loop."""
NO_METRICS = ("step", "epoch")
"""What a line of the log has beside what was measured."""


class TrainerCheckpoints(TrainerCallback):
    """Saves every so many steps, or after each epoch; where that step is evaluated, with the metrics of it."""

    def __init__(self, kept: Checkpoints, trainer: Trainer, every: int | None) -> None:
        self._kept, self._trainer, self._every = kept, trainer, every
        self._due, self._saved = False, -1
        self._offered = -1
        """The step of the checkpoint that the Trainer was told to resume from."""
        self._measured: tuple[int, Mapping[str, object]] = (-1, {})
        """The step of the last evaluation, and what it found."""
        self._resumed: int | None = None
        """The step whose random states wait to be put back."""
        self._midway = False
        trainer.add_callback(self)

    def resume_from(self) -> str | None:
        """What `trainer.train(resume_from_checkpoint=)` takes: the newest whole checkpoint, None for none."""
        found = self._kept.find()
        self._offered = -1 if found is None else int(found.name.removeprefix("step-"))
        return None if found is None else str(found)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Puts optimizer and scheduler back; the Trainer did so with its own state, and skips the data that it had."""
        self._saved, self._due = state.global_step, False
        if state.global_step and state.global_step == self._offered:
            self._kept.resume(step=state.global_step, rng=False, **self._parts())
            self._resumed, self._midway = state.global_step, state.epoch != int(state.epoch or 0)

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Puts random states back before a new epoch draws its order."""
        if not self._midway:
            self._random()

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Puts random states back where an epoch goes on: the Trainer has skipped what it had by now."""
        self._random()

    def _random(self) -> None:
        if self._resumed is not None:
            self._kept.resume(step=self._resumed)
            self._resumed, self._midway = None, False

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """Saves where it is time, unless losses or metrics of this very step are still to come."""
        self._due = self._due or (self._every is not None and state.global_step % self._every == 0)
        if not control.should_log and not control.should_evaluate:
            self._save(state)

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """The same for whom an epoch is the time."""
        self._due = self._due or self._every is None
        if not control.should_log and not control.should_evaluate:
            self._save(state)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """Saves with the losses of this step, unless an evaluation is still to come."""
        if not control.should_evaluate:
            self._save(state)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, object] | None = None,
        **given: Any,
    ) -> None:
        """Saves with the metrics of this step."""
        self._measured = (state.global_step, metrics or {})
        self._save(state)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """Saves the last step, and waits until it is on the disk."""
        self._due = state.global_step != self._saved
        self._save(state)
        self._kept.wait()

    def _save(self, state: TrainerState) -> None:
        if not self._due or not state.is_world_process_zero:
            return
        self._due, self._saved = False, state.global_step
        at, measured = self._measured
        told = {**_last_log(state), **(measured if at == state.global_step else {})}
        numbers = {
            name: each for name, each in told.items() if isinstance(each, int | float) and name not in NO_METRICS
        }
        texts = {STATE: self._text(state)}
        config: Any = getattr(self._trainer.model, "config", None)
        if hasattr(config, "to_json_string"):
            texts["config.json"] = config.to_json_string()
        self._kept.save(state.global_step, metrics=numbers, texts=texts, **self._parts())

    def _parts(self) -> dict[str, Any]:
        trainer = self._trainer
        parts = {"model": trainer.model, "optimizer": trainer.optimizer, "scheduler": trainer.lr_scheduler}
        scaler = getattr(trainer.accelerator, "scaler", None)
        return {**parts, "scaler": scaler} if scaler is not None else parts

    def _text(self, state: TrainerState) -> str:
        """The state of the loop, with those of callbacks as they are now."""
        callbacks = [*self._trainer.callback_handler.callbacks, self._trainer.control]
        now: Any = [each for each in callbacks if isinstance(each, ExportableState)]
        whole = dataclasses.replace(state, stateful_callbacks=now)
        return json.dumps(dataclasses.asdict(whole), indent=2, sort_keys=True) + "\n"


def _last_log(state: TrainerState) -> Mapping[str, object]:
    """The losses that were logged last."""
    return next((each for each in reversed(state.log_history) if "loss" in each), {})
