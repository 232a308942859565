"""Models in ONNX beside their weights: they compute what was saved, and a server of them answers the same."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import onnxruntime
import pandas
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import modelyard as my
from modelyard.cli import documents
from modelyard.convert import onnx_compare, onnx_torch
from modelyard.library import RegistryError, UnsafeError
from modelyard.serve.choosing import Served, Wish
from modelyard.serve.service import Access, Limits
from serve.serving import ask, served
from typed import Run

os.environ["KERAS_BACKEND"] = "torch"
RANDOM = np.random.default_rng(11)
X = RANDOM.random((60, 4))
Y = (X[:, 0] + X[:, 1] > 1).astype(int)
pytestmark = pytest.mark.filterwarnings("ignore")


class Gate(torch.nn.Module):
    """Two inputs and two outputs, all by name."""

    def __init__(self) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(2, 3)

    def forward(self, ids: torch.Tensor, weight: torch.Tensor) -> dict[str, torch.Tensor]:
        """A mean, and its sign."""
        found = self.words(ids).mean(1) * weight
        return {"mean": found, "positive": found > 0}


def a_net() -> Any:
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Dropout(0.5), torch.nn.Softmax(-1)).eval()


@pytest.fixture
def registry(home: Path) -> my.Registry:
    return my.Registry(home / "models")


def session(registry: my.Registry, which: str) -> Any:
    return onnxruntime.InferenceSession(registry.path(which) / "model.onnx")


def test_a_module_is_exported_with_a_free_batch_and_the_names_of_its_schema(registry: my.Registry) -> None:
    net = a_net().train()
    registry.save(net, "net", example_input=torch.rand(1, 4))
    before = {each.path: each.sha256 for each in registry.metadata("net").files}
    found = registry.export("net", "onnx")
    assert (found.opset, found.batches, found.error < 1e-5, found.compared) == ({"ai.onnx": 18}, [1, 2, 5], True, 24)
    known = registry.metadata("net")
    assert known.exports == [found]
    assert before.items() <= {each.path: each.sha256 for each in known.files}.items()
    assert {each.path for each in known.files} - set(before) == {"model.onnx"}
    assert {each.state for each in registry.verify("net")} == {"ok"}
    assert f"{found.sha256}  model.onnx\n" in (registry.path("net") / "SHA256SUMS").read_text()
    model = onnx.load(registry.path("net") / "model.onnx")
    sides = [each.type.tensor_type.shape.dim[0].dim_param for each in (*model.graph.input, *model.graph.output)]
    assert sides == ["batch", "batch"]
    rows = torch.rand(9, 4)
    (answer,) = session(registry, "net").run(["output"], {"input": rows.numpy()})
    assert np.allclose(answer, net.eval()(rows).detach(), atol=1e-6)


def boosted(kind: str) -> Any:
    import lightgbm
    import xgboost

    few: dict[str, Any] = {"n_estimators": 4, "max_depth": 2}
    return {
        "xgboost classifier": lambda: xgboost.XGBClassifier(**few).fit(X, (X[:, 0] * 3).astype(int)),
        "xgboost booster": lambda: xgboost.train({"max_depth": 2}, xgboost.DMatrix(X, Y), 3),
        "lightgbm classifier": lambda: lightgbm.LGBMClassifier(**few, verbose=-1).fit(X, np.where(Y, "yes", "no")),
        "lightgbm booster": lambda: lightgbm.train({"verbose": -1}, lightgbm.Dataset(X, X[:, 0]), 3),
    }[kind]()


@pytest.mark.parametrize("kind", ["xgboost classifier", "xgboost booster", "lightgbm classifier", "lightgbm booster"])
def test_trees_are_exported_without_any_example(registry: my.Registry, kind: str) -> None:
    model = boosted(kind)
    registry.save(model, "trees")
    found = registry.export("trees")
    assert [each.shape for each in found.inputs] == [[None, 4]]
    rows = X[:7].astype(np.float32)
    answers = session(registry, "trees").run(None, {"input": rows})
    if "classifier" in kind:
        assert answers[0].tolist() == model.predict(rows).tolist()
        assert np.allclose(answers[1], model.predict_proba(rows), atol=1e-5)
    else:
        import xgboost

        told = model.predict(xgboost.DMatrix(rows)) if "xgboost" in kind else model.predict(rows)
        assert answers[0].shape == told.shape
        assert np.allclose(answers[0], told, atol=1e-5)


def test_a_keras_model_on_torch(registry: my.Registry) -> None:
    import keras

    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3, "relu"), keras.layers.Dense(1)])
    registry.save(model, "keras", example_input=X[:2].astype("float32"))
    assert registry.export("keras").error < 1e-5
    (answer,) = session(registry, "keras").run(None, {"input": X[:7].astype("float32")})
    assert np.allclose(answer, model.predict(X[:7], verbose=0), atol=1e-5)


def told(registry: my.Registry, which: str, inputs: dict[str, Any], engine: Any) -> dict[str, Any]:
    """What a server says, and by what."""
    with Served(registry, which) as held:
        predictor = held.predictor(Wish(engine))
        with served(held.service(predictor, Limits(), Access())) as url:
            answer = ask(f"{url}/predict", {"inputs": inputs})
    assert answer.status == 200, answer.body
    assert ("onnxruntime" in predictor.engine) == (engine == "auto")
    found: dict[str, Any] = answer.json["outputs"]
    return found


MODELS: dict[str, tuple[Callable[[], Any], Any]] = {
    "classifier": (
        lambda: make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=0)).fit(
            X, np.where(Y, "yes", "no")
        ),
        X[:3],
    ),
    "table": (
        lambda: make_pipeline(StandardScaler(), LinearRegression()).fit(
            pandas.DataFrame({"age": X[:, 0], "net worth": X[:, 1]}), Y
        ),
        pandas.DataFrame({"age": X[:3, 0], "net worth": X[:3, 1]}),
    ),
    "named": (Gate, {"ids": torch.tensor([[0, 1, 1]]), "weight": torch.rand(1, 3)}),
}


@pytest.mark.parametrize("kind", MODELS)
def test_an_exported_model_answers_over_http_as_the_original_does(registry: my.Registry, kind: str) -> None:
    make, example = MODELS[kind]
    registry.save(make(), "model", example_input=example)
    rows = RANDOM.random((5, 4)).astype(np.float32)
    inputs = {
        "table": {"age": rows[:, 0].tolist(), "net worth": rows[:, 1].tolist()},
        "named": {"ids": (rows[:, :3] > 0.5).astype(int).tolist(), "weight": rows[:, :3].tolist()},
    }.get(kind, {"input": rows.tolist()})
    trusted = my.Registry(registry.root, trusted=[Gate])
    original = told(trusted, "model", inputs, "native")
    trusted.export("model")
    exported = told(registry, "model", inputs, "auto")
    assert exported.keys() == original.keys()
    for name, values in original.items():
        if isinstance(np.ravel(values)[0], np.floating):
            assert np.shape(exported[name]) == np.shape(values)
            assert np.allclose(exported[name], values, atol=1e-5)
        else:
            assert exported[name] == values


def test_weights_outside_of_the_model_are_files_of_the_version_and_are_served(
    registry: my.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_torch, "OUTSIDE", 0)
    net = torch.nn.Linear(300, 40)
    registry.save(net, "big", example_input=torch.rand(2, 300))
    registry.export("big")
    assert {"model.onnx", "model.onnx.data"} < {each.path for each in registry.metadata("big").files}
    assert {each.state for each in registry.verify("big")} == {"ok"}
    rows = torch.rand(3, 300)
    found = told(registry, "big", {"input": rows.tolist()}, "auto")["output"]
    assert np.allclose(found, net(rows).detach(), atol=1e-5)


def test_what_cannot_be_exported_says_why_and_changes_nothing(registry: my.Registry) -> None:
    odd = make_pipeline(FunctionTransformer(np.cbrt), LogisticRegression()).fit(X, Y)
    registry.save(odd, "odd", example_input=X[:3])
    registry.save({"w": X}, "arrays")
    registry.save(LogisticRegression().fit(pandas.DataFrame(X, columns=list("abcd")), Y), "unknown")
    registry.save(LogisticRegression().fit(X, Y), "plain")
    files = {path: path.read_bytes() for path in Path(registry.root).rglob("*") if path.is_file()}
    says = {
        ("odd", "onnx"): "", ("arrays", "onnx"): "arrays compute nothing", ("plain", "tflite"): "formats: onnx",
        ("unknown", "onnx"): "without an example",
    }  # fmt: skip
    for (name, to), words in says.items():
        with pytest.raises(RegistryError, match=words):
            registry.export(name, to, trusted=["numpy.cbrt"])
    assert {path: path.read_bytes() for path in Path(registry.root).rglob("*") if path.is_file()} == files
    registry.export("plain")
    with pytest.raises(RegistryError, match="already"):
        registry.export("plain")
    registry.save(Gate(), "gate", example_input={"ids": torch.tensor([[0, 1]]), "weight": torch.rand(1, 3)})
    with pytest.raises(UnsafeError, match="Gate"):
        registry.export("gate")


def test_an_export_that_computes_something_else_is_not_kept(
    registry: my.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.save(LinearRegression().fit(X, X[:, 0]), "line")
    real = onnx_compare.Session.run
    monkeypatch.setattr(onnx_compare.Session, "run", lambda self, inputs: [real(self, inputs)[0].astype("f4") * 1.01])
    with pytest.raises(RegistryError, match="computes something else"):
        registry.export("line")
    assert sorted(path.name for path in registry.path("line").iterdir()) == [
        "SHA256SUMS", "metadata.json", "model.skops"]  # fmt: skip
    assert registry.export("line", tolerance=0.1).tolerance.startswith("0.1 of the largest")


def test_the_command(run: Run, home: Path, registry: my.Registry) -> None:
    registry.save(a_net(), "net")
    answer = run("registry", "export", "net", "onnx")
    assert (answer.code, "--example FILE" in answer.err) == (1, True)
    np.save(home / "x.npy", X[:1])
    (home / "bad.json").write_text("[[1, 2], [3]]")
    answer = run("registry", "export", "net", "onnx", "--example", "bad.json")
    assert (answer.code, "bad.json is no example" in answer.err) == (1, True)
    answer = run("registry", "export", "net", "onnx", "--example", "x.npy")
    assert (answer.code, answer.out) == (0, f"{home}/models/net/v1.0.0/model.onnx\n")
    assert "input      input float32[n, 4]" in answer.err and "allowed    1e-2 (float16)" in answer.err
    assert run("registry", "export", "net", "onnx").code == 4
    shown = run("registry", "show", "net").out
    assert "exported   model.onnx, at most " in shown
    registry.save(LinearRegression().fit(X, X[:, 0]), "line")
    (home / "x.json").write_text(json.dumps(X[:2].tolist()))
    found = msgspec.json.decode(
        run("registry", "export", "line", "--example", "x.json", "--json").out, type=documents.ExportedVersion
    )
    assert (found.id, found.batches, found.outputs[0].shape) == ("line@1.0.0", [1, 7, 200], [None])
