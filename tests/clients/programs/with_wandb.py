"""Logs runs with wandb, which never reaches its server."""

from importlib import import_module
from pathlib import Path

wandb = import_module("wandb")


def run(artifact: str = "") -> str:
    """An offline run with a few numbers, and with a file as an artifact if told so."""
    with wandb.init(mode="offline", project="tiny") as running:
        for step in range(5):
            running.log({"loss": 1 / (step + 1)})
        if artifact:
            packed = wandb.Artifact("weights", type="model")
            packed.add_file(artifact)
            running.log_artifact(packed)
        return Path(running.dir).parent.name
