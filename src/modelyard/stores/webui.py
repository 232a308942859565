"""What AUTOMATIC1111's web interface and its fork Forge have in common: start arguments, and the folders they move."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping

import msgspec

from modelyard.problem import Problem
from modelyard.stores.model_folder import every_kind, files, models, weights
from modelyard.stores.model_install import Install
from modelyard.stores.model_settings import home_of, placed, setting_json, strange
from modelyard.walk.text import shown

STARTERS = (b"webui-user.sh", b"webui-user.bat")
ASSIGNED = re.compile(r"^[ \t]*(?:export[ \t]+|@?set[ \t]+)?\"?COMMANDLINE_ARGS=(.*)$", re.MULTILINE | re.IGNORECASE)
CONTINUED = re.compile(r"[\\^]\r?\n")
MOVED = {
    "--ckpt-dir": "checkpoint",
    "--ckpt": "checkpoint",
    "--vae-dir": "VAE",
    "--vae-path": "VAE",
    "--lora-dir": "LoRA",
    "--lyco-dir": "LoRA",
    "--embeddings-dir": "textual inversion",
    "--hypernetwork-dir": "hypernetwork",
    "--controlnet-dir": "ControlNet",
    "--controlnet-annotator-models-path": "ControlNet",
    "--controlnet-preprocessor-models-dir": "ControlNet",
    "--text-encoder-dir": "text encoder",
    "--clip-models-path": "text encoder",
    "--codeformer-models-path": "face restoration",
    "--gfpgan-models-path": "face restoration",
    "--gfpgan-dir": "face restoration",
    "--esrgan-models-path": "upscaler",
    "--bsrgan-models-path": "upscaler",
    "--realesrgan-models-path": "upscaler",
    "--dat-models-path": "upscaler",
}
VARIABLES = tuple(
    f"webui-user.sh COMMANDLINE_ARGS {flag}" for flag in ("--data-dir", "--models-dir", "--ckpt-dir", "--lora-dir")
)


class Outputs(msgspec.Struct):
    """The folders for images in config.json, where they were moved."""

    outdir_samples: str = ""
    outdir_txt2img_samples: str = ""
    outdir_img2img_samples: str = ""
    outdir_extras_samples: str = ""
    outdir_grids: str = ""
    outdir_txt2img_grids: str = ""
    outdir_img2img_grids: str = ""
    outdir_save: str = ""
    outdir_init_images: str = ""


def arguments(install: Install) -> dict[str, str]:
    """The start arguments with a value that the start scripts set; the last one of a name counts, as it does there."""
    found: dict[str, str] = {}
    for name in STARTERS:
        row = install.child(name)
        text = install.tree.read(row) if row is not None else b""
        if isinstance(text, Problem):
            install.problems.append(text)
            continue
        for line in ASSIGNED.findall(CONTINUED.sub(" ", text.decode("utf-8", "replace"))):
            try:
                words = _words(line, posix=name.endswith(b".sh"))
            except ValueError as error:
                assert row is not None
                install.problems.append(strange(install.tree, row, "start arguments", error))
                continue
            found |= dict(_pairs(words))
    return found


def _words(line: str, *, posix: bool) -> list[str]:
    """The words of an assignment: a shell takes quotes off once, the program that splits the variable once more."""
    if posix:
        return shlex.split(" ".join(shlex.split(line, comments=True)))
    return [
        word.strip('"') for word in shlex.split(line.strip().removesuffix('"' * (line.count('"') % 2)), posix=False)
    ]


def _pairs(words: list[str]) -> Iterator[tuple[str, str]]:
    for at, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if not equals and at + 1 < len(words):
            value = words[at + 1]
        if flag.startswith("--") and value and not value.startswith("--"):
            yield flag, value


def read_install(install: Install, given: Mapping[str, str]) -> None:
    """The models, weights of extensions and images of an install that is started with these arguments."""
    base, home = os.fsdecode(install.tree.path(install.base)), home_of(install.tree)

    def folder(flag: str) -> int | None:
        return install.at(placed(given[flag], base, home), f"COMMANDLINE_ARGS {flag}") if flag in given else None

    for flag, what in MOVED.items():
        models(install, folder(flag), what)
    for data in {install.base, folder("--data-dir")} - {None}:
        every_kind(install, install.tree.child(data, b"models"))
        models(install, install.tree.child(data, b"embeddings"), "textual inversion")
        weights(install, install.tree.child(data, b"extensions"), "weights of an extension")
        _made(install, data, home)
    every_kind(install, folder("--models-dir"))
    files(install, install.base, "model")
    weights(install, install.child(b"extensions-builtin"), "weights of an extension")
    weights(install, install.child(b"repositories"), "weights of an extension")


def _made(install: Install, data: int | None, home: str) -> None:
    """Images, wherever the settings put them, and the cache of digests."""
    tree = install.tree
    for name in (b"outputs", b"log"):
        install.whole(tree.child(data, name), f"images in {shown(name)}")
    for name in (b"cache", b"cache.json"):
        install.whole(tree.child(data, name), "cache of digests", "re-make")
    moved = setting_json(tree, tree.child(data, b"config.json"), Outputs)
    if isinstance(moved, Problem):
        install.problems.append(moved)
        return
    base = os.fsdecode(tree.path(data)) if data is not None else ""
    for key, text in msgspec.structs.asdict(moved).items():
        install.whole(install.at(placed(text, base, home), f"config.json {key}") if text else None, f"images of {key}")
