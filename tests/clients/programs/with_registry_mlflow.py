"""Loads models with MLflow's own functions, and saves some with them."""

from importlib import import_module
from typing import Any

mlflow = import_module("mlflow")
numpy = import_module("numpy")


def _rows() -> Any:
    return numpy.arange(40, dtype="float32").reshape(10, 4) % 7


def predict(flavour: str, folder: str) -> list[float]:
    """What the model of a folder answers, through its flavour."""
    found = import_module(f"mlflow.{flavour}").load_model(folder)
    rows = _rows()
    if flavour == "onnx":
        session = import_module("onnxruntime").InferenceSession(found.SerializeToString())
        return [float(each) for each in numpy.ravel(session.run(None, {session.get_inputs()[0].name: rows})[0])]
    if flavour == "xgboost" and type(found).__name__ == "Booster":
        rows = import_module("xgboost").DMatrix(rows)
    if flavour == "pytorch":
        torch = import_module("torch")
        return [float(each) for each in found(torch.from_numpy(rows)).detach().numpy().ravel()]
    return [float(each) for each in numpy.ravel(found.predict(rows))]


def pyfunc(folder: str) -> list[float]:
    """What it answers through MLflow's common interface."""
    found = mlflow.pyfunc.load_model(folder).predict(_rows())
    found = next(iter(found.values())) if isinstance(found, dict) else found
    return [float(each) for each in numpy.ravel(found)]


def save(flavour: str, folder: str, how: str = "") -> list[float]:
    """A model that MLflow saves, and its answers."""
    rows = _rows()
    target = rows[:, 0] > 3
    module = import_module(f"mlflow.{flavour}")
    more: dict[str, object] = {"pip_requirements": ["numpy"]}
    if flavour == "sklearn":
        linear = import_module("sklearn.linear_model")
        model = linear.LogisticRegression().fit(rows, target)
        module.save_model(model, folder, serialization_format=how, **more)
    elif flavour == "xgboost":
        model = import_module("xgboost").XGBClassifier(n_estimators=3).fit(rows, target)
        module.save_model(model, folder, model_format=how, **more)
    elif flavour == "lightgbm":
        lightgbm = import_module("lightgbm")
        model = lightgbm.train({"verbose": -1, "min_data_in_leaf": 1}, lightgbm.Dataset(rows, target), 3)
        module.save_model(model, folder, **more)
    else:
        torch = import_module("torch")
        model = torch.nn.Linear(4, 1)
        module.save_model(model, folder, serialization_format="pickle", **more)
        return [float(each) for each in model(torch.from_numpy(rows)).detach().numpy().ravel()]
    return [float(each) for each in numpy.ravel(model.predict(rows))]


def logged(name: str) -> str:
    """A registered model with two versions in MLflow's own store, and a model that was only logged."""
    linear = import_module("sklearn.linear_model")
    rows = _rows()
    mlflow.set_experiment("tiny")
    with mlflow.start_run(run_name="one"):
        for _ in range(2):
            model = linear.LogisticRegression().fit(rows, rows[:, 0] > 3)
            module = import_module("mlflow.sklearn")
            module.log_model(model, name="inner", registered_model_name=name, pip_requirements=["numpy"])
        module.log_model(model, name="alone", pip_requirements=["numpy"])
    return str(mlflow.get_tracking_uri())
