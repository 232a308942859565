"""Graphs and networks with their weights: ONNX, Keras, Core ML, OpenVINO, GGUF, and trees."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy
import pytest

os.environ["KERAS_BACKEND"] = "torch"
os.environ["TQDM_DISABLE"] = "1"
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import catboost
    import coremltools
    import gguf
    import h5py
    import keras
    import lightgbm
    import msgpack
    import onnx
    import openvino
    import xgboost
    from coremltools.converters.mil import Builder

from formats.checks import Array, by_name, elements, header, holds, problem

pytestmark = pytest.mark.filterwarnings("ignore")
POINTS = numpy.random.default_rng(1).random((60, 3)).astype("f4")
ANSWERS = (POINTS[:, 0] > 0.5).astype(int)


def graph(weights: Array) -> Any:
    """An ONNX model that multiplies."""
    make = onnx.helper
    kind = onnx.TensorProto.FLOAT
    inner = make.make_graph(
        [make.make_node("MatMul", ["x", "w"], ["y"])],
        "small",
        [make.make_tensor_value_info("x", kind, [1, weights.shape[0]])],
        [make.make_tensor_value_info("y", kind, [1, weights.shape[1]])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    return make.make_model(inner, producer_name="maker", producer_version="1.2")


def test_onnx(home: Path) -> None:
    weights = numpy.arange(12, dtype="f4").reshape(3, 4)
    onnx.save(graph(weights), home / "m.onnx")
    found = header(home / "m.onnx")
    holds(home / "m.onnx", found, {"w": weights})
    assert (found.format, found.framework, found.architecture) == ("ONNX", "maker 1.2", "small")
    assert ("operators", "MatMul 1") in found.metadata
    made = graph(weights)
    made.producer_version = "Git info:\n    Commit: b1bd2a6d\n"
    onnx.save(made, home / "m.onnx")
    assert header(home / "m.onnx").framework == "maker"


def test_onnx_with_its_tensors_in_another_file(home: Path) -> None:
    weights = numpy.arange(12, dtype="f4").reshape(3, 4)
    onnx.save(graph(weights), home / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    found = header(home / "m.onnx")
    holds(home / "m.onnx", found, {"w": weights})
    assert [(each.path, each.exists) for each in found.needs] == [("m.data", True)]
    os.truncate(home / "m.data", 40)
    assert not header(home / "m.onnx").complete
    (home / "m.data").unlink()
    assert [each.exists for each in header(home / "m.onnx").needs] == [False]


def test_onnx_whose_file_leads_out_of_the_folder(home: Path) -> None:
    weights = numpy.arange(12, dtype="f4").reshape(3, 4)
    onnx.save(graph(weights), home / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    data = (home / "m.onnx").read_bytes()
    (home / "m.onnx").write_bytes(data.replace(b"m.data", b"../../"))
    assert [each.exists for each in header(home / "m.onnx").needs] == [None]


def test_the_test_models_of_onnx_itself() -> None:
    models = sorted((Path(onnx.__file__).parent / "backend" / "test" / "data" / "simple").rglob("*.onnx"))
    assert models
    assert {header(path).format for path in models} == {"ONNX"}


def test_keras_in_all_its_files(home: Path) -> None:
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)], name="small")
    arrays = [each.numpy() for each in made.weights]
    for name in ("m.keras", "m.h5", "m.weights.h5"):
        (made.save_weights if "weights" in name else made.save)(home / name)
        found = header(home / name)
        assert found.framework.startswith("Keras")
        assert sorted(elements(home / name, each) for each in found.tensors) == sorted(
            each.tobytes() for each in arrays
        )
    assert header(home / "m.keras").architecture == header(home / "m.h5").architecture == "Sequential small"
    assert header(home / "m.h5").framework == f"Keras {keras.__version__} on torch"


@pytest.mark.parametrize("version", ["earliest", "latest"])
def test_hdf5_of_every_form(version: str, home: Path) -> None:
    arrays = {"a/b/c": numpy.arange(5.0), "a/d": numpy.arange(6, dtype="i2").reshape(2, 3), "e": numpy.float32(3)}
    with h5py.File(home / "m.h5", "w", libver=version) as file:
        for name, array in arrays.items():
            file[name] = array
        file.create_dataset("packed", data=numpy.zeros(1000), compression="gzip")
        file.attrs["keras_version"] = "2.4.0"
    found = header(home / "m.h5")
    named = by_name(found)
    assert (named.pop("packed").offset, found.framework) == (None, "Keras 2.4.0")
    assert {name: elements(home / "m.h5", each) for name, each in named.items()} == {
        name: numpy.asarray(array).tobytes() for name, array in arrays.items()
    }
    os.truncate(home / "m.h5", os.path.getsize(home / "m.h5") - 100)
    assert not header(home / "m.h5").complete


def test_core_ml(home: Path) -> None:
    weights = numpy.random.default_rng(1).random((400, 3)).astype("f4")

    @Builder.program(input_specs=[Builder.TensorSpec(shape=(1, 3))])  # type: ignore[untyped-decorator]
    def program(x: Any) -> Any:
        return Builder.linear(x=x, weight=weights)

    precision = coremltools.precision.FLOAT32
    made = coremltools.convert(program, convert_to="mlprogram", skip_model_load=True, compute_precision=precision)
    made.save(str(home / "m.mlpackage"))
    found = header(home / "m.mlpackage" / "Manifest.json")
    assert (found.format, found.architecture) == ("Core ML package", "program")
    assert found.framework == f"coremltools {coremltools.__version__}"
    stored = {elements(home / "m.mlpackage" / "Manifest.json", each) for each in found.tensors}
    assert weights.tobytes() in stored


def test_openvino(home: Path) -> None:
    weights = numpy.arange(12, dtype="f4").reshape(3, 4)
    onnx.save(graph(weights), home / "m.onnx")
    openvino.save_model(openvino.convert_model(home / "m.onnx"), home / "m.xml", compress_to_fp16=False)
    found = header(home / "m.xml")
    (tensor,) = found.tensors
    assert elements(home / "m.xml", tensor) in (weights.tobytes(), weights.T.tobytes())
    assert found.framework.startswith(f"OpenVINO {openvino.__version__[:6]}")
    (home / "m.bin").unlink()
    assert [(each.path, each.exists) for each in header(home / "m.xml").needs] == [("m.bin", False)]


def test_gguf_with_every_quantisation(home: Path) -> None:
    writer = gguf.GGUFWriter(home / "m.gguf", "llama")
    writer.add_file_type(15)
    writer.add_array("tokenizer.ggml.tokens", ["a", "b"])
    sizes = {}
    for kind, (block, taken) in gguf.GGML_QUANT_SIZES.items():
        data = numpy.full((4, 2 * taken), int(kind), dtype=numpy.uint8)
        writer.add_tensor(kind.name, data, raw_shape=data.shape, raw_dtype=kind)
        sizes[kind.name] = data
        assert block
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = header(home / "m.gguf")
    named = by_name(found)
    assert {name: each.dtype for name, each in named.items()} == {name: name for name in sizes}
    assert all(elements(home / "m.gguf", named[name]) == data.tobytes() for name, data in sizes.items())
    assert all(named[kind.name].shape == (4, 2 * block) for kind, (block, _) in gguf.GGML_QUANT_SIZES.items())
    assert (found.architecture, dict(found.metadata)["quantisation"], found.complete) == ("llama", "Q4_K_M", True)
    os.truncate(home / "m.gguf", os.path.getsize(home / "m.gguf") - 100)
    assert not header(home / "m.gguf").complete


def test_flax(home: Path) -> None:
    arrays = {"params/dense/kernel": numpy.ones((3, 4), "f4"), "params/dense/bias": numpy.arange(70_000, dtype="f2")}

    def packed(array: Array) -> msgpack.ExtType:
        return msgpack.ExtType(1, msgpack.packb((array.shape, array.dtype.name, array.tobytes()), use_bin_type=True))

    dense = {name.rpartition("/")[2]: packed(each) for name, each in arrays.items()}
    (home / "m").write_bytes(msgpack.packb({"params": {"dense": dense}, "step": 7}))
    holds(home / "m", header(home / "m"), arrays)


def test_trees(home: Path) -> None:
    made = xgboost.XGBClassifier(n_estimators=3).fit(POINTS, ANSWERS)
    for name in ("x.json", "x.ubj"):
        made.save_model(home / name)
        found = header(home / name)
        assert (found.format, found.framework) == ("XGBoost", f"XGBoost {xgboost.__version__}")
        assert {("num_trees", "3"), ("objective", "binary:logistic"), ("booster", "gbtree")} <= set(found.metadata)
        assert found.complete
    lightgbm.LGBMClassifier(n_estimators=4, verbose=-1).fit(POINTS, ANSWERS).booster_.save_model(home / "l.txt")
    found = header(home / "l.txt")
    assert (found.format, dict(found.metadata)["trees"], found.complete) == ("LightGBM", "4", True)
    trained = catboost.CatBoostClassifier(iterations=5, verbose=0, allow_writing_files=False).fit(POINTS, ANSWERS)
    trained.save_model(home / "c.cbm")
    found = header(home / "c.cbm")
    assert (found.framework, dict(found.metadata)["trees"]) == (f"CatBoost {catboost.__version__}", "5")
    for name in ("x.json", "x.ubj", "l.txt"):
        (home / name).write_bytes((home / name).read_bytes()[:-900])
        assert not header(home / name).complete, name


def test_truncated(home: Path) -> None:
    onnx.save(graph(numpy.zeros((30, 40), "f4")), home / "m.onnx")
    os.truncate(home / "m.onnx", 3000)
    assert problem(home / "m.onnx").code == "truncated"
