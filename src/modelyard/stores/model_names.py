"""What names tell in folders of models: which files are models, halves or papers, and what kind a folder holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modelyard.walk.text import shown

MODEL = (
    b".safetensors", b".ckpt", b".pt", b".pt2", b".pth", b".bin", b".gguf", b".onnx", b".sft", b".pkl", b".tdict",
)  # fmt: skip
HALF = (b".tmp", b".downloading", b".part", b".partial", b".crdownload", b".incomplete")
CONTROL = b".aria2"
"""The file that aria2 keeps beside a download under its final name for as long as it is not whole."""
PAPERS = (
    b".yaml", b".yml", b".json", b".info", b".txt", b".md", b".html", b".py", b".png", b".jpg", b".jpeg", b".webp",
    b".gif", b".mp4", b".webm", b".csv", b".log", b".sha256", CONTROL,
)  # fmt: skip
NOTES = (b".civitai.info", b".cm-info.json", b".metadata.json")
BESIDE = tuple(
    sorted(
        (*NOTES, *(b".preview" + ending for ending in (b".png", b".jpg", b".jpeg", b".webp", b".mp4")), *PAPERS),
        key=len,
        reverse=True,
    )
)
"""Endings of the small files that belong to a model by its name, the longest first."""
REPOSITORY = (b"models--", b"datasets--", b"spaces--", b"kernels--")
"""How the folders of a hub cache begin, which is a store of its own."""
CODE = (b"node_modules", b"site-packages", b"__pycache__")
KINDS = {
    "checkpoint": ("checkpoints", "stable_diffusion", "stablediffusion"),
    "LoRA": ("loras", "lora", "lycoris"),
    "VAE": ("vae",),
    "VAE for previews": ("vae_approx", "approxvae"),
    "textual inversion": ("embeddings", "textualinversion"),
    "hypernetwork": ("hypernetworks", "hypernetwork"),
    "ControlNet": ("controlnet", "t2i_adapter", "t2iadapter"),
    "upscaler": ("upscale_models", "esrgan", "realesrgan", "bsrgan", "swinir", "scunet", "ldsr", "dat"),
    "face restoration": ("gfpgan", "codeformer", "facerestore_models"),
    "text encoder": ("text_encoders", "text_encoder", "textencoders", "clip"),
    "image encoder": ("clip_vision", "clipvision"),
    "diffusion model": ("diffusion_models", "unet", "diffusionmodels"),
    "pipeline": ("diffusers",),
}
KIND_OF = {folder: kind for kind, folders in KINDS.items() for folder in folders}


def kind_of(folder: bytes | str) -> str:
    """What the models in a folder of this name are; the name itself where it is not a usual one."""
    name = shown(folder)
    return KIND_OF.get(name.lower().replace("-", "_"), name)


def holds_kinds(names: Iterable[bytes]) -> bool:
    """Whether a folder of models is one of a program for making images: a folder for each of several kinds."""
    return sum(shown(name).lower().replace("-", "_") in KIND_OF for name in names) >= 2


def is_one_model(names: Iterable[bytes], top: bool) -> bool:
    """Whether a folder is one model: a pipeline of diffusers, or below the top the layout of transformers."""
    held = frozenset(names)
    if b"model_index.json" in held:
        return True
    return not top and b"config.json" in held and any(name.lower().endswith(MODEL) for name in held)


def is_open(name: bytes) -> bool:
    """Whether a folder may hold models that no other store reads."""
    return not name.startswith((b".", *REPOSITORY)) and name not in CODE


def owners(name: bytes) -> Iterator[bytes]:
    """The names that a small file could belong to, with or without their own ending."""
    lowered = name.lower()
    for ending in BESIDE:
        if lowered.endswith(ending):
            yield name[: -len(ending)]
