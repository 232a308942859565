"""Which tools take a model that lies in another tool's store, where it goes, and under what name: typed data. Pure.

The new file shares the extents of the old one where the file system can, and both stay files of their own. Elsewhere it
is a hard link, only of files that their owner never rewrites (`tolerance.py`), into a place whose tool does not either.
Sources: each tool's own layout as its adapter tells it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from modelyard.policies.tolerance import refused

Target = Literal["lmstudio", "ollama", "huggingface", "llamacpp", "comfyui"]
NAME = re.compile(r"[\w.-]+")
PLAIN = re.compile(r"[^\w.-]+")


class Taker(Struct, frozen=True):
    """A tool that takes models: formats it loads, the store its root is found by, and why a hard link is no danger."""

    title: str
    store: str
    formats: tuple[str, ...]
    links: str
    run: str


TAKERS: Mapping[Target, Taker] = {
    "lmstudio": Taker(
        "LM Studio", "lmstudio", ("gguf",), "it reads models and unlinks them", "LM Studio lists it under My Models"
    ),
    "ollama": Taker(
        "Ollama", "ollama", ("gguf",), "blobs are read and unlinked, and get new times", "ollama run {name}"
    ),
    "huggingface": Taker(
        "Hugging Face hub", "hf", ("gguf", "safetensors"), "files are replaced by renaming",
        'from_pretrained("{name}"{file}, local_files_only=True)',
    ),
    "llamacpp": Taker("llama.cpp", "llamacpp", ("gguf",), "it reads models only", "llama-server -m {path}"),
    "comfyui": Taker(
        "ComfyUI", "comfyui", ("safetensors", "gguf"), "it reads models only", "its loaders list it after a refresh"
    ),
}  # fmt: skip
FOLDERS = (
    "checkpoints",
    "diffusion_models",
    "loras",
    "vae",
    "text_encoders",
    "controlnet",
    "embeddings",
    "upscale_models",
)
"""ComfyUI's folders of models (its `folder_paths.py`)."""


class Offered(Struct, frozen=True):
    """A file of the model: its name where it comes from, path, SHA-256, format, store, and how it may be linked."""

    name: str
    path: str
    digest: str
    format: str
    store: str
    shares: bool
    same_disk: bool


def no_way(target: Target, file: Offered) -> str:
    """Why a tool cannot use a file where it lies, empty when it can."""
    taker = TAKERS[target]
    if file.format not in taker.formats:
        return f"{taker.title} loads {' and '.join(taker.formats)}, and this is {file.format or 'something else'}"
    if not file.same_disk:
        return f"{taker.title} keeps its models on another file system, and neither extents nor hard links reach there"
    if file.shares:
        return ""
    why = refused(file.store, file.path)
    return f"this file system shares no extents, and no hard link may be made of it: {why}" if why else ""


def plain(name: str) -> str:
    """A name that every tool accepts."""
    return PLAIN.sub("-", name).strip("-.") or "model"


def owner_and_name(name: str) -> tuple[str, str]:
    """The two parts of `owner/name`; `modelyard` where there is no owner."""
    owner, _, rest = name.rpartition("/")
    return plain(owner.rpartition("/")[2]) if owner else "modelyard", plain(rest)


def place(target: Target, root: str, name: str, file: Offered, folder: str, commit: str) -> str:
    """Where the file goes below the tool's root."""
    owner, model = owner_and_name(name)
    base = file.name.rpartition("/")[2]
    if file.format == "gguf" and not base.endswith(".gguf"):
        base = f"{model}.gguf"
    if target == "lmstudio":
        return f"{root}/models/{owner}/{model}/{base}"
    if target == "ollama":
        return f"{root}/blobs/sha256-{file.digest}"
    if target == "huggingface":
        return f"{root}/models--{owner}--{model}/snapshots/{commit}/{file.name if '.' in file.name else base}"
    if target == "llamacpp":
        return f"{root}/{owner}_{model}_{base}"
    return f"{root}/models/{folder}/{base}"


def how_to_run(target: Target, name: str, path: str) -> str:
    """What to type or where to look, for a model of that name whose first file has that path."""
    file = f', gguf_file="{path.rpartition("/")[2]}"' if path.endswith(".gguf") else ""
    there = name if target == "ollama" else "/".join(owner_and_name(name))
    return TAKERS[target].run.format(name=there, path=path, file=file)


def commit_of(files: Sequence[Offered]) -> str:
    """Forty hex digits that stand for exactly these files, where a hub would have a commit."""
    told = sorted((each.name, each.digest) for each in files)
    return hashlib.sha1(json.dumps(told).encode(), usedforsecurity=False).hexdigest()


def folder_of(names: Sequence[str]) -> str:
    """ComfyUI's folder for a file with tensors of these names, empty where they do not tell."""
    if any(".lora_" in name or "lora_up" in name or "lora_A" in name for name in names):
        return "loras"
    if any(name.startswith("first_stage_model.") for name in names):
        return "checkpoints"
    if any(name.startswith(("model.diffusion_model.", "double_blocks.", "transformer_blocks.")) for name in names):
        return "diffusion_models"
    return "vae" if names and all(name.startswith(("encoder.", "decoder.", "quant")) for name in names) else ""
