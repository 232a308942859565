"""Files that real loaders open another way than their first bytes say, and headers that can be spelled in many ways."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import h5py
import lz4.frame  # type: ignore[import-untyped]
import numpy as np
import pytest
import torch

from modelyard.safety.lz4 import Lz4
from safety.judged import codes, scanned
from safety.payloads import name, stacked, system, text

LAMBDA = json.dumps({"class_name": "Sequential", "config": {"layers": [{"class_name": "Lambda", "config": {}}]}})


@pytest.fixture
def evil(tmp_path: Path) -> bytes:
    return system(tmp_path / "marker") + b"."


def array(descr: str, elements: bytes) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + elements


def zipped(members: dict[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, data in members.items():
            archive.writestr(path, data)
    return out.getvalue()


@pytest.mark.parametrize("zeros", [(14, 18), (14, 18, 22), (14,), ()])
def test_sizes_that_follow_the_bytes_are_no_disagreement(tmp_path: Path, zeros: tuple[int, ...]) -> None:
    """With flag 8 some or all of them are zero before the bytes: macOS knows the unpacked size, and writes it."""
    data = bytearray(zipped({"config.yaml": "a: 1"}))
    directory = data.index(b"PK\1\2")
    data[6] |= 8
    data[directory + 8] |= 8
    for at in zeros:
        data[at : at + 4] = bytes(4)
    assert scanned(tmp_path, bytes(data), "m.zip").findings == ()
    data[22:26] = b"\7\0\0\0"
    assert codes(scanned(tmp_path, bytes(data), "m.zip")) == {"archive-mismatch"}


def tarred(data: bytes, called: str = "m", kind: bytes = b"0", **told: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo(called)
        info.size, info.type, info.pax_headers = len(data), kind, told
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


OBJECTS = [
    '"O"',
    "'\\x4f'",
    "'object'",
    "'O8'",
    "'=O'",
    "'<O8'",
    "[('a', '\\x4f')]",
    "[('a', [('b', 'O')])]",
    "('O', (1,))",
]


@pytest.mark.parametrize("descr", OBJECTS)
def test_objects_in_an_array_however_they_are_spelled(tmp_path: Path, evil: bytes, descr: str) -> None:
    assert scanned(tmp_path, array(descr, evil), "m.npy").verdict == "dangerous"
    honest = pickle.dumps([1], 4)
    path = tmp_path / "real.npy"
    path.write_bytes(array(descr, honest))
    assert np.load(path, allow_pickle=True) == [1]


def test_arrays_behind_an_array(tmp_path: Path, evil: bytes) -> None:
    """`numpy.load` on one handle reads them one after the other."""
    number = array("'|u1'", b"\0")
    assert scanned(tmp_path, number + array("'|O'", evil), "m.npy").verdict == "dangerous"
    assert scanned(tmp_path, number + evil, "m.npy").verdict == "dangerous"
    assert scanned(tmp_path, number + b"words", "m.npy").verdict == "suspicious"
    assert scanned(tmp_path, number * 3, "m.npy").findings == ()
    for made in (np.zeros(3), np.zeros((2, 0)), np.zeros(2, [("a", "i4"), ("b", "S5", (2,))]), np.array("x"),
                 np.zeros(2, "M8[s]"), np.zeros((2, 3), ">c16", "F"), np.zeros(2, "V7"), np.zeros(2, "?")):  # fmt: skip
        out = io.BytesIO()
        np.save(out, made)
        assert scanned(tmp_path, out.getvalue(), "m.npy").findings == ()


def test_arrays_and_generators_of_older_releases_are_safe(tmp_path: Path) -> None:
    """numpy's own test files: numbers of Python 2 in a header, a generator of random numbers of 1.26."""
    own = Path(np.__file__).parent
    for path in (own / "lib/tests/data/win64python2.npy", own / "random/tests/data/generator_pcg64_np126.pkl.gz"):
        assert scanned(tmp_path, path.read_bytes(), path.name).findings == ()
    text = b"      character(len=12), dimension(5,7) :: strarr\n      character strarr77(5,7)\n"
    assert scanned(tmp_path, text, "string.f90").findings == ()


def test_a_keras_archive_in_any_dress(tmp_path: Path) -> None:
    """Keras asks for config.json alone before it makes the layers, and minds no other member."""
    assert scanned(tmp_path, zipped({"config.json": LAMBDA}), "m.keras").verdict == "dangerous"
    both = zipped({"config.json": LAMBDA, "metadata.json": "{}", "a/data.pkl": pickle.dumps({}, 2)})
    assert scanned(tmp_path, both, "m.keras").verdict == "dangerous"
    assert scanned(tmp_path, LAMBDA.encode(), "architecture.json").verdict == "dangerous"
    whole = zipped({"config.json": LAMBDA, "metadata.json": "{}"})
    for before in (tarred(b"words"), gzip.compress(b"words"), array("'|u1'", b"\0")):
        assert "keras-lambda" in codes(scanned(tmp_path, before + whole, "m.keras"))


def test_a_layer_behind_a_hundred_thousand(tmp_path: Path) -> None:
    config = {"layers": [{"class_name": "Lambda"}] + [{"a": 1}] * 60_000}
    assert (
        scanned(tmp_path, json.dumps({"class_name": "S", "config": config}).encode(), "a.json").verdict == "dangerous"
    )


@pytest.mark.parametrize(
    ("layer", "verdict"),
    [({"class_name": "TorchModuleWrapper", "config": {}}, "dangerous"),
     ({"class_name": "TFSMLayer", "config": {"filepath": "/x"}}, "dangerous"),
     ({"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}}, "suspicious"),
     ({"class_name": "function", "module": "keras.config", "config": "enable_unsafe_deserialization"}, "suspicious"),
     ({"class_name": "function", "module": "keras.activations", "config": "relu"}, "safe"),
     ({"class_name": "StringLookup", "config": {"vocabulary": ["a"]}}, "safe")],
)  # fmt: skip
def test_keras_layers_that_load_more(tmp_path: Path, layer: dict[str, object], verdict: str) -> None:
    """CVE-2025-49655, keras #22035, CVE-2025-12058, CVE-2025-9906."""
    config = json.dumps({"class_name": "Sequential", "config": {"layers": [layer]}})
    assert scanned(tmp_path, zipped({"config.json": config}), "m.keras").verdict == verdict


@pytest.mark.parametrize("block", [512, 1 << 17])
def test_hdf5_behind_a_block_of_the_user(tmp_path: Path, block: int) -> None:
    with h5py.File(tmp_path / "made.h5", "w", userblock_size=block) as file:
        file.attrs["model_config"] = LAMBDA
    data = (tmp_path / "made.h5").read_bytes()
    for begin in (b"", b"PK", b"GGUF"):
        assert "keras-lambda" in codes(scanned(tmp_path, begin + data[len(begin) :], "m.h5"))


def test_a_storage_that_is_an_array_to_numpy(tmp_path: Path, evil: bytes) -> None:
    kind = b"(" + text("storage") + stacked("torch", "FloatStorage") + text("0") + text("cpu") + b"K\x04tQ."
    data = zipped({"a/data.pkl": b"\x80\x04" + kind, "a/data/0": array("'|O'", evil)})
    assert scanned(tmp_path, data, "m.npz").verdict == "dangerous"


def test_joblib_files_of_before_0_10(tmp_path: Path, evil: bytes) -> None:
    for length in (hex(len(evil)).ljust(19), hex(len(evil)).ljust(20)):
        data = b"ZF" + length.encode() + zlib.compress(evil)
        assert scanned(tmp_path, data, "m.z").verdict == "dangerous"


@pytest.mark.parametrize("linked", [True, False])
def test_lz4_is_unpacked(tmp_path: Path, evil: bytes, linked: bool) -> None:
    rng = np.random.RandomState(0)
    data = b"".join(rng.bytes(n % 70) * (n % 9) for n in range(3000)) + bytes(300_000)
    for size in (0, 1, 3, 70_000, len(data)):
        packed = lz4.frame.compress(data[:size], block_linked=linked, block_size=lz4.frame.BLOCKSIZE_MAX64KB)
        engine, out = Lz4(), b""
        for at in range(0, len(packed) + 5000, 5000):
            fed = packed[at : at + 5000]
            while piece := engine.decompress(fed, 1000):
                out, fed = out + piece, b""
        assert (out, engine.eof, engine.unused_data) == (data[:size], True, b"")
    assert scanned(tmp_path, lz4.frame.compress(bytes(70_000) + b"x"), "m.lz4").verdict == "safe"
    long = b"\x80\x04B" + struct.pack("<I", 200_000) + bytes(200_000) + b"0"
    assert scanned(tmp_path, lz4.frame.compress(long + evil), "m.joblib").verdict == "dangerous"
    assert scanned(tmp_path, lz4.frame.compress(long + evil)[:-9], "m.joblib").verdict != "safe"
    assert scanned(tmp_path, lz4.frame.compress(pickle.dumps([1], 4)), "m.joblib").findings == ()


def test_a_tar_that_is_a_pickle(tmp_path: Path, evil: bytes) -> None:
    """A header with the right sum whose bytes are instructions: `pickle.load` runs them, `tarfile` lists them."""
    block = bytearray(tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT))
    block[:11] = b"\x80\x04\x8e" + struct.pack("<Q", 300)
    block[311 : 312 + len(evil)] = b"0" + evil
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    assert scanned(tmp_path, bytes(block) + bytes(1024), "m.pkl").verdict == "dangerous"


def test_members_of_a_tar_that_tarfile_would_open(tmp_path: Path, evil: bytes) -> None:
    assert scanned(tmp_path, tarred(evil, kind=b"Z"), "m.tar").verdict == "dangerous"
    assert "path-escape" in codes(scanned(tmp_path, tarred(b"a", path="../up"), "m.tar"))
    assert scanned(tmp_path, tarred(b"a" * 600, size="9"), "m.tar").verdict == "unknown"
    assert scanned(tmp_path, tarred(b"a") + tarred(evil), "m.tar").verdict == "suspicious"
    assert scanned(tmp_path, tarred(b"a", path="x" * 200), "m.tar").findings == ()


def test_every_stream_of_torchs_tar(tmp_path: Path, evil: bytes) -> None:
    """The streams of `storages` lie between raw bytes; the payload stands behind the first of them."""

    def part(*streams: bytes) -> bytes:
        return b"".join(streams)

    kind = pickle.dumps(("0", "cpu", torch.FloatStorage), 2)
    raw = struct.pack("<q", 2) + bytes(8)
    two, none = pickle.dumps(2, 2), pickle.dumps([], 2)
    honest = part(two, kind, raw, kind, raw, none)
    assert scanned(tmp_path, tarred(honest, "storages"), "m.pt").findings == ()
    for attack in (part(two, kind, raw, evil), part(two, kind, raw, kind, raw, evil), part(two, evil)):
        assert scanned(tmp_path, tarred(attack, "storages"), "m.pt").verdict == "dangerous"
    view = pickle.dumps((1, 2, None), 2) + struct.pack("<ii", 1, 0) + bytes(24)
    assert scanned(tmp_path, tarred(two + view + evil, "tensors"), "m.pt").verdict == "dangerous"


def test_a_payload_without_a_name_or_an_end(tmp_path: Path) -> None:
    """A file of any name whose stream breaks behind the call: what stands before the break has run."""
    spelled = stacked("builtins", "str") + b"C\x06system" + text("ascii") + b"\x86R"
    assert scanned(tmp_path, text("os") + spelled + b"\x93" + text("x") + b"\x85R", "model").verdict == "dangerous"
    assert scanned(tmp_path, name("acme", "run") + b"(tR", "model").verdict == "unknown"
    assert scanned(tmp_path, b"readme first, then the rest\n", "readme").findings == ()
