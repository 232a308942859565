"""The tests' own hostile and honest files, written down with what they are.

`python -m benchmarks.labelled FOLDER`, with `tests` on the path: families of hostile files in FOLDER/malicious, honest
ones in FOLDER/benign. Every payload would touch FOLDER/marker if anything executed it, and does nothing else.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import sys
import tarfile
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import numpy as np
import torch

from safety.bypasses import GADGETS
from safety.payloads import benign, call, name, stacked, stream, system, text, torch_zip, touch
from safety.test_benign import estimators, things, torch_things
from safety.test_beyond_pickle import KERAS, TEMPLATES, gguf, keras_hdf5, keras_zip, message, nested, onnx_model

Samples = Iterator[tuple[str, bytes]]
"""The name of a file, and its bytes."""


def gadgets(marker: Path) -> Samples:
    """Each published name, called in three ways."""
    told = touch(marker)
    for number, (module, qualified, _) in enumerate(GADGETS):
        yield f"{number:03d}-global.pkl", stream(call(name(module, qualified), told), protocol=2)
        yield f"{number:03d}-stacked.pkl", stream(call(stacked(module, qualified), told))
        yield f"{number:03d}-inst.pkl", b"(" + told + f"i{module}\n{qualified}\n.".encode()


def streams(marker: Path) -> Samples:
    """Ways to write a call that readers of instructions lose."""
    evil, told = system(marker), touch(marker)
    for number, rest in enumerate((b"", b"\xff\xff", b"d", b"X\x04\0\0\0Bad")):
        yield f"broken-{number}.pkl", stream(evil)[:-1] + rest
    for number, hidden in enumerate((evil + b"0N", b"(" + evil + b"1N", evil + b"q\0" + b"0Nq\0" + b"0h\0")):
        yield f"popped-{number}.pkl", stream(hidden)
    yield "obj.pkl", stream(b"(" + name("os", "system") + told + b"o0N")
    scattered = text("system") + b"\x940" + text("os") + b"\x94" + text("x") + b"0h\0\x93" + told + b"\x85R"
    yield "memo.pkl", stream(scattered)
    yield "build.pkl", stream(evil + b"}" + text("a") + b"K\x01sb")
    state = b"}" + text("__setstate__") + name("os", "system") + b"s"
    yield "namespace.pkl", stream(name("argparse", "Namespace") + b"N" + state + b"\x86b")
    rot = call(name("_codecs", "encode"), text("flfgrz"), text("rot13"))
    yield "rot13.pkl", stream(text("os") + rot + b"\x93" + told + b"\x85R")
    hidden = b"\0\0" + evil + b"."
    frames = b"\x80\x04N0\x95" + (2).to_bytes(8, "little") + b"B\x07\x01\0\0" + hidden.ljust(0x107, b"N") + b"."
    yield "frames.pkl", frames
    yield "frames.pt", torch_zip(frames)
    inner = stream(evil)
    given = call(name("torch.storage", "_load_from_bytes"), b"B" + struct.pack("<I", len(inner)) + inner)
    yield "inner.pkl", stream(given)
    yield "second.pkl", benign() * 3 + inner
    yield "memo-of-another.pkl", b"\x80\x04" + name("os", "system") + b"q\x07.\x80\x04h\x07" + told + b"\x85R."
    yield "partial.pkl", stream(call(name("functools", "partial"), name("os", "system"), told) + b")R")
    yield "mapped.pkl", stream(call(name("builtins", "list"), call(name("builtins", "map"), name("os", "system"),
                               b"]" + told + b"a")))  # fmt: skip


def _zipped(method: int, **members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for path, data in members.items():
            archive.writestr(path.replace("__", "/").replace("_dot_", "."), data)
    return out.getvalue()


def _patched(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


def archives(marker: Path) -> Samples:
    """Archives and packings that a loader opens and a scanner does not, or not in the same way."""
    evil = stream(system(marker), protocol=2)
    plain = torch_zip(evil)
    yield "plain.pt", plain
    central = plain.index(b"PK\x01\x02")
    for flags in (0x1, 0x20, 0x40, 0x2000):
        yield f"flags-{flags}.pt", _patched(plain, 6, struct.pack("<H", flags))
    yield "renamed.pt", _patched(plain, 30, b"Archive")
    yield "checksum.pt", _patched(plain, central + 16, b"\1\2\3\4")
    yield "other-member.pt", torch_zip(benign(), more={"config.p": evil})
    yield "storage-member.pt", torch_zip(benign(), more={"data/0": evil})
    yield "deflated.pt", _zipped(zipfile.ZIP_DEFLATED, archive__data_dot_pkl=evil, archive__version=b"3\n")
    yield "nested.zip", _zipped(zipfile.ZIP_DEFLATED, deep__model_dot_bin=zlib.compress(evil))
    for first, last in ((evil, benign()), (benign(), evil)):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            archive.writestr("archive/data.pkl", first)
            archive.writestr("archive/data.pkl", last)
        yield f"twice-{first == evil}.pt", out.getvalue()
    yield "pickle-then-zip.pt", evil + torch_zip(benign())
    yield "legacy-magic.pt", evil + stream(b"K\1")
    yield from ((f"plain-pickle{suffix}", evil) for suffix in (".bin", ".pt", ".pth", ".ckpt", ".joblib", ".dat"))
    pack: dict[str, Callable[[bytes], bytes]] = {
        "zlib": zlib.compress,
        "gzip": gzip.compress,
        "bz2": bz2.compress,
        "xz": lzma.compress,
    }
    yield from ((f"{how}.joblib", squeeze(evil)) for how, squeeze in pack.items())
    out = io.BytesIO()
    joblib.dump([np.arange(5), 1], out)
    yield "behind-array.joblib", out.getvalue()[:-1] + b"0" + evil[2:]
    out = io.BytesIO()
    np.save(out, np.array([None]), allow_pickle=True)
    objects = out.getvalue()[: out.getvalue().index(b"\n") + 1] + evil
    yield "objects.npy", objects
    yield "objects.npz", _zipped(zipfile.ZIP_DEFLATED, a_dot_npy=objects)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("weights.ckpt")
        info.size = len(evil)
        tar.addfile(info, io.BytesIO(evil))
    yield "model.tar", out.getvalue()
    yield "model.nemo", gzip.compress(out.getvalue())


def others(marker: Path) -> Samples:
    """Formats that are no pickles: layers, templates, operators and settings that are code."""
    with tempfile.TemporaryDirectory() as folder:
        for number, (layer, _, verdict) in enumerate(KERAS):
            if verdict == "dangerous":
                yield f"layer-{number}.keras", keras_zip(nested(layer))
                yield f"layer-{number}.h5", keras_hdf5(Path(folder), nested(layer))
    for number, (template, verdict) in enumerate(TEMPLATES):
        if verdict == "dangerous":
            yield f"template-{number}.gguf", gguf(template)
            yield f"template-{number}/tokenizer_config.json", json.dumps({"chat_template": template}).encode()
    for number, location in enumerate(("../../etc/passwd", "/etc/passwd")):
        yield f"outside-{number}.onnx", onnx_model(location=location)
    for operator in ("WriteFile", "PyFunc"):
        node = message(1, b"n") + message(2, operator.encode())
        meta = message(1, message(4, b"serve")) + message(2, message(1, node))
        yield f"{operator}/saved_model.pb", b"\x08\x01" + message(2, meta)
    yield "hydra/model_config.yaml", b"model:\n  _target_: os.system\n  command: touch " + str(marker).encode() + b"\n"
    yield "tags/model_config.yaml", f"a: !!python/object/apply:os.system ['touch {marker}']\n".encode()


def honest() -> Samples:
    """What the frameworks write: every estimator of scikit-learn, the other libraries, torch's files old and new."""
    for number, made in enumerate(estimators()):
        title = f"{number:03d}-{type(made).__name__}"
        yield f"{title}.pkl", pickle.dumps(made, 4)
        out = io.BytesIO()
        joblib.dump(made, out)
        yield f"{title}.joblib", out.getvalue()
    for title, thing in things().items():
        yield f"{title}.pkl", pickle.dumps(thing, 4)
        out = io.BytesIO()
        joblib.dump(thing, out, compress=3)
        yield f"{title}.joblib", out.getvalue()
    for title, thing in torch_things().items():
        for new in (True, False):
            out = io.BytesIO()
            torch.save(thing, out, _use_new_zipfile_serialization=new)
            yield f"{title}-{'zip' if new else 'legacy'}.pt", out.getvalue()


FAMILIES = {"names": gadgets, "streams": streams, "archives": archives, "other formats": others}


def write(folder: Path) -> None:
    """Writes everything below a folder."""
    for family, made in FAMILIES.items():
        _write(folder / "malicious" / family, made(folder / "marker"))
    _write(folder / "benign", honest())


def _write(folder: Path, samples: Samples) -> None:
    for called, data in samples:
        path = folder / called
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    write(Path(sys.argv[1]))
