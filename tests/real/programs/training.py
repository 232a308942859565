"""Trains tiny random models with real trainers and leaves their checkpoints; run in a process of its own, offline."""

import sys
import time
from collections.abc import Sequence
from importlib import import_module  # by name: most of these have no types
from pathlib import Path

SCORES = (0.2, 0.9, 0.4, 0.3)
"""What the evaluations at steps 2, 4, 6 and 8 give: the best is neither the first nor the last."""
RESTARTED = (0.9, 0.2)
"""What a later run of four steps gives: the best is at step 2."""

torch = import_module("torch")


class Rows:
    """Sixteen rows of the same tokens."""

    def __len__(self) -> int:
        return 16

    def __getitem__(self, row: int) -> dict[str, object]:
        tokens = torch.arange(8) + row
        return {"input_ids": tokens, "labels": tokens}


def transformers(folder: Path, results: Sequence[float]) -> None:
    """A Trainer's run that saves and evaluates every second step, with these results."""
    library = import_module("transformers")
    scores = iter(results)
    config = library.LlamaConfig(
        vocab_size=32, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2
    )
    wanted = library.TrainingArguments(
        str(folder),
        max_steps=2 * len(results),
        save_strategy="steps",
        save_steps=2,
        eval_strategy="steps",
        eval_steps=2,
        load_best_model_at_end=True,
        metric_for_best_model="score",
        greater_is_better=True,
        per_device_train_batch_size=4,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = library.Trainer(
        library.LlamaForCausalLM(config),
        wanted,
        train_dataset=Rows(),
        eval_dataset=Rows(),
        compute_metrics=lambda _: {"score": next(scores)},
    )
    trainer.train()


def lightning(folder: Path, save_last: bool | str) -> None:
    """Three epochs of Lightning's own example model, one file each, and a `last.ckpt`."""
    library = import_module("lightning.pytorch")
    example = import_module("lightning.pytorch.demos.boring_classes")
    keep = library.callbacks.ModelCheckpoint(dirpath=folder, save_top_k=-1, save_last=save_last)
    trainer = library.Trainer(
        max_epochs=3,
        limit_train_batches=2,
        limit_val_batches=0,
        accelerator="cpu",
        logger=False,
        callbacks=[keep],
        enable_progress_bar=False,
        default_root_dir=folder,
    )
    trainer.fit(example.BoringModel())


def monitored(folder: Path) -> None:
    """Four epochs of which each gives a score, as `SCORES` has them; every one is kept."""
    library = import_module("lightning.pytorch")
    example = import_module("lightning.pytorch.demos.boring_classes")

    def step(self: object, batch: object, number: int) -> object:
        self.log("score", SCORES[self.current_epoch])  # type: ignore[attr-defined]
        return example.BoringModel.training_step(self, batch, number)

    scored = type("Scored", (example.BoringModel,), {"training_step": step})
    keep = library.callbacks.ModelCheckpoint(dirpath=folder, monitor="score", mode="max", save_top_k=-1)
    trainer = library.Trainer(
        max_epochs=len(SCORES),
        limit_train_batches=2,
        limit_val_batches=0,
        accelerator="cpu",
        logger=False,
        callbacks=[keep],
        enable_progress_bar=False,
        default_root_dir=folder,
    )
    trainer.fit(scored())


def distributed(folder: Path) -> None:
    """Two steps in PyTorch's own sharded format."""
    for step in (10, 20):
        state = {"weights": torch.full((100, 100), float(step))}
        import_module("torch.distributed.checkpoint").save(state, checkpoint_id=str(folder / f"step-{step}"))


def accelerate(folder: Path) -> None:
    """Two saves under names that Accelerate chooses, and one as the diffusers scripts name it."""
    library = import_module("accelerate")
    naming = import_module("accelerate.utils").ProjectConfiguration(str(folder), automatic_checkpoint_naming=True)
    accelerator = library.Accelerator(cpu=True, project_config=naming)
    model = torch.nn.Linear(64, 64)
    accelerator.prepare(model, torch.optim.AdamW(model.parameters()))
    accelerator.save_state()
    accelerator.save_state()
    naming.automatic_checkpoint_naming = False
    accelerator.save_state(str(folder / "by-script" / "checkpoint-500"))


def plain(folder: Path) -> None:
    """A model in a file that only shares the extension with Lightning's."""
    folder.mkdir()
    torch.save({"state_dict": {"weights": torch.ones(40_000)}, "global_step": 470_000}, folder / "v1-5.ckpt")


if __name__ == "__main__":
    place = Path(sys.argv[1])
    transformers(place / "trainer", SCORES)
    transformers(place / "restarted", SCORES)
    time.sleep(1.1)  # file times of the two runs must differ by what nobody takes for chance
    transformers(place / "restarted", RESTARTED)
    lightning(place / "linked", "link")
    lightning(place / "copied", save_last=True)
    monitored(place / "monitored")
    distributed(place / "sharded")
    accelerate(place / "accelerated")
    plain(place / "pictures")
