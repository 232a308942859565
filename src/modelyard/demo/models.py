"""The sample's models: a Hugging Face cache in both layouts, Ollama, LM Studio and PyTorch Hub."""

from __future__ import annotations

import json
import os
from pathlib import Path

from modelyard.demo.writer import GGUF_HEAD, GIB, MIB, Writer

REPOS = (
    ("models", "acme/writer-1.3b", 2.6),
    ("models", "acme/writer-7b", 13.5),
    ("models", "acme/coder-13b", 26.0),
    ("models", "globex/vision-large", 3.4),
    ("models", "globex/speech-v3", 3.1),
    ("models", "initech/diffusion-xl", 13.9),
    ("models", "umbrella/embed-base", 0.44),
    ("models", "acme/writer-30b", 60.0),
    ("datasets", "globex/common-crops", 41.0),
    ("datasets", "initech/dialogues", 6.2),
    ("spaces", "umbrella/playground", 0.2),
)
OLLAMA = (
    ("llama3", "8b", 4.7),
    ("mistral", "7b", 4.1),
    ("codellama", "34b", 19.0),
    ("phi3", "mini", 2.2),
    ("gemma2", "27b", 15.6),
)
LMSTUDIO = (
    ("bartowski", "Writer-8B-GGUF", "Writer-8B", (("Q4_K_M", 4.9), ("Q8_0", 8.5))),
    ("TheBloke", "Coder-34B-GGUF", "coder-34b", (("Q5_K_M", 24.0),)),
    ("lmstudio-community", "Vision-12B-GGUF", "Vision-12B", (("Q6_K", 10.1),)),
)
TORCHHUB = (
    ("resnet50-0676ba61.pth", 0.095),
    ("vit_l_16-852ce7e3.pth", 1.13),
    ("deeplabv3_resnet101-586e9e4e.pth", 0.23),
    ("my-finetune.pth", 1.3),
)


def hub(w: Writer) -> None:
    """The hub cache: each repository with a current revision, some with an older one, one half downloaded."""
    root = w.home / ".cache" / "huggingface" / "hub"
    for number, (kind, name, gib) in enumerate(REPOS[: w.count(len(REPOS))]):
        repo = root / f"{kind}--{name.replace('/', '--')}"
        written, read = w.age(20, 400), w.age(1, 200)
        _revision(w, repo, gib, written, read, ("main",), shared=root if number in (3, 4) else None)
        if number in (1, 2):
            _revision(w, repo, gib, w.age(400, 500), w.age(390, 399), ())
    first = root / f"{REPOS[0][0]}--{REPOS[0][1].replace('/', '--')}" / "blobs"
    w.weights(first / w.hex(64), int(2.5 * GIB), w.age(300, 500))
    w.file(first / f"{w.hex(64)}.{w.hex(8)}.incomplete", int(1.1 * GIB), w.age(10, 20))
    w.text(w.home / ".cache" / "huggingface" / "token", "hf_not_a_real_token", w.age(1, 2))


def _revision(
    w: Writer, repo: Path, gib: float, written: int, read: int, refs: tuple[str, ...], shared: Path | None = None
) -> None:
    commit = w.hex(40)
    snapshot = repo / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repo / "blobs").mkdir(exist_ok=True)
    weights = repo / "blobs" / w.hex(64)
    if shared is None:
        w.weights(weights, int(gib * GIB), written, read)
    else:
        _shared_blob(w, shared, weights, int(gib * GIB), written, read)
    for size in (1300, 2 * MIB):
        w.file(repo / "blobs" / w.hex(40), size, written, read)
    for name, blob in zip(("model.safetensors", "config.json", "tokenizer.json"), _newest(repo, weights), strict=True):
        w.link(snapshot / name, f"../../blobs/{blob}", written)
    for ref in refs:
        w.text(repo / "refs" / ref, commit, written)


def _newest(repo: Path, weights: Path) -> list[str]:
    """The weights and the two small blobs that were written last."""
    linked = {os.readlink(link).rpartition("/")[2] for link in (repo / "snapshots").rglob("*") if link.is_symlink()}
    small = sorted(blob.name for blob in (repo / "blobs").iterdir() if len(blob.name) == 40 and blob.name not in linked)
    return [weights.name, *small]


def _shared_blob(w: Writer, root: Path, link: Path, size: int, written: int, read: int) -> None:
    """The layout of huggingface_hub 1.32 and later: the payload lies in a store that repositories link to."""
    w.text(root / "blobs" / ".huggingface-shared-blobs", "1\n", written) if not (root / "blobs").exists() else None
    name = w.hex(64)
    payload = w.weights(root / "blobs" / name[:2] / name, size, written, read)
    payload.chmod(0o444)
    w.text(payload.with_name(f"{name}.refs"), f"{link.parent.parent.name}/blobs/{link.name}\n", written)
    w.text(payload.with_name(f"{name}.lock"), "", written)
    w.link(link, os.path.relpath(payload, link.parent), written)


def ollama(w: Writer) -> None:
    """Pulled models, one made from another, an interrupted pull and a blob nothing names."""
    root = w.home / ".ollama" / "models"
    layers: dict[str, dict[str, object]] = {}
    for name, tag, gib in OLLAMA[: w.count(len(OLLAMA))]:
        size, written = int(gib * 1e9), w.age(5, 300)
        layers[name] = _layer(w, root, f"{name}:{tag}", size, "model", written, GGUF_HEAD)
        _manifest(
            w, root, name, tag, [layers[name], _layer(w, root, f"{name} template", 420, "template", written)], written
        )
    base = next(iter(layers.values()))
    written = w.age(1, 30)
    own = _layer(w, root, "pirate system", 60, "system", written)
    _manifest(w, root, "pirate", "latest", [{**base, "from": "llama3:8b"}, own], written)
    partial = root / "blobs" / f"sha256-{w.digest('half')}-partial"
    w.file(partial, int(4.4e9), w.age(3, 9))
    w.text(
        partial.with_name(f"{partial.name}-0"),
        '{"N":0,"Offset":0,"Size":4400000000,"Completed":1584000000}',
        w.age(3, 9),
    )
    w.file(root / "blobs" / f"sha256-{w.digest('left behind')}", int(3.8e9), w.age(100, 200), head=GGUF_HEAD)
    w.text(w.home / ".ollama" / "id_ed25519", "not a real key", w.age(1, 2))


def _layer(
    w: Writer, root: Path, name: str, size: int, media: str, written: int, head: bytes = b""
) -> dict[str, object]:
    digest = w.digest(name)
    w.file(root / "blobs" / f"sha256-{digest}", size, written, head=head)
    return {"mediaType": f"application/vnd.ollama.image.{media}", "digest": f"sha256:{digest}", "size": size}


def _manifest(w: Writer, root: Path, name: str, tag: str, layers: list[dict[str, object]], written: int) -> None:
    config = _layer(w, root, f"{name}:{tag} config", 480, "config", written)
    document = {"schemaVersion": 2, "config": config, "layers": layers}
    w.text(root / "manifests" / "registry.ollama.ai" / "library" / name / tag, json.dumps(document), written)


def lmstudio(w: Writer) -> None:
    """GGUF files by publisher and repository, one download under way, and a runtime."""
    home = w.home / ".lmstudio"
    w.text(home / "settings.json", "{}", w.age(1, 9))
    (home / ".internal").mkdir()
    for publisher, repo, stem, variants in LMSTUDIO[: w.count(len(LMSTUDIO))]:
        for quantisation, gib in variants:
            path = home / "models" / publisher / repo / f"{stem}-{quantisation}.gguf"
            w.file(path, int(gib * GIB), w.age(10, 300), w.age(1, 9), GGUF_HEAD)
    w.file(home / "models" / "bartowski" / "Half-70B-GGUF" / "Half-70B-Q4_K_M.gguf.part", int(18.2 * GIB), w.age(5, 30))
    w.file(
        home / "extensions" / "backends" / "llama.cpp-linux-x86_64-1.52.0" / "libllama.so",
        int(0.6 * GIB),
        w.age(30, 60),
    )


def torchhub(w: Writer) -> None:
    """Weights with and without a hash in their name, and one code repository."""
    root = w.home / ".cache" / "torch" / "hub"
    for name, gib in TORCHHUB[: w.count(len(TORCHHUB))]:
        w.file(root / "checkpoints" / name, int(gib * GIB), w.age(30, 600), w.age(1, 200))
    w.text(root / "acme_segmenter_main" / "hubconf.py", "dependencies = []\n", w.age(30, 600))
    w.text(root / "trusted_list", "acme_segmenter\n", w.age(30, 600))
