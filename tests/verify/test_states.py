"""Intact, turned over by a bit, cut short, removed: each is told for what it is, in every store that has a word."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

import makers
from modelyard.formats import known
from modelyard.formats.header import Header
from typed import Run
from verify.looking import alarms, cut, flip, told, verify

BYTES = bytes(range(256)) * 40
RECORDED = Path(__file__).parents[1] / "data" / "ollama-0.32.15.tar.gz"


def sha256(data: bytes) -> str:
    """Of some bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def hub(home: Path) -> Path:
    """A revision whose client listed its files: one kept by SHA-256, one by git's SHA-1."""
    repo = makers.hub_repo(home / ".cache/huggingface/hub", "models--acme--tiny", {"model.bin": BYTES})
    small = b"{}\n"
    name = hashlib.sha1(b"blob %d\0" % len(small) + small).hexdigest()
    makers.write(repo / "blobs" / name, small)
    (repo / "snapshots" / ("a" * 40) / "config.json").symlink_to(f"../../blobs/{name}")
    listing = {"model.bin": {"size": len(BYTES), "blob_id": "0" * 40, "lfs_sha256": sha256(BYTES)}}
    listing["config.json"] = {"size": len(small), "blob_id": name}
    makers.write(repo / "trees" / f"{'a' * 40}.json", json.dumps({"format_version": 1, "files": listing}))
    return repo / "blobs" / sha256(BYTES)


def hub_payload(home: Path) -> Path:
    """The same kept once for all repositories, under a Xet hash that says nothing of its SHA-256."""
    blob = hub(home)
    return makers.share_blob(blob.parents[1], blob, "ab" + "c" * 62)


def hub_small(home: Path) -> Path:
    """The blob that git's SHA-1 names."""
    return next(path for path in hub(home).parent.iterdir() if len(path.name) == 40)


def hub_plain(home: Path) -> Path:
    """A cache without links, which only the listing can tell of."""
    blob = hub(home)
    snapshot = blob.parents[1] / "snapshots" / ("a" * 40)
    (snapshot / "model.bin").unlink()
    return blob.rename(snapshot / "model.bin")


def ollama(home: Path) -> Path:
    """The largest layer of a model that a real server pulled."""
    with tarfile.open(RECORDED) as packed:
        packed.extractall(home.parent / "recorded", filter="data")
    (home / ".ollama").mkdir()
    (home.parent / "recorded" / "models_before_delete").rename(home / ".ollama/models")
    return max((home / ".ollama/models/blobs").iterdir(), key=lambda path: path.stat().st_size)


def torch_hub(home: Path) -> Path:
    """Weights that carry the beginning of their digest."""
    makers.write(home / ".cache/torch/hub/trusted_list", "")
    return makers.write(home / f".cache/torch/hub/checkpoints/net-{_letters(BYTES)[:8]}.pth", BYTES)


def _letters(data: bytes) -> str:
    digest = sha256(data)
    assert set(digest[:8]) & set("abcdef"), "digits alone may be a date"
    return digest


def dvc(home: Path) -> Path:
    """An object of DVC 3."""
    makers.write(home / "project/.dvc/config", "")
    digest = hashlib.md5(BYTES).hexdigest()
    return makers.write(home / "project/.dvc/cache/files/md5" / digest[:2] / digest[2:], BYTES)


def dvc_text(home: Path) -> Path:
    """An object of DVC 2, which left the carriage returns of a text out of its digest."""
    makers.write(home / "project/.dvc/config", "")
    text = b"a,b\r\n" * 900
    digest = hashlib.md5(text.replace(b"\r\n", b"\n")).hexdigest()
    return makers.write(home / "project/.dvc/cache" / digest[:2] / digest[2:], text)


def wandb(home: Path) -> Path:
    """A cached file of an artifact."""
    digest = hashlib.md5(BYTES).hexdigest()
    return makers.write(home / ".cache/wandb/artifacts/obj/md5" / digest[:2] / digest[2:], BYTES)


def local_dir(home: Path) -> Path:
    """A download with its note."""
    makers.write(
        home / "m/.cache/huggingface/download/model.bin.metadata", f"{'a' * 40}\n{sha256(BYTES)}\n9999999999.0\n"
    )
    return makers.write(home / "m/model.bin", BYTES)


def llama_cpp(home: Path) -> Path:
    """A model with the etag of the Hub beside it."""
    folder = home / ".cache/llama.cpp"
    makers.write(folder / "manifest=acme=tiny=latest.json", "{}")
    makers.write(folder / "tiny.gguf.etag", f'"{sha256(BYTES)}"')
    return makers.write(folder / "tiny.gguf", BYTES)


def wheel(home: Path) -> Path:
    """A package in an environment, by its RECORD."""
    site = home / "env/lib/python3.11/site-packages"
    makers.write(home / "env/pyvenv.cfg", "home = /usr/bin\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(BYTES).digest()).rstrip(b"=").decode()
    record = f'tiny/a.so,sha256={digest},{len(BYTES)}\n"tiny/with, comma.py",,\ntiny-1.dist-info/RECORD,,\n'
    makers.write(site / "tiny-1.dist-info/RECORD", record)
    makers.write(home / "env/bin/python", "")
    return makers.write(site / "tiny/a.so", BYTES)


def conda_package(home: Path) -> Path:
    """A file of an unpacked conda package."""
    folder = home / "miniconda3/pkgs/tiny-1.0-0"
    paths = [{"_path": "lib/a.so", "path_type": "hardlink", "sha256": sha256(BYTES), "size_in_bytes": len(BYTES)}]
    makers.write(folder / "info/paths.json", json.dumps({"paths": paths, "paths_version": 1}))
    makers.write(folder.parent / "urls.txt", "")
    return makers.write(folder / "lib/a.so", BYTES)


def conda_prefix(home: Path) -> Path:
    """A file of a conda environment into which the prefix was written, beside others that conda and pip put there.

    conda writes its own first line into scripts, which the RECORD of a package does not know.
    """
    prefix = home / "miniconda3/envs/old"
    site = "lib/python3.11/site-packages"
    makers.write(prefix / "conda-meta/history", "")
    script, record = b"#!/env/python\n", f"../../../bin/tool,sha256={'A' * 43},9\n"
    files: dict[str, dict[str, object]] = {
        "lib/a.so": {
            "sha256": "0" * 64,
            "sha256_in_prefix": sha256(BYTES),
            "size_in_bytes": 7,
            "prefix_placeholder": "/x",
        },
        "bin/tool": {"sha256": "0" * 64, "sha256_in_prefix": sha256(script), "prefix_placeholder": "/x"},
        "etc/old": {"sha256": "0" * 64, "prefix_placeholder": "/x", "file_mode": "text"},
        f"{site}/tool-1.dist-info/RECORD": {"sha256": sha256(record.encode())},
    }
    paths = [{"_path": name, "path_type": "hardlink", **told} for name, told in files.items()]
    makers.write(prefix / "conda-meta/tool-1-0.json", json.dumps({"paths_data": {"paths": paths}}))
    makers.write(prefix / site / "tool-1.dist-info/RECORD", record)
    makers.write(prefix / "bin/tool", script)
    makers.write(prefix / "etc/old", b"/env")
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"pip").digest()).rstrip(b"=").decode()
    makers.write(prefix / site / "of_pip.py", b"pip")
    makers.write(prefix / site / "of_pip-1.dist-info/RECORD", f"of_pip.py,sha256={digest},3\n")
    return makers.write(prefix / "lib/a.so", BYTES)


def sums(home: Path) -> Path:
    """A model beside a list of digests, one of a name with a line break, which `sha256sum` escapes."""
    odd = makers.write(home / "outputs/run/checkpoint-5/two\nlines", b"odd")
    makers.write(home / "outputs/run/checkpoint-5/trainer_state.json", '{"global_step": 5}')
    lines = f"\\{sha256(odd.read_bytes())}  two\\nlines\n{sha256(BYTES)} *model.bin\n"
    makers.write(home / "outputs/run/checkpoint-5/SHA256SUMS", lines)
    return makers.write(home / "outputs/run/checkpoint-5/model.bin", BYTES)


STORES = (
    hub, hub_payload, hub_small, hub_plain, ollama, torch_hub, dvc, dvc_text, wandb, local_dir, llama_cpp, wheel,
    conda_package, conda_prefix, sums,
)  # fmt: skip
SIZED = (hub, hub_payload, hub_small, hub_plain, ollama, wheel, conda_package)
"""Where somebody tells the size, too: the others cannot tell a short file of no known format from another one."""
NAMELESS = (torch_hub, dvc, dvc_text, wandb, hub_plain, llama_cpp)
"""Where nobody names what is not there."""


@pytest.mark.parametrize("make", STORES, ids=lambda make: make.__name__)
def test_each_state_is_told_for_what_it_is(make: Callable[[Path], Path], home: Path, run: Run) -> None:
    path = make(home)
    name, good = path.name, path.read_bytes()
    assert told(run, code=0) == {}
    flip(path)
    assert told(run, code=5) == {name: "corrupt"}
    path.write_bytes(good)
    cut(path)
    assert told(run, code=5) == {name: "truncated" if make in SIZED else "corrupt"}
    path.unlink()
    expected = {} if make in NAMELESS else {name: "missing"}
    assert told(run, code=5 if expected else 0) == expected
    path.write_bytes(good)
    assert told(run, code=0) == {}


def saved(home: Path, name: str) -> Path:
    """A loose checkpoint of one file in a format that real libraries wrote."""
    folder = home / "outputs/run/checkpoint-5"
    makers.write(folder / "trainer_state.json", '{"global_step": 5, "loss": NaN}')
    path = folder / name
    if name.endswith(".safetensors"):
        import torch
        from safetensors.torch import save_file

        save_file({"a": torch.arange(5000.0), "b": torch.ones(3)}, path)
    elif name.endswith((".pt", ".bin")):
        import torch

        torch.save({"a": torch.arange(5000.0)}, path, _use_new_zipfile_serialization=name.endswith(".pt"))
    elif name.endswith(".npz"):
        import numpy as np

        np.savez_compressed(path, a=np.arange(90_000) % 977)
    elif name.endswith(".gguf"):
        import numpy as np
        from gguf import GGUFWriter

        writer = GGUFWriter(path, "llama")
        writer.add_tensor("a", np.arange(9000, dtype=np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    elif name.endswith(".h5"):
        import h5py
        import numpy as np

        with h5py.File(path, "w") as file:
            file["a"] = np.arange(9000)
    return path


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt", "a.bin", "a.npz", "a.gguf", "a.h5"])
def test_a_file_without_a_word_is_held_against_its_own_format(name: str, home: Path) -> None:
    path = saved(home, name)
    assert alarms(verify(home)) == {}
    good = path.read_bytes()
    cut(path)
    assert alarms(verify(home)) == {name: "truncated"}
    path.write_bytes(good)
    if zipfile.is_zipfile(path):  # of these every byte has a checksum
        flip(path)
        assert alarms(verify(home)) == {name: "corrupt"}
    path.write_bytes(bytes(len(good)))  # what a crash leaves of a file whose blocks never reached the disk
    nameless = name in ("a.pt", "a.bin")  # such names promise no format
    assert alarms(verify(home)) == ({} if nameless else {name: "corrupt"})


def test_external_data_of_onnx_has_to_be_there_and_long_enough(home: Path) -> None:
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    folder = home / "outputs/run/checkpoint-5"
    makers.write(folder / "trainer_state.json", "{}")
    weights = numpy_helper.from_array(np.arange(5000, dtype=np.float32), "w")
    out = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [5000])
    graph = helper.make_graph([helper.make_node("Identity", ["w"], ["y"])], "g", [], [out], [weights])
    onnx.save(
        helper.make_model(graph), folder / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=9
    )
    assert alarms(verify(home)) == {}
    cut(folder / "m.data")
    assert alarms(verify(home)) == {"m.onnx": "truncated"}
    (folder / "m.data").unlink()
    assert alarms(verify(home)) == {"m.onnx": "missing"}


def test_a_shard_that_is_gone_is_missed_by_its_index(home: Path) -> None:
    first = saved(home, "model-1.safetensors")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    makers.write(first.parent / "model.safetensors.index.json", json.dumps(index))
    found = alarms(verify(home))
    assert found == {"model.safetensors.index.json": "missing"}


def test_the_log_of_a_run_has_a_checksum_for_every_record(home: Path) -> None:
    import zlib

    record = b"loss" * 900
    line = zlib.crc32(record, zlib.crc32(b"\x01")).to_bytes(4, "little") + len(record).to_bytes(2, "little") + b"\x01"
    log = makers.write(
        home / "w/wandb/offline-run-20260101_000000-a/run-a.wandb", b":W&B\xe1\xbe\0" + (line + record) * 9
    )
    assert alarms(verify(home)) == {}
    good = log.read_bytes()
    flip(log)
    assert alarms(verify(home)) == {"run-a.wandb": "corrupt"}
    log.write_bytes(good[:-1])
    assert alarms(verify(home)) == {"run-a.wandb": "truncated"}


def test_a_download_that_somebody_edited_is_changed_and_not_corrupt(home: Path) -> None:
    path = local_dir(home)
    note = home / "m/.cache/huggingface/download/model.bin.metadata"
    note.write_text(f"{'a' * 40}\n{sha256(BYTES)}\n1000000000.0\n")
    assert alarms(verify(home)) == {}
    flip(path)
    assert alarms(verify(home)) == {"model.bin": "changed"}


def test_pip_s_downloads_have_the_length_that_their_server_told(home: Path, run: Run) -> None:
    folder = home / ".cache/pip/http-v2/a/b/c/d/e"
    headers = {"Content-Length": str(len(BYTES)), "x-goog-hash": "md5=" + _md5(BYTES)}
    entry = msgspec.msgpack.encode({"response": {"body": b"", "headers": headers, "status": 200}, "vary": {}})
    makers.write(folder / "abcde", b"cc=4," + entry)
    body = makers.write(folder / "abcde.body", BYTES)
    makers.write(home / ".cache/pip/selfcheck/x", "{}")
    assert told(run, "pip", code=0) == {}
    flip(body)
    assert told(run, "pip", code=5) == {"abcde.body": "corrupt"}
    cut(body)
    assert told(run, "pip", code=5) == {"abcde.body": "truncated"}


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def _is_justified(path: Path, expected: str, state: str) -> bool:
    """Whether an alarm is right, told by other means than those of verify."""
    if state == "missing":
        return not path.exists()
    data = path.read_bytes()
    for name in ("sha256", "sha1", "md5"):
        if f"{name} " in expected or f"{name}-" in expected:
            value = expected.split()[1]
            git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            return value not in (hashlib.new(name, data).hexdigest()[: len(value)], git)
    return not isinstance(known.read_header(str(path)), Header) and not zipfile.is_zipfile(path)


@pytest.mark.parametrize("store", sorted(makers.layouts()))
def test_no_layout_of_any_store_raises_a_false_alarm(store: str, home: Path) -> None:
    makers.layouts()[store](home)
    for each in verify(home, env=makers.variables(store, home)):
        if each.state not in ("ok", "unverifiable", "changed"):
            assert _is_justified(Path(os.fsdecode(each.item.path)), each.expected, each.state), each


def test_versions_of_a_registry_are_verified_by_their_own_list(home: Path, run: Run) -> None:
    import numpy as np

    from modelyard.registry.registry import Registry

    Registry(home / "registry").save({"w": np.arange(9000.0)}, "tiny")
    assert told(run, code=0) == {}
    weights = max((home / "registry").rglob("*.*"), key=lambda path: path.stat().st_size)
    flip(weights)
    assert told(run, code=5) == {weights.name: "corrupt"}
    weights.unlink()
    assert told(run, "registry", code=5) == {weights.name: "missing"}
