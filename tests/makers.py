"""Builds the layouts that real tools leave, small, in a temporary home; from what the tools' own source says."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from modelyard import api
from modelyard.inventory import Artifact, Kind, Part, Platform, Root
from modelyard.stores import ADAPTERS
from modelyard.stores.adapter import Adapter

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


def service_artifact(name: str, kind: Kind, parts: tuple[Part, ...]) -> Artifact:
    """Something that a service keeps outside the tree."""
    return Artifact(name, kind, name.partition(":")[0], name, "unix:///run/engine.sock", (), parts=parts)


def artifacts(home: Path, **env: str) -> dict[str, Artifact]:
    """What modelyard finds in a home with these variables, by id."""
    return {each.id: each for each in api.survey(env, home, "linux", system=False).artifacts}


def named(adapter: Adapter, home: Path, platform: Platform = "linux", **env: str) -> list[Root]:
    """The roots an adapter names; none of its settings files is a problem."""
    found = list(adapter.roots(env, home, platform))
    roots = [place for place in found if isinstance(place, Root)]
    assert roots == found
    return roots


def places(adapter: Adapter, home: Path, platform: Platform = "linux", **env: str) -> list[tuple[str, str]]:
    """The roots an adapter names and how each was found; `~` stands for home."""
    return [(root.path.replace(str(home), "~"), root.found_by) for root in named(adapter, home, platform, **env)]


def _tests() -> dict[str, ModuleType]:
    """The test module of each store, which lies beside the others under the adapter's own name."""
    names = {adapter.STORE.name: str(vars(adapter)["__name__"]).rpartition(".")[2] for adapter in ADAPTERS}
    return {store: importlib.import_module(f"stores.test_{name}") for store, name in names.items()}


def layouts() -> dict[str, Callable[[Path], None]]:
    """For each store the function that lays out a complete one in a home: `make` in the store's own test."""
    return {store: test.make for store, test in _tests().items()}


def variables(store: str, home: Path) -> dict[str, str]:
    """The variables that lead to that layout, for the few stores that lie outside every home."""
    test = _tests()[store]
    return dict(test.variables(home)) if hasattr(test, "variables") else {}
