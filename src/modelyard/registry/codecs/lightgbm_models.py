"""LightGBM: its own text format, with what makes an estimator of a booster beside it."""

from __future__ import annotations

from typing import Any

import lightgbm

from modelyard.apply.folder import Folder
from modelyard.registry.codec import Loading, Saved, Saving
from modelyard.registry.config import read_config
from modelyard.registry.errors import RegistryError
from modelyard.registry.held import Held
from modelyard.registry.metadata import Metadata
from modelyard.registry.parameters import plain

NAME = "lightgbm"
MODEL = "model.txt"


def takes(model: Any) -> bool:
    """Boosters, and the estimators of LightGBM's own module."""
    return type(model).__module__.startswith("lightgbm.") and isinstance(model, lightgbm.Booster | lightgbm.LGBMModel)


def save(model: Any, to: Folder, wish: Saving) -> Saved:
    """The text of its booster. RegistryError for an estimator that was not fitted."""
    config: dict[str, Any] = {"class": type(model).__name__}
    booster = model
    if isinstance(model, lightgbm.LGBMModel):
        if not getattr(model, "fitted_", False):
            raise RegistryError("the estimator was not fitted: there is nothing to save", "unsupported")
        booster = model.booster_
        config["arguments"] = plain(model.get_params())
        config["objective"] = model.objective_ if isinstance(model.objective_, str) else ""
        if isinstance(model, lightgbm.LGBMClassifier):
            config["classes"], config["dtype"] = model.classes_.tolist(), model.classes_.dtype.str
    to.write(MODEL, booster.model_to_string(num_iteration=-1).encode())
    return Saved("LightGBM", ("lightgbm",), config)


def load(files: Held, metadata: Metadata, wish: Loading) -> Any:
    """The booster, or the estimator around it as `fit` leaves it."""
    config = read_config(files)
    try:
        booster = lightgbm.Booster(model_str=files.content(MODEL).decode())
    except (lightgbm.basic.LightGBMError, UnicodeDecodeError) as error:
        raise RegistryError(f"{files.shown(MODEL)}: {error}", "damaged") from error
    kind = getattr(lightgbm, str(config.get("class", "Booster")), None)
    if kind is lightgbm.Booster:
        return booster
    if not isinstance(kind, type) or not issubclass(kind, lightgbm.LGBMModel):
        raise RegistryError(f"{files.path}: LightGBM has no such model", "damaged-config")
    return _fitted(kind(**config.get("arguments", {})), booster, config)


def _fitted(model: Any, booster: Any, config: dict[str, Any]) -> Any:
    """What `fit` sets, from lightgbm/sklearn.py."""
    model._Booster, model.fitted_ = booster, True
    model._n_features = model._n_features_in = booster.num_feature()
    model._objective = config.get("objective") or model.objective
    model._best_iteration, model._best_score, model._evals_result = booster.best_iteration, {}, {}
    if "classes" in config:
        import numpy
        from sklearn.preprocessing import LabelEncoder

        classes = numpy.array(config["classes"], dtype=config["dtype"])
        model._le = LabelEncoder().fit(classes)
        model._classes, model._n_classes = classes, len(classes)
        model._class_map = dict(zip(classes, range(len(classes)), strict=True))
    return model


def run(model: Any, example: Any) -> Any:
    """Its prediction."""
    return model.predict(example)
