"""Builds the layouts that real tools leave, small, in a temporary home; from what the tools' own source says."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from pathlib import Path

LIGHTNING_PICKLE = (
    b"\x80\x02}q\x00(X\x05\x00\x00\x00epochq\x01K\x01"
    b"X\x19\x00\x00\x00pytorch-lightning_versionq\x02X\x05\x00\x00\x002.6.6q\x03u."
)


def write(path: Path, content: bytes | str = b"x") -> Path:
    """A file with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def hub_repo(
    hub: Path, folder: str, files: dict[str, bytes], commit: str = "a" * 40, refs: tuple[str, ...] = ("main",)
) -> Path:
    """One revision of a repository in the classic layout; the blobs are named by their content."""
    repo = hub / folder
    for name, content in files.items():
        blob = write(repo / "blobs" / hashlib.sha256(content).hexdigest(), content)
        link = repo / "snapshots" / commit / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    for ref in refs:
        write(repo / "refs" / ref, commit)
    return repo


def share_blob(repo: Path, blob: Path, name: str) -> Path:
    """Moves a blob into the hub's shared store, as huggingface_hub 1.32 and later keep it: two hops."""
    store = repo.parent / "blobs"
    write(store / ".huggingface-shared-blobs", "1\n")
    payload = store / name[:2] / name
    if payload.exists():
        blob.unlink()
    else:
        payload.parent.mkdir(parents=True, exist_ok=True)
        blob.rename(payload)
    with (payload.parent / f"{name}.refs").open("a") as refs:
        refs.write(f"{repo.name}/blobs/{blob.name}\n")
    write(payload.parent / f"{name}.lock", b"")
    blob.symlink_to(os.path.relpath(payload, blob.parent))
    return payload


def ollama_blob(models: Path, content: bytes, spelling: str = "-") -> dict[str, object]:
    """A layer: its blob on disk and its description for a manifest."""
    digest = hashlib.sha256(content).hexdigest()
    write(models / "blobs" / f"sha256{spelling}{digest}", content)
    return {"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{digest}", "size": len(content)}


def ollama_model(models: Path, name: str, layers: list[dict[str, object]]) -> Path:
    """A manifest for `host/namespace/model/tag`."""
    config = ollama_blob(models, f"config of {name}".encode())
    document = {"schemaVersion": 2, "config": config, "layers": layers}
    return write(models / "manifests" / name, json.dumps(document))


def trainer_checkpoint(run: Path, step: int, best: int | None = None, **state: object) -> Path:
    """A checkpoint as a Trainer saves it."""
    folder = run / f"checkpoint-{step}"
    for name in ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin"):
        write(folder / name, os.urandom(3000))
    known = {"global_step": step, "max_steps": 10_000, "log_history": [], **state}
    if best is not None:
        known |= {
            "best_global_step": best,
            "best_model_checkpoint": f"/elsewhere/out/checkpoint-{best}",
            "best_metric": 0.5,
        }
    write(folder / "trainer_state.json", json.dumps(known))
    return folder


def torch_zip(path: Path, pickled: bytes) -> Path:
    """A file in torch's zip format with this pickle and one tensor."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/data/0", bytes(4096))
    return write(path, packed.getvalue())


def conda_env(prefix: Path, packages: tuple[str, ...] = ("tiny-1.0-0",)) -> Path:
    """A conda environment with a private file."""
    write(prefix / "conda-meta" / "history", "==> 2026-01-01 00:00:00 <==\n")
    for package in packages:
        write(prefix / "conda-meta" / f"{package}.json", "{}")
    write(prefix / "bin" / "python", os.urandom(5000))
    return prefix


def conda_package(pkgs: Path, name: str, *prefixes: Path) -> Path:
    """An unpacked package with its archive, hard-linked into environments."""
    library = write(pkgs / name / "lib" / "libtiny.so", os.urandom(9000))
    write(pkgs / name / "info" / "repodata_record.json", "{}")
    write(pkgs / f"{name}.conda", os.urandom(2000))
    write(pkgs / "urls.txt", "")
    for prefix in prefixes:
        (prefix / "lib").mkdir(parents=True, exist_ok=True)
        os.link(library, prefix / "lib" / "libtiny.so")
    return pkgs / name


# ---- one complete store each, for the laws that hold for every store ----


def hf(home: Path) -> None:
    """Both layouts, an older revision, leftovers of every sort, and a token beside them."""
    hub = home / ".cache" / "huggingface" / "hub"
    repo = hub_repo(hub, "models--acme--tiny", {"model.safetensors": b"w" * 9000, "config.json": b"{}"})
    hub_repo(hub, "models--acme--tiny", {"model.safetensors": b"v" * 9000, "config.json": b"{}"}, "b" * 40, ())
    write(repo / "blobs" / ("c" * 64), b"nobody links here")
    write(repo / "blobs" / f"{'d' * 64}.0123abcd.incomplete", b"half")
    other = hub_repo(hub, "datasets--globex--crops", {"data/train.parquet": b"p" * 7000}, "e" * 40)
    share_blob(other, next((other / "blobs").iterdir()), "f" * 64)
    write(home / ".cache" / "huggingface" / "token", "hf_secret")


def ollama(home: Path) -> None:
    """Two models over one layer, a partial download, an orphan, and the key."""
    models = home / ".ollama" / "models"
    base = ollama_blob(models, b"GGUF" + b"m" * 9000)
    ollama_model(models, "registry.ollama.ai/library/llama3/8b", [base])
    ollama_model(
        models, "registry.ollama.ai/acme/pirate/v1", [{**base, "from": "llama3:8b"}, ollama_blob(models, b"arr")]
    )
    write(models / "blobs" / f"sha256-{'1' * 64}-partial", b"half")
    write(models / "blobs" / f"sha256-{'1' * 64}-partial-0", '{"N":0,"Offset":0,"Size":100,"Completed":40}')
    write(models / "blobs" / f"sha256-{'2' * 64}", b"nobody names it")
    write(home / ".ollama" / "id_ed25519", "secret")


def lmstudio(home: Path) -> None:
    """Two quantisations, an MLX model, a download under way, a runtime."""
    base = home / ".lmstudio"
    write(base / "settings.json", "{}")
    write(base / ".internal" / "http-server.json", "{}")
    for name in ("Tiny-Q4_K_M", "Tiny-Q8_0"):
        write(base / "models" / "acme" / "Tiny-GGUF" / f"{name}.gguf", b"GGUF" + name.encode() * 500)
    write(base / "models" / "mlx" / "Tiny-4bit" / "model.safetensors", b"w" * 6000)
    write(base / "models" / "acme" / "Half-GGUF" / "Half-Q4_0.gguf.part", b"half")
    write(base / "extensions" / "backends" / "llama.cpp-1.2.0" / "libllama.so", b"r" * 5000)


def torchhub(home: Path) -> None:
    """Weights with and without a hash, code, and leftovers."""
    hub = home / ".cache" / "torch" / "hub"
    write(hub / "checkpoints" / "resnet50-0676ba61.pth", b"w" * 6000)
    write(hub / "checkpoints" / "mine.pth", b"w" * 5000)
    write(hub / "checkpoints" / f"vit.pth.{'a' * 32}.partial", b"half")
    write(hub / "acme_segmenter_main" / "hubconf.py", "dependencies = []")
    write(hub / "main.zip", b"PK")
    write(hub / "trusted_list", "acme_segmenter")


def checkpoint(home: Path) -> None:
    """A run with a best and a last checkpoint, an interrupted save, and other trainers' layouts."""
    for step in (500, 1000, 1500):
        trainer_checkpoint(home / "work" / "out", step, best=1000)
    write(home / "work" / "out" / "checkpoint-2000" / "optimizer.pt", b"o" * 4000)
    torch_zip(home / "work" / "pl" / "epoch=1-step=8.ckpt", LIGHTNING_PICKLE)
    write(home / "work" / "ds" / "global_step4" / "mp_rank_00_model_states.pt", b"d" * 4000)
    write(home / "work" / "ds" / "latest", "global_step4")


def conda(home: Path) -> None:
    """An installation with two environments over one package."""
    root = home / "miniconda3"
    conda_env(root)
    write(root / "condabin" / "conda", "#!")
    envs = [conda_env(root / "envs" / name) for name in ("old", "new")]
    conda_package(root / "pkgs", "tiny-1.0-0", *envs)
    write(root / "pkgs" / "half-2.0-0.conda.partial", b"half")
    write(home / ".conda" / "environments.txt", f"{root}\n")


def pip(home: Path) -> None:
    """Downloads of new and old pips, half a download, and a wheel built here."""
    cache = home / ".cache" / "pip"
    for name in ("a" * 56, "b" * 56):
        write(cache / "http-v2" / Path(*name[:5]) / name, b"meta")
        write(cache / "http-v2" / Path(*name[:5]) / f"{name}.body", b"PK" * 3000)
    write(cache / "http-v2" / "c" / "c" / "c" / "c" / "c" / f"{'c' * 56}.body", b"PK" * 900)
    write(cache / "http" / "d" / "d" / "d" / "d" / "d" / ("d" * 56), b"PK" * 800)
    write(
        cache / "wheels" / "a1" / "b2" / "c3" / ("e" * 58) / "slow_build-1.2-cp311-cp311-linux_x86_64.whl", b"PK" * 700
    )
    write(cache / "selfcheck" / ("f" * 56), "{}")


STORES = {
    "hf": hf, "ollama": ollama, "lmstudio": lmstudio, "torchhub": torchhub, "checkpoint": checkpoint, "conda": conda,
    "pip": pip,
}  # fmt: skip
