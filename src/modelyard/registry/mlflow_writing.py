"""Writes a version as a folder that `mlflow.<flavour>.load_model` and `mlflow.pyfunc.load_model` take."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import yaml
from msgspec import Struct, field

from modelyard.apply.disk import Disk
from modelyard.apply.folder import Folder, folder
from modelyard.registry.classes import vouched
from modelyard.registry.codec import Loading
from modelyard.registry.config import read_config
from modelyard.registry.errors import RegistryError, UnsafeError
from modelyard.registry.held import Held
from modelyard.registry.layout import CARD, CODE, CONFIG
from modelyard.registry.loading import load, opened
from modelyard.registry.metadata import Metadata, Port
from modelyard.registry.mlflow_reading import MLMODEL
from modelyard.registry.references import Reference

ONNX = "model.onnx"
VERSIONS = {
    "onnx": (("onnx_version", "onnx"),),
    "xgboost": (("xgb_version", "xgboost-cpu"), ("xgb_version", "xgboost")),
    "lightgbm": (("lgb_version", "lightgbm"),),
    "catboost": (("catboost_version", "catboost"),),
    "keras": (("keras_version", "keras"),),
    "sklearn": (("sklearn_version", "scikit-learn"),),
    "pytorch": (("pytorch_version", "torch"),),
}
"""By flavour: how it calls the version of a package."""


class Flavour(Struct, frozen=True):
    """What `MLmodel` says of a version: the flavour's name and words, and the files by the name they get."""

    name: str
    words: Mapping[str, object]
    files: Mapping[str, str]
    loader: Mapping[str, object] = field(default_factory=dict)


def to_mlflow(root: str, which: Reference, target: str, wish: Loading) -> list[str]:
    """Writes the folder, whole or not at all; the paths in it. RegistryError where there is one, or no flavour."""
    if os.path.lexists(target):
        raise RegistryError(f"{target} is there already", "exists", "name a new folder")
    with (
        opened(root, which) as (files, metadata),
        folder(Disk(), os.fsencode(os.path.dirname(target)), mode=0o666) as made,
    ):
        flavour = _flavour(files, metadata, wish)
        for name, source in flavour.files.items():
            made.copy(name, files.descriptor(source))
            files.compare(source, made.files[name].sha256)
        if flavour.name == "pytorch":
            _pickle(load(root, which, wish), made)
        _describe(made, flavour, metadata)
        try:
            made.keep(os.fsencode(target))
        except FileExistsError as error:
            raise RegistryError(f"{target} is there already", "exists", "name a new folder") from error
        return sorted(made.files)


def _flavour(files: Held, metadata: Metadata, wish: Loading) -> Flavour:
    if files.has(ONNX):
        return _onnx(files, metadata)
    if metadata.codec not in FLAVOURS:
        hint = 'reg.export(NAME, "onnx") makes a file that goes there; `push` takes every version as it is'
        raise RegistryError(f"MLflow has no flavour for {metadata.codec} versions", "unsupported", hint)
    return FLAVOURS[metadata.codec](files, metadata, wish)


def _onnx(files: Held, metadata: Metadata) -> Flavour:
    beside = [each for each in files.entries if each not in (CONFIG, CARD) and not each.startswith(f"{CODE}/")]
    names = beside if metadata.codec == "onnx" else [each for each in beside if each.startswith(ONNX)]
    words = {"data": ONNX, "providers": ["CPUExecutionProvider"]}
    return Flavour("onnx", words, {each: each for each in names}, {"data": ONNX})


def _xgboost(files: Held, metadata: Metadata, wish: Loading) -> Flavour:
    kind = str(read_config(files).get("class", "Booster"))
    place = "xgboost.core" if kind == "Booster" else "xgboost.sklearn"
    words = {"data": "model.ubj", "model_class": f"{place}.{kind}", "model_format": "ubj"}
    return Flavour("xgboost", words, {"model.ubj": "model.ubj"}, {"data": "model.ubj"})


def _lightgbm(files: Held, metadata: Metadata, wish: Loading) -> Flavour:
    words = {"data": "model.lgb", "model_class": "lightgbm.basic.Booster"}
    return Flavour("lightgbm", words, {"model.lgb": "model.txt"}, {"data": "model.lgb"})


def _catboost(files: Held, metadata: Metadata, wish: Loading) -> Flavour:
    kind = str(read_config(files).get("class", "CatBoost"))
    words = {"data": "model.cb", "model_type": kind, "save_format": "cbm"}
    return Flavour("catboost", words, {"model.cb": "model.cbm"}, {"data": "model.cb"})


def _keras(files: Held, metadata: Metadata, wish: Loading) -> Flavour:
    words = {"data": "data/model", "save_exported_model": False}
    return Flavour("keras", words, {"data/model.keras": "model.keras"})


def _sklearn(files: Held, metadata: Metadata, wish: Loading) -> Flavour:
    if files.has("model.joblib"):
        if not wish.allow_pickle:
            raise _needs_pickle(files.shown("model.joblib"))
        words: dict[str, object] = {"pickled_model": "model.pkl", "serialization_format": "pickle"}
        return Flavour("sklearn", words, {"model.pkl": "model.joblib"}, {"model_path": "model.pkl"})
    words = {"pickled_model": "model.skops", "serialization_format": "skops"}
    words["skops_trusted_types"] = _trusted(files, wish.trusted)
    return Flavour("sklearn", words, {"model.skops": "model.skops"}, {"model_path": "model.skops"})


def _trusted(files: Held, trusted: Sequence[Any]) -> list[str]:
    """The types that MLflow is to trust: only those that hold numbers, and those that the caller vouches for."""
    import skops.io

    from modelyard.registry.codecs.sklearn_models import HARMLESS

    asked = skops.io.get_untrusted_types(data=bytes(files.content("model.skops")))
    foreign = sorted(each for each in asked if each not in HARMLESS and not vouched(each, trusted))
    if foreign:
        hint = f"look at them, and vouch for them: trusted={foreign[:8]!r}"
        raise UnsafeError(f"MLflow would build {', '.join(foreign[:8])}", "untrusted-class", hint)
    return sorted(asked)


def _torch(files: Held, metadata: Metadata, wish: Loading) -> Flavour:
    if not wish.allow_pickle:
        raise _needs_pickle(files.path)
    words = {"model_data": "data", "pytorch_version": metadata.packages.get("torch", "")}
    return Flavour("pytorch", words, {}, {"data": "data"})


def _needs_pickle(path: str) -> UnsafeError:
    hint = "export it to ONNX, or write the pickle with allow_pickle=True"
    return UnsafeError(f"MLflow loads {path} by unpickling alone", "needs-pickle", hint)


def _pickle(model: Any, made: Folder) -> None:
    import torch

    with made.stream("data/model.pth") as stream:
        torch.save(model, stream)  # type: ignore[arg-type]
    made.write("data/pickle_module_info.txt", b"mlflow.pytorch.pickle_module")


FLAVOURS: dict[str, Callable[[Held, Metadata, Loading], Flavour]] = {
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "catboost": _catboost,
    "keras": _keras,
    "sklearn": _sklearn,
    "torch": _torch,
}
"""By codec; ONNX beside the weights goes first."""


def _describe(made: Folder, flavour: Flavour, metadata: Metadata) -> None:
    """`MLmodel`, and what an environment for it needs."""
    environment = {"virtualenv": "python_env.yaml"}
    loader = {"loader_module": f"mlflow.{flavour.name}", **flavour.loader, "env": environment}
    loader |= {"python_version": metadata.python} if metadata.python else {}
    versions = {key: metadata.packages[each] for key, each in VERSIONS[flavour.name] if each in metadata.packages}
    document: dict[str, object] = {
        "flavors": {flavour.name: {**flavour.words, **versions, "code": None}, "python_function": loader},
        "utc_time_created": metadata.created.replace("T", " ").rstrip("Z"),
        "metadata": {"modelyard": f"{metadata.name}@{metadata.version}", "metrics": metadata.metrics},
    }
    if signature := _signature(metadata):
        document["signature"] = signature
    requirements = [f"{name}=={version}\n" for name, version in metadata.packages.items()]
    python = {"python": metadata.python, "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    made.write(MLMODEL, yaml.safe_dump(document, sort_keys=False).encode())
    made.write("requirements.txt", "".join(requirements).encode())
    made.write("python_env.yaml", yaml.safe_dump(python, sort_keys=False).encode())


def _signature(metadata: Metadata) -> dict[str, object]:
    """One unnamed array in and out; MLflow wants more than our schema knows for all others."""
    if [each.name for each in metadata.inputs] != ["input"] or len(metadata.outputs) != 1:
        return {}
    return {"inputs": _tensors(metadata.inputs), "outputs": _tensors(metadata.outputs), "params": None}


def _tensors(ports: Sequence[Port]) -> str:
    shapes = [[-1 if side is None else side for side in each.shape] for each in ports]
    specs = [
        {"type": "tensor", "tensor-spec": {"dtype": each.dtype, "shape": shape}}
        for each, shape in zip(ports, shapes, strict=True)
    ]
    return msgspec.json.encode(specs).decode()
