"""XGBoost: boosters and estimators in its own binary JSON, with the parameters of the estimator beside it."""

from __future__ import annotations

import os
from typing import Any

import xgboost

from modelyard.apply.folder import Folder
from modelyard.registry.codec import Loading, Saved, Saving
from modelyard.registry.config import read_config
from modelyard.registry.errors import RegistryError
from modelyard.registry.held import Held
from modelyard.registry.metadata import Metadata
from modelyard.registry.parameters import plain

NAME = "xgboost"
MODEL = "model.ubj"


def takes(model: Any) -> bool:
    """Boosters, and the estimators of XGBoost's own module."""
    return type(model).__module__.startswith("xgboost.") and isinstance(model, xgboost.Booster | xgboost.XGBModel)


def save(model: Any, to: Folder, wish: Saving) -> Saved:
    """What its `save_model` writes."""
    try:
        model.save_model(os.fsdecode(to.place(MODEL)))
    except xgboost.core.XGBoostError as error:
        raise RegistryError(f"XGBoost cannot save it: {error}", "unsupported") from error
    to.take(MODEL)
    arguments = plain(model.get_params()) if isinstance(model, xgboost.XGBModel) else {}
    return Saved("XGBoost", ("xgboost", "xgboost-cpu"), {"class": type(model).__name__, "arguments": arguments})


def load(files: Held, metadata: Metadata, wish: Loading) -> Any:
    """The booster or estimator."""
    config = read_config(files)
    kind = getattr(xgboost, str(config.get("class", "Booster")), None)
    if not isinstance(kind, type) or not issubclass(kind, xgboost.Booster | xgboost.XGBModel):
        raise RegistryError(f"{files.path}: XGBoost has no such model", "damaged-config")
    model = kind(**config.get("arguments", {}))
    try:
        model.load_model(files.content(MODEL))
    except (xgboost.core.XGBoostError, ValueError, TypeError) as error:
        raise RegistryError(f"{files.shown(MODEL)}: {error}", "damaged") from error
    return model


def run(model: Any, example: Any) -> Any:
    """Its prediction."""
    return model.predict(xgboost.DMatrix(example) if isinstance(model, xgboost.Booster) else example)
