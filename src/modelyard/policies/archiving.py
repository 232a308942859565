"""Which things may be archived: those whose owner bears that they are away. Every other one has its own way."""

from __future__ import annotations

from modelyard.inventory import Artifact

MAY = (
    "checkpoint", "loose", "lmstudio", "gpt4all", "jan", "koboldcpp", "comfyui", "automatic1111", "forge", "fooocus",
    "stabilitymatrix", "textgen", "registry", "mlx",
)  # fmt: skip
"""Stores that list whatever lies in their folders: what is away is not listed, and nothing is missing."""
WHY = {
    "hf": "the Hub's client would fetch it again; `modelyard clean hf --prove` frees what the Hub still has",
    "hf-local": "`hf download` would fetch it again; move the files out of its folder, or free them with `clean`",
    "ollama": "its server removes blobs that no manifest names, and lists models whose blobs are away",
    "dvc": "`dvc push` archives it where DVC finds it again",
    "mlflow": "its database holds absolute paths into it",
    "invokeai": "its database names every file; remove the model in InvokeAI",
    "wandb": "`wandb sync` keeps runs on its server",
    "torchhub": "torch.hub would fetch it again",
    "ramalama": "its tags would name what is away",
    "docker": "`docker save` writes an image into a file",
    "podman": "`podman save` writes an image into a file",
    "archived": "it is archived already",
    "trash": "it is in the trash: `modelyard undo` brings it back",
}
KINDS = {
    "environment": "an environment does not bear to be moved: `modelyard env freeze` keeps what it takes to build it",
    "package cache": "its tool fetches it again: `modelyard clean` frees it",
    "compile cache": "its tool makes it again: `modelyard clean` frees it",
    "image": "its engine keeps it: save it with the engine's own command",
    "container": "its engine keeps it",
    "volume": "its engine keeps it",
}
OTHER = "{} keeps an index of it, or fetches it again"
STATES = {
    "partial": "it is unfinished",
    "corrupt": "it cannot be read",
    "archived": "it is archived already",
}


def why_not(artifact: Artifact) -> str:
    """Why a thing may not be archived; empty when it may."""
    if artifact.state in STATES:
        return STATES[artifact.state]
    if artifact.kind in KINDS:
        return KINDS[artifact.kind]
    if artifact.store not in MAY:
        return WHY.get(artifact.store, OTHER.format(artifact.store))
    return "" if artifact.rows else "nothing of it lies on this machine's disk"
