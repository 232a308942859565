"""MLflow's model folders: what their `MLmodel` says, and which file of them is the model. None of it is executed.

Layout: https://mlflow.org/docs/latest/ml/model/#storage-format, and `save_model` of each flavour.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import yaml
from msgspec import Struct

from modelyard.problem import Problem
from modelyard.registry.errors import RegistryError, raised
from modelyard.registry.foreign import ForeignFile
from modelyard.registry.layout import is_inside
from modelyard.walk.read import read_file

MLMODEL = "MLmodel"
CAP = 4 << 20
Words = Mapping[str, object]
TOLD = ("model_uuid", "model_id", "run_id", "utc_time_created", "mlflow_version", "signature")
"""What of an MLmodel is kept with the version."""


class MlflowModel(Struct, frozen=True):
    """A model folder: its file, its flavour, and what else is worth keeping of it."""

    folder: str
    flavour: str
    file: ForeignFile
    told: dict[str, object]


def read_mlflow(folder: str) -> MlflowModel:
    """The model in a folder. RegistryError where there is none, or none of a flavour whose files can be taken."""
    document = _document(os.path.join(folder, MLMODEL))
    flavours = document.get("flavors")
    known: Words = flavours if isinstance(flavours, dict) else {}
    for name, choose in FLAVOURS.items():
        words = known.get(name)
        if isinstance(words, dict):
            told = {key: document[key] for key in TOLD if isinstance(document.get(key), str | dict)}
            return MlflowModel(folder, name, choose(folder, words), _plain(told) | {"flavour": name})
    listed = ", ".join(str(each)[:40] for each in known) or "none"
    hint = f"these can be taken: {', '.join(FLAVOURS)}; save others from Python"
    raise RegistryError(f"{folder} has no flavour that is kept in files of its own: {listed}", "unsupported", hint)


def _plain(value: object) -> dict[str, object]:
    """As JSON has it: YAML may hold dates."""
    import msgspec

    found: dict[str, object] = msgspec.json.decode(msgspec.json.encode(value), type=dict[str, object])
    return found


def _document(path: str) -> Words:
    text = read_file(os.fsencode(path), CAP)
    if isinstance(text, Problem):
        raise raised(text)
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RegistryError(f"{path} cannot be read: {str(error)[:200]}", "damaged") from error
    if not isinstance(found, dict):
        raise RegistryError(f"{path} is no description of a model", "damaged")
    return {str(key): value for key, value in found.items()}


def _file(folder: str, words: Words, key: str, default: str = "") -> str:
    """The path of a file that a flavour names. RegistryError for one that leads out of its folder."""
    told = words.get(key) or default
    if not isinstance(told, str) or not is_inside(told):
        raise RegistryError(f"{folder}: {key} is {str(told)[:80]!r}, which is no file in it", "damaged")
    path = os.path.realpath(os.path.join(folder, told))
    if not path.startswith(os.path.join(os.path.realpath(folder), "")):
        raise RegistryError(f"{folder}: {told} leads out of it", "damaged")
    return path


def _kind(words: Words, key: str) -> str:
    return str(words.get(key) or "").rpartition(".")[2]


def _onnx(folder: str, words: Words) -> ForeignFile:
    return ForeignFile(_file(folder, words, "data"), "model.onnx", "onnx", "ONNX")


def _xgboost(folder: str, words: Words) -> ForeignFile:
    config = {"class": _kind(words, "model_class") or "Booster", "arguments": {}}
    return ForeignFile(_file(folder, words, "data"), "model.ubj", "xgboost", "XGBoost", config)


def _lightgbm(folder: str, words: Words) -> ForeignFile:
    path = _file(folder, words, "data")
    if _kind(words, "model_class") in ("", "Booster"):
        return ForeignFile(path, "model.txt", "lightgbm", "LightGBM", {"class": "Booster"})
    return _pickled_or_skops(path, words, "LightGBM")


def _catboost(folder: str, words: Words) -> ForeignFile:
    config = {"class": _kind(words, "model_type") or "CatBoost"}
    return ForeignFile(_file(folder, words, "data"), "model.cbm", "catboost", "CatBoost", config)


def _keras(folder: str, words: Words) -> ForeignFile:
    told = {**words, "data": f"{words.get('data') or 'data/model'}"}
    path = _file(folder, told, "data")
    path = os.path.join(path, "model") if os.path.isdir(path) else path
    return ForeignFile(f"{path}.keras", "model.keras", "keras", "Keras")


def _sklearn(folder: str, words: Words) -> ForeignFile:
    return _pickled_or_skops(_file(folder, words, "pickled_model", "model.pkl"), words, "scikit-learn")


def _pickled_or_skops(path: str, words: Words, framework: str) -> ForeignFile:
    if words.get("serialization_format") == "skops":
        return ForeignFile(path, "model.skops", "sklearn", framework)
    return ForeignFile(path, "model.joblib", "sklearn", framework, pickled=True)


def _pytorch(folder: str, words: Words) -> ForeignFile:
    data = str(words.get("model_data") or "data")
    exported = _file(folder, {"data": f"{data}/model.pt2"}, "data")
    if os.path.exists(exported):
        return ForeignFile(exported, "model.pt2", "file", "PyTorch")
    return ForeignFile(
        _file(folder, {"data": f"{data}/model.pth"}, "data"), "model.pt", "torch", "PyTorch", pickled=True
    )


FLAVOURS: dict[str, Callable[[str, Words], ForeignFile]] = {
    "onnx": _onnx,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "catboost": _catboost,
    "keras": _keras,
    "sklearn": _sklearn,
    "pytorch": _pytorch,
}
"""By the name of the flavour, the safe ones first."""
