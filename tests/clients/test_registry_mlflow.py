"""Versions of a registry as MLflow's own functions load them, and MLflow's models as versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelyard as my
from clients.client import Client, runs
from modelyard.library import Registry, UnsafeError

pytestmark = runs("with_registry_mlflow", "mlflow")
ROWS = np.arange(40, dtype=np.float32).reshape(10, 4) % 7
TARGET = ROWS[:, 0] > 3


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """An empty registry."""
    return my.Registry(tmp_path / "models")


def allowed(client: Client) -> Client:
    """MLflow loads skops and pickles only where it is told to."""
    return client.told(MLFLOW_ALLOW_PICKLE_DESERIALIZATION="true")


def models() -> dict[str, Any]:
    """A model of each flavour."""
    import lightgbm
    import sklearn.ensemble
    import torch
    import xgboost

    return {
        "xgboost": xgboost.XGBClassifier(n_estimators=3).fit(ROWS, TARGET),
        "lightgbm": lightgbm.train({"verbose": -1, "min_data_in_leaf": 1}, lightgbm.Dataset(ROWS, TARGET), 3),
        "sklearn": sklearn.ensemble.RandomForestClassifier(3, random_state=0).fit(ROWS, TARGET),
        "pytorch": torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU()),
        "onnx": onnx_model(),
    }


def onnx_model() -> Any:
    """Rows times a matrix."""
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.arange(8, dtype=np.float32).reshape(4, 2), "w")
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", side]) for name, side in (("x", 4), ("y", 2))]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", ports[:1], ports[1:], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def answers(flavour: str, model: Any) -> list[float]:
    """What the model answers here."""
    import torch

    if flavour == "onnx":
        return [float(each) for each in (ROWS @ np.arange(8, dtype=np.float32).reshape(4, 2)).ravel()]
    if flavour == "pytorch":
        return [float(each) for each in model(torch.from_numpy(ROWS)).detach().numpy().ravel()]
    return [float(each) for each in np.ravel(model.predict(ROWS))]


def test_mlflow_loads_every_flavour_and_it_comes_back(client: Client, registry: Registry, tmp_path: Path) -> None:
    made, calls = models(), []
    for flavour, model in made.items():
        example = ROWS[:2] if flavour in ("xgboost", "sklearn") else None
        registry.save(model, flavour, example_input=example)
        target = tmp_path / f"to-{flavour}"
        registry.to_mlflow(flavour, target, allow_pickle=flavour == "pytorch")
        calls += [("predict", flavour, target), ("pyfunc", target)]
    found: list[Any] = allowed(client).calls(*calls)
    for at, (flavour, model) in enumerate(made.items()):
        assert found[2 * at] == pytest.approx(answers(flavour, model), abs=1e-5), flavour
        assert found[2 * at + 1] == pytest.approx(answers(flavour, model), abs=1e-5), flavour
    for flavour, model in made.items():
        if flavour != "pytorch":
            registry.from_mlflow(tmp_path / f"to-{flavour}", f"back-{flavour}")
            again = registry.load(f"back-{flavour}")
            assert answers(flavour, again) == pytest.approx(answers(flavour, model), abs=1e-6), flavour


SAFE = [("sklearn", "skops"), ("xgboost", "ubj"), ("xgboost", "json"), ("lightgbm", "")]
PICKLED = [("sklearn", "pickle"), ("pytorch", "")]


def test_what_mlflow_saved_is_taken_and_pickles_only_when_they_are_allowed(
    client: Client, registry: Registry, tmp_path: Path
) -> None:
    calls = [("save", flavour, tmp_path / f"{flavour}-{how}", how) for flavour, how in (*SAFE, *PICKLED)]
    found: list[Any] = allowed(client).calls(*calls)
    for (flavour, how), told in zip((*SAFE, *PICKLED), found, strict=True):
        pickled = (flavour, how) in PICKLED
        folder = tmp_path / f"{flavour}-{how}"
        if pickled:
            with pytest.raises(UnsafeError):
                registry.from_mlflow(folder, "net")
        which = registry.from_mlflow(folder, "net", allow_pickle=pickled)
        if pickled:
            with pytest.raises(UnsafeError):
                registry.load(which)
            with pytest.raises(UnsafeError):
                registry.to_mlflow(which, tmp_path / "again")
        assert answers(flavour, registry.load(which, allow_pickle=pickled)) == pytest.approx(told, abs=1e-5)
        kept = registry.metadata(which).extra["mlflow"]
        assert (kept["flavour"], "mlflow_version" in kept) == (flavour, True)
    (tmp_path / "sklearn-pickle" / "model.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(UnsafeError):
        registry.from_mlflow(tmp_path / "sklearn-pickle", "net", allow_pickle=True)
