"""Trees to measure on: environments hard-linked to a packages folder, hub caches, checkpoints, and plain files."""

from __future__ import annotations

import os
import random
from pathlib import Path

FILES_A_PACKAGE = 120
FILES_A_FOLDER = 12


def _package(folder: Path, rng: random.Random, files: int = FILES_A_PACKAGE) -> None:
    for i in range(files):
        place = folder / "lib" / f"module_{i // FILES_A_FOLDER:03d}"
        if i % FILES_A_FOLDER == 0:
            place.mkdir(parents=True)
        (place / f"source_{i:04d}.py").write_bytes(b"x" * rng.randint(20, 6000))
    record = folder / "info"
    record.mkdir()
    (record / "repodata_record.json").write_text('{"sha256": "0"}')


def _link_tree(source: str, target: str) -> None:
    os.mkdir(target)
    for entry in os.scandir(source):
        if entry.is_dir():
            _link_tree(entry.path, f"{target}/{entry.name}")
        else:
            os.link(entry.path, f"{target}/{entry.name}")


def environments(root: Path, entries: int, seed: int = 1) -> None:
    """A conda root: 60 packages, and as many environments of hard links as make up the entries."""
    rng = random.Random(seed)
    conda = root / "miniconda3"
    packages = [f"package_{i:03d}-1.{i}-py311_0" for i in range(60)]
    for name in packages:
        _package(conda / "pkgs" / name, rng)
    (conda / "pkgs" / "urls.txt").write_text("")
    (conda / "conda-meta").mkdir()
    (conda / "conda-meta" / "history").write_text("")
    (conda / "condabin").mkdir()
    each = 45 * (FILES_A_PACKAGE + FILES_A_PACKAGE // FILES_A_FOLDER + 4)
    for i in range(max(1, entries // each)):
        env = conda / "envs" / f"project_{i:03d}"
        site = env / "lib" / "python3.11" / "site-packages"
        site.mkdir(parents=True)
        (env / "conda-meta").mkdir()
        (env / "conda-meta" / "history").write_text("==> 2026-01-01 00:00:00 <==\n")
        for name in rng.sample(packages, 45):
            _link_tree(str(conda / "pkgs" / name / "lib"), str(site / name))
            (env / "conda-meta" / f"{name}.json").write_text("{}")


def _sparse(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(b"head")
        file.truncate(size)


def hub(root: Path, repos: int, seed: int = 2) -> None:
    """A Hugging Face hub cache of small and sparse large blobs behind links."""
    rng = random.Random(seed)
    for i in range(repos):
        repo = root / ".cache" / "huggingface" / "hub" / f"models--acme--model-{i:04d}"
        commit = f"{rng.getrandbits(160):040x}"
        snapshot = repo / "snapshots" / commit
        snapshot.mkdir(parents=True)
        (repo / "refs").mkdir()
        (repo / "refs" / "main").write_text(commit)
        for name in ("config.json", "tokenizer.json", "model.safetensors", "README.md"):
            blob = f"{rng.getrandbits(256 if name.endswith('safetensors') else 160):x}"
            blob = blob.zfill(64 if name.endswith("safetensors") else 40)
            _sparse(repo / "blobs" / blob, 4 << 30 if len(blob) == 64 else 2000)
            (snapshot / name).symlink_to(f"../../blobs/{blob}")


def checkpoints(root: Path, count: int) -> None:
    """Runs of ten checkpoints each, as a Trainer leaves them."""
    for i in range(count):
        run, step = root / "projects" / f"run-{i // 10:03d}", (i % 10 + 1) * 500
        folder = run / f"checkpoint-{step}"
        for name in ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin"):
            _sparse(folder / name, 1 << 30)
        (folder / "trainer_state.json").write_text(f'{{"global_step": {step}, "max_steps": 5000}}')


def plain(root: Path, entries: int, seed: int = 3) -> None:
    """Source trees and data without a single hard link."""
    rng = random.Random(seed)
    made = 0
    while made < entries:
        folder = root / f"area_{made // 20000:03d}" / f"project_{made // 400:05d}" / f"part_{made // 20:06d}"
        folder.mkdir(parents=True)
        for i in range(20):
            (folder / f"file_{i:02d}.txt").write_bytes(b"y" * rng.randint(0, 9000))
        made += 21


WORDS = [
    "model",
    "data",
    "batch",
    "tokens",
    "loss",
    "=",
    "self",
    ".",
    "train",
    "step",
    "config",
    "(",
    ")",
    "[",
    "]",
    "return",
    "for",
    "in",
    "if",
    "path",
    "load",
    "save",
    "0",
    "1",
]


def code(root: Path, files: int, seed: int = 4) -> None:
    """Projects of scripts as people keep them, 5 kB each on average; one in eight asks for a model by name."""
    rng = random.Random(seed)
    for i in range(files):
        folder = root / "code" / f"project_{i // 40:03d}" / f"part_{i // 8 % 5}"
        folder.mkdir(parents=True, exist_ok=True)
        lines = [" ".join(rng.choices(WORDS, k=rng.randint(2, 14))) for _ in range(rng.randint(20, 260))]
        if i % 8 == 0:
            lines[rng.randrange(len(lines))] = f'm = AutoModel.from_pretrained("acme/model-{i % 400:04d}")'
        (folder / f"script_{i:05d}.py").write_text("\n".join(lines))


def workstation(root: Path, entries: int) -> None:
    """The tree with environments: about nine tenths of the entries are hard links into pkgs."""
    environments(root, entries * 95 // 100)
    hub(root, entries // 2000)
    checkpoints(root, entries // 3000)
    code(root, entries // 500)
