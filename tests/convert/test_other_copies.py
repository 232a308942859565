"""What numpy, joblib, scikit-learn, HDF5, Keras and GGUF write becomes safetensors with the same bits."""

from __future__ import annotations

import io
import os
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import gguf
import h5py
import joblib
import msgpack
import numpy
import pytest
import safetensors
import safetensors.numpy
from sklearn.linear_model import LogisticRegression

from convert.checks import converted, refused
from modelyard.api.converting import Wish

Array = numpy.ndarray[tuple[int, ...], numpy.dtype[numpy.generic]]
CODES = ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?", "c8")
ARRAYS = {
    "rows": numpy.arange(12, dtype="f4").reshape(3, 4),
    "columns": numpy.asfortranarray(numpy.arange(30, dtype="i8").reshape(2, 3, 5)),
    "one": numpy.array(2.5),
    "none": numpy.zeros((0, 3), "f4"),
}


def holds(path: Path, wanted: Mapping[str, Array]) -> None:
    """A file has exactly these arrays, as the real library loads them, bit for bit."""
    found = safetensors.numpy.load_file(path)
    assert set(found) == set(wanted)
    for name, array in wanted.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape), name
        assert found[name].tobytes() == array.tobytes(), name


def test_npz_of_every_dtype_and_order(home: Path) -> None:
    arrays = ARRAYS | {code: numpy.array([[0, 1, 2], [3, 4, 5]]).astype(code) for code in CODES}
    numpy.savez(home / "m.npz", allow_pickle=False, **arrays)
    converted(home / "m.npz")
    holds(home / "m.safetensors", arrays)


@pytest.mark.parametrize("name", list(ARRAYS))
def test_npy(name: str, home: Path) -> None:
    numpy.save(home / "m.npy", ARRAYS[name])
    found = converted(home / "m.npy")
    holds(home / "m.safetensors", {"array": ARRAYS[name]})
    assert any("`array`" in each for each in found.notes)


def test_numpy_files_that_are_no_numbers_or_the_other_way_round(home: Path) -> None:
    for number, (array, word) in enumerate((
        (numpy.ones(3, ">f4"), ">f4"), (numpy.array(["a"]), "U1"), (numpy.ones(3, "c16"), "C128"),
        (numpy.zeros(3, [("a", "f4")]), "record"), (numpy.array([{}]), "O"),
    )):  # fmt: skip
        numpy.save(home / f"{number}.npy", array, allow_pickle=True)
        assert word in refused(home / f"{number}.npy").message
    numpy.savez_compressed(home / "p.npz", allow_pickle=False, **ARRAYS)
    assert refused(home / "p.npz").code == "packed"


def test_an_archive_with_a_member_that_cannot_be_read(home: Path) -> None:
    out = io.BytesIO()
    numpy.save(out, ARRAYS["rows"])
    with zipfile.ZipFile(home / "m.npz", "w") as archive:
        archive.writestr("a.npy", out.getvalue())
        archive.writestr("b.npy", out.getvalue()[:9])
    assert refused(home / "m.npz").code in ("damaged", "truncated")


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_pickled_arrays(protocol: int, home: Path) -> None:
    saved = {"layers": [ARRAYS["rows"], {"w": ARRAYS["columns"]}], "epoch": 3, "big": numpy.arange(1000.0)}
    (home / "m.pkl").write_bytes(pickle.dumps(saved, protocol))
    found = converted(home / "m.pkl")
    holds(
        home / "m.safetensors",
        {"layers.0": ARRAYS["rows"], "layers.1.w": ARRAYS["columns"], "big": numpy.arange(1000.0)},
    )
    assert found.metadata == {"format": "np", "epoch": "3"}
    assert found.left_out == ()


def test_pickled_arrays_of_protocol_2_are_packed_as_text(home: Path) -> None:
    (home / "m.pkl").write_bytes(pickle.dumps({"w": ARRAYS["rows"]}, 2))
    assert refused(home / "m.pkl").code == "packed"
    (home / "n.pkl").write_bytes(pickle.dumps({"w": numpy.ones(3, ">f4")}))
    assert ">f4" in refused(home / "n.pkl").message


@pytest.mark.parametrize("pickled", [True, False])
def test_an_estimator_leaves_its_class_behind(pickled: bool, home: Path) -> None:
    made = LogisticRegression().fit(numpy.arange(12.0).reshape(6, 2), [0, 1, 0, 1, 0, 1])
    if pickled:
        (home / "m.bin").write_bytes(pickle.dumps(made))
    else:
        joblib.dump(made, home / "m.bin")
    found = converted(home / "m.bin")
    loaded = safetensors.numpy.load_file(home / "m.safetensors")
    assert loaded["coef_"].tobytes() == made.coef_.tobytes()
    assert loaded["intercept_"].tobytes() == made.intercept_.tobytes()
    assert any(each.name.endswith("LogisticRegression") for each in found.left_out)
    assert any("cannot be made again" in each for each in found.notes)


def test_joblib(home: Path) -> None:
    joblib.dump({"a": ARRAYS["rows"], "b": [ARRAYS["columns"]]}, home / "m.joblib")
    converted(home / "m.joblib")
    holds(home / "m.safetensors", {"a": ARRAYS["rows"], "b.0": ARRAYS["columns"]})
    joblib.dump({"a": ARRAYS["rows"]}, home / "packed.joblib", compress=3)
    wrong = refused(home / "packed.joblib")
    assert wrong.code == "packed" and "joblib.dump without compress" in wrong.hint


def test_hdf5(home: Path) -> None:
    with h5py.File(home / "m.h5", "w") as file:
        for name in ("rows", "none", "one"):
            file[f"group/{name}"] = ARRAYS[name]
        file["optimizer/m"] = numpy.ones(3)
    found = converted(home / "m.h5")
    holds(home / "m.safetensors", {f"group/{name}": ARRAYS[name] for name in ("rows", "none", "one")})
    assert [each.name for each in found.left_out] == ["optimizer"]


def test_hdf5_that_is_packed_cut_or_leads_elsewhere(home: Path) -> None:
    with h5py.File(home / "packed.h5", "w") as file:
        file.create_dataset("w", data=numpy.ones((10, 10)), compression="gzip")
    assert refused(home / "packed.h5").code == "packed"
    with h5py.File(home / "turned.h5", "w") as file:
        file["w"] = numpy.ones(3, ">f4")
    assert ">f4" in refused(home / "turned.h5").message
    with h5py.File(home / "linked.h5", "w") as file:
        file["w"] = numpy.ones(3)
        file["other"] = h5py.ExternalLink("elsewhere.h5", "/w")
    assert refused(home / "linked.h5").code == "outside"


def test_a_keras_archive(home: Path) -> None:
    with h5py.File(home / "w.h5", "w") as file:
        file["layers/dense/vars/0"] = ARRAYS["rows"]
        file["optimizer/vars/0"] = numpy.ones(3)
    with zipfile.ZipFile(home / "m.keras", "w") as archive:
        archive.writestr("config.json", '{"class_name": "Sequential", "config": {"name": "tiny"}}')
        archive.writestr("metadata.json", '{"keras_version": "3.15.1"}')
        archive.write(home / "w.h5", "model.weights.h5")
    found = converted(home / "m.keras")
    holds(home / "m.safetensors", {"layers/dense/vars/0": ARRAYS["rows"]})
    assert {each.name for each in found.left_out} == {"optimizer", "config"}


def test_keras_in_all_its_files(home: Path) -> None:
    os.environ["KERAS_BACKEND"] = "torch"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)])
    made.compile("adam", "mse")
    made.fit(numpy.ones((8, 3)), numpy.ones(8), verbose=0)
    for name in ("m.keras", "m.h5", "m.weights.h5"):
        (made.save_weights if "weights" in name else made.save)(home / name)
        found = converted(home / name, target=home / f"{name}.safetensors")
        loaded = safetensors.numpy.load_file(home / f"{name}.safetensors")
        assert sorted(each.tobytes() for each in loaded.values()) == sorted(e.numpy().tobytes() for e in made.weights)
        assert found.format.startswith("Keras")
        assert any("optimizer" in each.name for each in found.left_out)


def flaxed(value: object) -> bytes:
    """A tree as `flax.serialization.msgpack_serialize` writes it."""

    def array(each: Array) -> msgpack.ExtType:
        return msgpack.ExtType(1, msgpack.packb((each.shape, each.dtype.name, each.tobytes())))

    return bytes(msgpack.packb(value, default=array, strict_types=True))


def test_flax(home: Path) -> None:
    dense = {"kernel": ARRAYS["rows"], "bias": ARRAYS["one"]}
    (home / "m.msgpack").write_bytes(
        flaxed({"step": 3, "params": {"dense": dense}, "opt_state": {"0": {"mu": ARRAYS["rows"]}}})
    )
    found = converted(home / "m.msgpack")
    holds(home / "m.safetensors", {"params.dense.kernel": ARRAYS["rows"], "params.dense.bias": ARRAYS["one"]})
    assert [each.name for each in found.left_out] == ["opt_state", "values"]
    (home / "n.msgpack").write_bytes(flaxed({"params": {"a.b": ARRAYS["one"], "a": {"b": ARRAYS["one"]}}}))
    assert refused(home / "n.msgpack").code == "ambiguous"
    (home / "c.msgpack").write_bytes(
        flaxed({"w": {"__msgpack_chunked_array__": True, "shape": {"0": 3}, "chunks": {"0": ARRAYS["one"]}}})
    )
    assert refused(home / "c.msgpack").code == "packed"


def ggml(path: Path, arrays: Mapping[str, Array], kind: gguf.GGMLQuantizationType | None = None) -> None:
    """A file as llama.cpp's own library writes it."""
    writer = gguf.GGUFWriter(path, "tiny")
    writer.add_array("tokenizer.ggml.tokens", ["a", "b"])
    for name, array in arrays.items():
        writer.add_tensor(name, array, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_gguf_that_is_not_quantised(home: Path) -> None:
    arrays = {"wide": numpy.arange(64, dtype="f4").reshape(2, 32), "half": numpy.ones((3, 32), "f2")}
    ggml(home / "m.gguf", arrays)
    found = converted(home / "m.gguf")
    holds(home / "m.safetensors", arrays)
    assert found.metadata["general.architecture"] == "tiny"
    assert [each.name for each in found.left_out] == ["tokenizer.ggml.tokens"]


def test_gguf_that_is_quantised(home: Path) -> None:
    packed = gguf.quants.quantize(numpy.ones((2, 32), "f4"), gguf.GGMLQuantizationType.Q8_0)
    ggml(home / "m.gguf", {"w": packed}, gguf.GGMLQuantizationType.Q8_0)
    assert "'w' is Q8_0" in refused(home / "m.gguf").message


def test_only_torch_has_parts(home: Path) -> None:
    numpy.savez(home / "m.npz", a=numpy.ones(2))
    assert refused(home / "m.npz", Wish(part="a")).code == "no-part"


def test_what_is_safe_already_and_what_has_no_tensors(home: Path) -> None:
    safetensors.numpy.save_file({"w": numpy.ones(2)}, home / "w.bin")
    assert refused(home / "w.bin").code == "unsupported"
    (home / "m.pkl").write_bytes(pickle.dumps({"a": 1}))
    assert refused(home / "m.pkl").code == "no-tensors"
