"""Files to scan: small pickles, a checkpoint of 4 GB without its bytes, and a tree of what lies beside models.

`python -m benchmarks.models FOLDER` makes them, in a process of its own: torch in the one that measures would count as
memory of those that it starts.
"""

from __future__ import annotations

import datetime
import io
import json
import pickle
import random
import struct
import sys
import zipfile
import zlib
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import safetensors.numpy
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

PICKLES = 2000
FOLDERS = 200
"""So many folders of 50 files are the mixed tree."""
CHECKPOINT = "checkpoint.pt"
WORDS = ("model", "layer", "loss", "train", "epoch", "batch", "token", "weight", "bias", "data", "load", "save", "run")
SETTINGS = ("config.json", "tokenizer_config.json", "generation_config.json", "results.json")
LAYERS = 22


def pickles(folder: Path, count: int = PICKLES, seed: int = 1) -> None:
    """Small pickles as people keep them: settings, metrics, arrays, counters, fitted estimators; every protocol."""
    folder.mkdir()
    rng = random.Random(seed)
    for number in range(count):
        data = pickle.dumps(_thing(number, rng), number % 6)
        (folder / f"run-{number:04d}.pkl").write_bytes(data)


def _thing(number: int, rng: random.Random) -> object:
    settings = {"id": number, "name": f"run-{number}", "rate": rng.random(), "layers": rng.choices(range(99), k=6)}
    x = np.array([[rng.random() for _ in range(4)] for _ in range(12)])
    y = np.arange(12) % 2
    fitted = (LogisticRegression, Ridge, StandardScaler, DecisionTreeClassifier)
    kind = number % (len(fitted) + 4)
    if kind >= 4:
        return fitted[kind - 4]().fit(x, y)
    things: list[object] = [
        settings,
        [{"step": step, "loss": rng.random(), "time": datetime.datetime(2026, 1, 1)} for step in range(40)],
        {"settings": settings, "weights": x, "mean": x.mean(axis=0)},
        {"words": Counter(rng.choices(WORDS, k=50)), "index": defaultdict(list, {word: [1, 2] for word in WORDS})},
    ]
    return things[kind]


def checkpoint(path: Path) -> None:
    """A checkpoint of 1.1 billion float32 parameters as `torch.save` lays it out: 201 storages in holes of the file."""
    hidden, inner, keys, words = 2048, 5632, 256, 32000
    shapes = {
        "self_attn.q_proj": (hidden, hidden), "self_attn.k_proj": (keys, hidden), "self_attn.v_proj": (keys, hidden),
        "self_attn.o_proj": (hidden, hidden), "mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner), "input_layernorm": (hidden,), "post_attention_layernorm": (hidden,),
    }  # fmt: skip
    weights = OrderedDict({"model.embed_tokens.weight": torch.empty(words, hidden)})
    for layer in range(LAYERS):
        weights |= {f"model.layers.{layer}.{name}.weight": torch.empty(shape) for name, shape in shapes.items()}
    weights |= {"model.norm.weight": torch.empty(hidden), "lm_head.weight": torch.empty(words, hidden)}
    with torch.serialization.skip_data():
        torch.save(weights, path)
    _right_checksums(path)


def _right_checksums(path: Path) -> None:
    """torch leaves the sums of bytes that it skips at 0; these are zeros, and a reader may check."""
    with zipfile.ZipFile(path) as archive:
        members, start = archive.infolist(), archive.start_dir
    sums = {each.file_size: zlib.crc32(bytes(each.file_size)) for each in members if "/data/" in each.filename}
    with path.open("r+b") as file:
        at = start
        for each in members:
            file.seek(at)
            head = file.read(46)
            if "/data/" in each.filename:
                for place in (each.header_offset + 14, at + 16):
                    file.seek(place)
                    file.write(struct.pack("<I", sums[each.file_size]))
            at += 46 + sum(struct.unpack("<HHH", head[28:34]))


def mixed(root: Path, folders: int = FOLDERS, seed: int = 2) -> None:
    """50 files a folder: code, notes, settings, pictures, and models of the formats that people mix."""
    rng = random.Random(seed)
    for number in range(folders):
        folder = root / f"team-{number // 20:02d}" / f"project-{number:03d}"
        folder.mkdir(parents=True)
        for name, data in _project(number, rng).items():
            (folder / name).write_bytes(data)


def _project(number: int, rng: random.Random) -> dict[str, bytes]:
    def prose(lines: int) -> bytes:
        return "\n".join(" ".join(rng.choices(WORDS, k=9)) for _ in range(lines)).encode()

    files = {f"source_{i:02d}.py": prose(rng.randint(20, 200)) for i in range(14)}
    files |= {f"notes_{i}.md": prose(40) for i in range(4)} | {f"log_{i}.txt": prose(300) for i in range(2)}
    files |= {f"table_{i}.csv": b"a,b\n" + b"".join(b"%d,%d\n" % (i, j) for j in range(200)) for i in range(4)}
    files |= {f"figure_{i}.png": b"\x89PNG\r\n\x1a\n" + rng.randbytes(3000) for i in range(4)}
    files |= {name: json.dumps({"model_type": "bert", "hidden_size": number}).encode() for name in SETTINGS}
    files |= {f"params_{i}.yaml": f"rate: {rng.random()}\nsteps: {i}\nname: run-{number}\n".encode() for i in range(2)}
    return files | _models(number, rng)


def _models(number: int, rng: random.Random) -> dict[str, bytes]:
    array = np.frombuffer(rng.randbytes(4096), np.uint8).astype("f4")
    weights = {"fc.weight": torch.from_numpy(array).reshape(64, 64), "fc.bias": torch.full((64,), number)}
    files = {f"array_{i}.npy": _written(lambda out: np.save(out, array)) for i in range(3)}
    files["arrays.npz"] = _written(lambda out: np.savez(out, a=array, b=array))
    files |= {f"model_{i}.safetensors": safetensors.numpy.save({"w": array, "i": np.array([i])}) for i in range(3)}
    files |= {f"state_{i}.pkl": pickle.dumps(_thing(number + i, rng), 4) for i in range(3)}
    files["model.pt"] = _written(lambda out: torch.save(weights, out))
    files["optimizer.pt"] = _written(lambda out: torch.save({"state": weights, "step": number}, out))
    files["pytorch_model.bin"] = _written(lambda out: torch.save(weights, out, _use_new_zipfile_serialization=False))
    files["pipeline.joblib"] = _written(lambda out: joblib.dump(_thing(4 + number % 4, rng), out))
    files["packed.joblib"] = _written(lambda out: joblib.dump(_thing(4 + number % 4, rng), out, compress=3))
    files["model.gguf"] = b"GGUF" + struct.pack("<IQQ", 3, 0, 0) + bytes(64)
    return files


def _written(write: Callable[[io.BytesIO], object]) -> bytes:
    out = io.BytesIO()
    write(out)
    return out.getvalue()


if __name__ == "__main__":
    place = Path(sys.argv[1])
    pickles(place / "pickles")
    mixed(place / "mixed")
    checkpoint(place / CHECKPOINT)
