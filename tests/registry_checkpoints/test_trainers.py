"""The trainers of transformers and Lightning, real ones: broken off and resumed, they train the same model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import LightningModule, seed_everything
from lightning import Trainer as LightningTrainer
from lightning.pytorch.callbacks import Callback
from torch.utils.data import DataLoader
from transformers import (
    AutoModelForCausalLM,
    EarlyStoppingCallback,
    GPT2Config,
    GPT2LMHeadModel,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from modelyard.registry.checkpoints import Checkpoints

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*"),  # theirs: workers, precision, what a later version will call otherwise
]
ROWS = 20


class BrokenOffError(Exception):
    """The power went."""


class Breaks(TrainerCallback):
    """Ends a training in the middle of a step."""

    def __init__(self, at: int) -> None:
        self.at = at

    def on_step_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Breaks off."""
        if state.global_step == self.at:
            raise BrokenOffError


def trainer(home: Path, breaks: int, seed: int) -> Trainer:
    """A tiny language model with dropout; weights are tied."""
    set_seed(seed)
    config = GPT2Config(vocab_size=16, n_positions=8, n_embd=8, n_layer=1, n_head=2, resid_pdrop=0.3)
    draw = torch.Generator().manual_seed(5)
    rows = [{"input_ids": (ids := torch.randint(0, 16, (8,), generator=draw)), "labels": ids} for _ in range(ROWS)]
    options = TrainingArguments(
        output_dir=str(home / "out"), per_device_train_batch_size=4, num_train_epochs=3, learning_rate=1e-2,
        save_strategy="no", eval_strategy="steps", eval_steps=3, logging_steps=1, report_to=[], disable_tqdm=True,
        use_cpu=True, gradient_accumulation_steps=1, metric_for_best_model="loss", seed=42,
    )  # fmt: skip
    calls = [Breaks(breaks), EarlyStoppingCallback(early_stopping_patience=50)]
    model = GPT2LMHeadModel(config)
    return Trainer(model=model, args=options, train_dataset=rows, eval_dataset=rows[:4], callbacks=calls)


def trained(home: Path, every: int | None, *breaks: int) -> tuple[dict[str, Any], list[Any], Checkpoints]:
    """The weights and losses of a training that is broken off at these steps and resumed."""
    kept = Checkpoints(home / "run", metric="eval_loss")
    for seed, at in enumerate((*breaks, -1)):
        made = trainer(home, at, seed)
        callback = kept.for_trainer(made, every=every)
        try:
            made.train(resume_from_checkpoint=callback.resume_from())
        except BrokenOffError:
            continue
    losses = [(each["step"], each["loss"]) for each in made.state.log_history if "loss" in each]
    weights: Any = made.model
    return dict(weights.state_dict()), losses, kept


@pytest.mark.parametrize(("every", "breaks"), [(2, (3, 9)), (None, (6, 11)), (5, (8,))])
def test_the_trainer_of_transformers_resumes_to_the_bit(
    tmp_path: Path, every: int | None, breaks: tuple[int, ...]
) -> None:
    whole, losses, _ = trained(tmp_path / "whole", every)
    found, again, kept = trained(tmp_path / "broken", every, *breaks)
    assert again == losses
    assert all(torch.equal(found[name], whole[name]) for name in whole)
    assert kept.saved()[-1].step == 15 and "eval_loss" in kept.saved()[-1].metrics
    loaded: Any = AutoModelForCausalLM.from_pretrained(str(kept.find()))
    assert torch.equal(loaded.transformer.wte.weight, whole["transformer.wte.weight"])
    state = json.loads((kept.saved()[-1].path / "trainer_state.json").read_text())
    assert state["stateful_callbacks"]["EarlyStoppingCallback"]["attributes"]["early_stopping_patience_counter"] >= 0


class Cuts(Callback):
    """Ends a training in the middle of a step."""

    def __init__(self, at: int) -> None:
        self.at = at

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Breaks off."""
        if trainer.global_step == self.at:
            raise BrokenOffError


class Small(LightningModule):
    """A model with dropout, an optimizer with momentum and a scheduler; it remembers its losses."""

    def __init__(self, losses: dict[int, float], loss: object = None) -> None:
        super().__init__()
        self.save_hyperparameters("loss")
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.3), torch.nn.Linear(8, 1))
        self.losses = losses

    def training_step(self, batch: torch.Tensor, number: int) -> torch.Tensor:
        """The loss."""
        loss: torch.Tensor = (self.layers(batch) - batch.sum(1, keepdim=True)).square().mean()
        self.losses[self.global_step] = float(loss.detach())
        return loss

    def validation_step(self, batch: torch.Tensor, number: int) -> None:
        """What judges."""
        self.log("val_loss", (self.layers(batch) - batch.sum(1, keepdim=True)).square().mean())

    def configure_optimizers(self) -> Any:
        """Adam, and a rate that falls."""
        made = torch.optim.Adam(self.parameters(), 1e-2, amsgrad=True)
        return {"optimizer": made, "lr_scheduler": torch.optim.lr_scheduler.StepLR(made, 1, 0.7)}


class Shuffled:
    """Batches in a random order that are gone on with from where they were, as stateful loaders do."""

    def __init__(self) -> None:
        self.order: list[int] = []

    def __iter__(self) -> Any:
        if not self.order:
            self.order = torch.randperm(5).tolist()
        while self.order:
            yield torch.arange(16.0).sin().reshape(4, 4) + self.order.pop(0)

    def __len__(self) -> int:
        return 5

    def state_dict(self) -> dict[str, Any]:
        """What is left of this epoch."""
        return {"order": list(self.order)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on with it."""
        self.order = list(state["order"])


def fitted(home: Path, every: int | None, validates: bool, *cuts: int) -> tuple[dict[str, Any], dict[int, float], Any]:
    """The weights and losses of a training that is cut at these steps and resumed."""
    kept = Checkpoints(home / "run", metric="val_loss", async_save=True)
    losses: dict[int, float] = {}
    for seed, at in enumerate((*cuts, -1)):
        seed_everything(seed, verbose=False)
        callback = kept.for_lightning(every=every)
        model = Small(losses)
        made = LightningTrainer(
            max_epochs=3, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
            callbacks=[callback, Cuts(at)], default_root_dir=home, num_sanity_val_steps=1,
        )  # fmt: skip
        rows = torch.arange(80.0).cos().reshape(20, 4)
        data: Any = Shuffled() if every else DataLoader(rows, batch_size=4, shuffle=True)  # type: ignore[arg-type]
        checks: Any = DataLoader(rows[:4]) if validates else None  # type: ignore[arg-type]
        try:
            made.fit(model, data, checks, ckpt_path=callback.resume_from(), weights_only=True)
        except BrokenOffError:
            kept.wait()
    return dict(model.state_dict()), losses, kept


@pytest.mark.parametrize("validates", [True, False], ids=["validated", "not validated"])
@pytest.mark.parametrize(("every", "cuts"), [(None, (7, 12)), (2, (3, 9)), (5, (8,))])
def test_the_trainer_of_lightning_resumes_to_the_bit(
    tmp_path: Path, every: int | None, cuts: tuple[int, ...], validates: bool
) -> None:
    whole, losses, _ = fitted(tmp_path / "whole", every, validates)
    found, again, kept = fitted(tmp_path / "cut", every, validates, *cuts)
    assert again == losses
    assert all(torch.equal(found[name], whole[name]) for name in whole)
    assert kept.saved()[-1].step == (15 if every is None or every == 5 else 14)
    assert validates is ("val_loss" in kept.saved()[-1].metrics)


def test_hyper_parameters_that_are_no_data_are_told_and_training_is_saved_without_them(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path / "run")
    made = LightningTrainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        callbacks=[kept.for_lightning()], default_root_dir=tmp_path,
    )  # fmt: skip
    with pytest.warns(UserWarning, match=r"hyper-parameters are not saved.*hyper_parameters.loss is a builtins.slice"):
        made.fit(Small({}, loss=slice(3)), Shuffled())
    assert [each.step for each in kept.saved()] == [5]
