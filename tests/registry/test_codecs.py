"""Models of every framework come back from a registry as they went in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import modelyard as my
from modelyard.registry.errors import RegistryError, UnsafeError

os.environ["KERAS_BACKEND"] = "torch"
RANDOM = np.random.default_rng(7)
X = RANDOM.random((60, 4))
Y = (X[:, 0] + X[:, 1] > 1).astype(int)


def again(folder: Path, model: Any, **options: Any) -> Any:
    """The model after a save and a load."""
    registry = my.Registry(folder)
    wished = {key: options.pop(key) for key in ("trusted", "allow_pickle", "mmap", "verify", "dtype") if key in options}
    if wished.get("allow_pickle"):
        options["allow_pickle"] = True
    which = registry.save(model, "model", **options)
    assert all(each.state == "ok" for each in registry.verify())
    return registry.load(which, **wished)


def test_a_pipeline_of_scikit_learn(tmp_path: Path) -> None:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=0)).fit(X, Y)
    loaded = again(tmp_path, pipeline, example_input=X[:5], metrics={"f1": 0.93})
    assert np.array_equal(loaded.predict_proba(X), pipeline.predict_proba(X))
    metadata = my.Registry(tmp_path).metadata("model")
    assert (metadata.framework, metadata.metrics) == ("scikit-learn", {"f1": 0.93})
    assert [(each.dtype, each.shape) for each in metadata.inputs + metadata.outputs] == [
        ("float64", [None, 4]), ("int64", [None])]  # fmt: skip


@pytest.mark.parametrize("kind", ["XGBClassifier", "XGBRegressor", "Booster"])
def test_xgboost_in_its_own_format(tmp_path: Path, kind: str) -> None:
    import xgboost

    if kind == "Booster":
        model: Any = xgboost.train({"max_depth": 2}, xgboost.DMatrix(X, Y), 3)
        loaded = again(tmp_path, model)
        assert np.array_equal(loaded.predict(xgboost.DMatrix(X)), model.predict(xgboost.DMatrix(X)))
        return
    model = getattr(xgboost, kind)(n_estimators=3, max_depth=2).fit(X, Y)
    loaded = again(tmp_path, model, example_input=X[:3])
    assert type(loaded) is type(model)
    assert np.array_equal(loaded.predict(X), model.predict(X))
    assert loaded.get_params()["n_estimators"] == 3


@pytest.mark.parametrize("kind", ["LGBMClassifier", "LGBMRegressor", "Booster"])
def test_lightgbm_in_its_own_format(tmp_path: Path, kind: str) -> None:
    import lightgbm

    labels = np.where(Y, "yes", "no") if kind == "LGBMClassifier" else Y
    if kind == "Booster":
        model: Any = lightgbm.train({"verbose": -1}, lightgbm.Dataset(X, Y), 3)
    else:
        model = getattr(lightgbm, kind)(n_estimators=3, min_child_samples=2, verbose=-1).fit(X, labels)
    loaded = again(tmp_path, model)
    assert type(loaded) is type(model)
    assert np.array_equal(loaded.predict(X), model.predict(X))
    if kind == "LGBMClassifier":
        assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
        assert list(loaded.classes_) == ["no", "yes"]


@pytest.mark.parametrize("kind", ["CatBoostClassifier", "CatBoostRegressor"])
def test_catboost_in_its_own_format(tmp_path: Path, kind: str) -> None:
    import catboost

    model = getattr(catboost, kind)(iterations=3, depth=2, verbose=False, allow_writing_files=False).fit(X, Y)
    loaded = again(tmp_path, model)
    assert type(loaded) is type(model)
    assert np.array_equal(loaded.predict(X), model.predict(X))


def test_keras(tmp_path: Path) -> None:
    import keras

    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3, "relu"), keras.layers.Dense(1)])
    loaded = again(tmp_path, model, example_input=X[:2].astype("float32"))
    assert np.array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))


def onnx_model() -> Any:
    """A matrix product."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(RANDOM.random((4, 2)).astype(np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])], [weights],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=onnx.IR_VERSION - 2)


def test_onnx_in_memory_and_with_tensors_in_another_file(tmp_path: Path) -> None:
    import onnx

    model = onnx_model()
    loaded = again(tmp_path / "one", model, example_input=X[:3].astype(np.float32))
    assert loaded == model
    assert my.Registry(tmp_path / "one").metadata("model").outputs[0].name == "y"
    path = tmp_path / "m.onnx"
    onnx.save(model, path, save_as_external_data=True, location="m.data", size_threshold=0)
    loaded = again(tmp_path / "two", path)
    assert onnx.numpy_helper.to_array(loaded.graph.initializer[0]).tolist() == onnx.numpy_helper.to_array(
        onnx.load(path).graph.initializer[0]).tolist()  # fmt: skip


def test_a_hugging_face_model_with_its_tokenizer(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1, "b": 2}, "[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="[UNK]")  # type: ignore[no-untyped-call]
    settings = BertConfig(
        vocab_size=30, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=16,
    )  # fmt: skip
    model: Any = BertForMaskedLM(settings)
    model.eval()
    loaded, words = again(tmp_path, model, tokenizer=tokenizer, example_input={"input_ids": torch.tensor([[1, 2]])})
    given = words("a b c", return_tensors="pt")["input_ids"]
    assert given.tolist() == [[1, 2, 0]]
    assert torch.equal(loaded(given).logits, model(given).logits)
    assert loaded.cls.predictions.decoder.weight is loaded.bert.embeddings.word_embeddings.weight
    bare = my.Registry(tmp_path).load(my.Registry(tmp_path).save(model, "bare"), dtype=torch.bfloat16)
    assert bare.dtype is torch.bfloat16


class Net(torch.nn.Module):
    """Tied weights, a buffer in the state, one outside of it, and a constructor that keeps what it was given."""

    def __init__(self, width: int, depth: int = 2) -> None:
        super().__init__()
        self.width, self.depth = width, depth
        self.embed = torch.nn.Embedding(10, width)
        self.layers = torch.nn.ModuleList(torch.nn.Linear(width, width) for _ in range(depth))
        self.head = torch.nn.Linear(width, 10, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("scale", torch.full((1,), 3.0))
        self.register_buffer("mask", torch.arange(width).float(), persistent=False)
        self.layers[0].weight.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The usual."""
        h = self.embed(x) * self.scale + self.get_buffer("mask")
        for each in self.layers:
            h = each(h)
        return self.head(h)  # type: ignore[no-any-return]


@pytest.mark.parametrize("mmap", [True, False])
def test_a_torch_module_with_tied_weights_and_buffers(tmp_path: Path, mmap: bool) -> None:
    model = Net(4)
    with torch.no_grad():
        model.get_buffer("scale").fill_(0.5)
    given = torch.tensor([[1, 2, 3]])
    loaded = again(tmp_path, model, trusted=[Net], mmap=mmap, verify=True, example_input=given)
    assert torch.equal(loaded(given), model(given))
    assert loaded.head.weight is loaded.embed.weight
    assert not loaded.layers[0].weight.requires_grad and loaded.layers[1].weight.requires_grad
    loaded(given).sum().backward()
    torch.optim.SGD(loaded.parameters(), 0.1).step()
    assert torch.equal(my.Registry(tmp_path).load("model", trusted=[Net])(given), model(given))


class Opaque(torch.nn.Module):
    """A constructor that keeps nothing of what it was given."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(size, size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The usual."""
        return self.inner(x)  # type: ignore[no-any-return]


def test_a_torch_module_that_keeps_nothing_needs_its_arguments(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="needs 'size'"):
        again(tmp_path, Opaque(3))
    with pytest.raises(Exception, match=r"has another 'inner.weight'"):
        again(tmp_path, Opaque(3), config={"size": 4})
    loaded = again(tmp_path, Opaque(3), config={"size": 3}, trusted=[__name__])
    assert isinstance(loaded, Opaque)
    assert not list(my.Registry(tmp_path).path("model").glob("*.pt"))


class Measured(torch.nn.Module):
    """A constructor that looks at numbers, which a module without memory has none of."""

    def __init__(self, size: int = 3) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(size, size)
        self.norm = float(self.inner.weight.norm().item()) > 0
        self.offset = torch.arange(size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The usual."""
        return self.inner(x) + self.offset  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", [Measured, Net])
def test_saving_and_loading_leave_the_random_numbers_of_a_training_alone(tmp_path: Path, kind: type) -> None:
    model = Net(4) if kind is Net else Measured()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    loaded = again(tmp_path, model, trusted=[kind], config={"size": 3} if kind is Measured else None)
    assert torch.equal(torch.get_rng_state(), before)
    given = torch.tensor([[1, 2, 3]]) if kind is Net else torch.ones(2, 3)
    assert torch.equal(loaded(given), model(given))


def test_a_whole_torch_module_only_when_pickle_is_asked_for(tmp_path: Path) -> None:
    model = Opaque(3)
    loaded = again(tmp_path, model, allow_pickle=True)
    assert torch.equal(loaded(torch.ones(3)), model(torch.ones(3)))
    with pytest.raises(UnsafeError, match="allow_pickle=True"):
        my.Registry(tmp_path).load("model")


def test_files_from_the_disk_are_loaded_by_their_format(tmp_path: Path) -> None:
    import gguf
    import safetensors.torch
    import skops.io
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit(X, Y)
    skops.io.dump(model, tmp_path / "line.skops")
    assert np.array_equal(again(tmp_path / "a", tmp_path / "line.skops").predict(X), model.predict(X))
    safetensors.torch.save_file({"w": torch.ones(2, dtype=torch.bfloat16)}, tmp_path / "w.bin", {"format": "pt"})
    assert again(tmp_path / "b", tmp_path / "w.bin")["w"].dtype is torch.bfloat16
    writer = gguf.GGUFWriter(tmp_path / "tiny.gguf", "llama")
    writer.add_tensor("w", np.ones((2, 32), np.float32))
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()
    registry = my.Registry(tmp_path / "c")
    which = registry.save(tmp_path / "tiny.gguf", "tiny")
    with pytest.raises(RegistryError, match=r"kept, not loaded; `modelyard registry load tiny@1\.0\.0 --to"):
        registry.load(which)
    assert "tiny.gguf" in registry.copy_out(which, tmp_path / "out")
    assert (tmp_path / "out" / "tiny.gguf").read_bytes() == (tmp_path / "tiny.gguf").read_bytes()
    (tmp_path / "half.safetensors").write_bytes((tmp_path / "w.bin").read_bytes()[:-1])
    with pytest.raises(RegistryError, match="ends before"):
        registry.save(tmp_path / "half.safetensors", "half")
