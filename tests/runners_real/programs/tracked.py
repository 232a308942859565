"""Trains a tiny model with Lightning, once with each logger, and writes events as a script of one's own does."""

from __future__ import annotations

import sys
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from tensorboardX import SummaryWriter  # type: ignore[import-not-found, unused-ignore]


class Logging(BoringModel):
    """A model that logs its loss and keeps a parameter."""

    def __init__(self, rate: float = 0.1) -> None:
        super().__init__()
        self.save_hyperparameters()

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        """One step, with its loss logged."""
        loss: torch.Tensor = super().training_step(batch, batch_idx)["loss"]  # type: ignore[index]
        self.log("loss", loss)
        return loss


def train(folder: Path, logger: CSVLogger | TensorBoardLogger, *, keep: bool) -> None:
    """Two steps."""
    trainer = lightning.Trainer(
        default_root_dir=folder,
        max_steps=2,
        logger=logger,
        log_every_n_steps=1,
        limit_val_batches=0,
        enable_checkpointing=keep,
        callbacks=[ModelCheckpoint(save_top_k=-1, every_n_train_steps=1)] if keep else [],
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
    )
    trainer.fit(Logging())


def main(folder: Path) -> None:
    """Everything below the folder."""
    train(folder, CSVLogger(folder), keep=True)
    train(folder, CSVLogger(folder), keep=False)
    train(folder, TensorBoardLogger(folder, name="boards"), keep=True)
    train(folder, CSVLogger(folder, name="named", version="final"), keep=False)
    with SummaryWriter(str(folder / "runs" / "mine")) as writer:
        writer.add_scalar("loss", 0.5, 1)


main(Path(sys.argv[1]))
