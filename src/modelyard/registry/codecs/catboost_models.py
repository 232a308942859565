"""CatBoost: its own binary format."""

from __future__ import annotations

import os
from typing import Any

import catboost

from modelyard.apply.folder import Folder
from modelyard.registry.codec import Loading, Saved, Saving
from modelyard.registry.config import read_config
from modelyard.registry.errors import RegistryError
from modelyard.registry.held import Held
from modelyard.registry.metadata import Metadata

NAME = "catboost"
MODEL = "model.cbm"


def takes(model: Any) -> bool:
    """Models of CatBoost's own module."""
    return type(model).__module__.startswith("catboost.") and isinstance(model, catboost.CatBoost)


def save(model: Any, to: Folder, wish: Saving) -> Saved:
    """What its `save_model` writes; its parameters are in that file."""
    try:
        model.save_model(os.fsdecode(to.place(MODEL)), format="cbm")
    except catboost.CatBoostError as error:
        raise RegistryError(f"CatBoost cannot save it: {error}", "unsupported") from error
    to.take(MODEL)
    return Saved("CatBoost", ("catboost",), {"class": type(model).__name__})


def load(files: Held, metadata: Metadata, wish: Loading) -> Any:
    """The model."""
    kind = getattr(catboost, str(read_config(files).get("class", "CatBoost")), None)
    if not isinstance(kind, type) or not issubclass(kind, catboost.CatBoost):
        raise RegistryError(f"{files.path}: CatBoost has no such model", "damaged-config")
    try:
        return kind().load_model(blob=bytes(files.content(MODEL)))
    except catboost.CatBoostError as error:
        raise RegistryError(f"{files.shown(MODEL)}: {error}", "damaged") from error


def run(model: Any, example: Any) -> Any:
    """Its prediction."""
    return model.predict(example)
