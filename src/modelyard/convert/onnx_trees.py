"""XGBoost and LightGBM to ONNX by onnxmltools, in the same way and with the same proof as scikit-learn.

Needs onnxmltools, skl2onnx, scikit-learn, onnx, onnxruntime, and the library of the model.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import onnxmltools
from onnxmltools.convert.common.data_types import FloatTensorType

from modelyard.convert.onnx_names import Names
from modelyard.convert.onnx_sklearn import exported as by_estimator
from modelyard.convert.weights import Agreement
from modelyard.formats.file import BrokenError

OPSET = 15
"""The newest that onnxmltools writes."""


class Boosted:
    """A bare booster, asked like an estimator."""

    def __init__(self, booster: Any) -> None:
        self._booster = booster
        of = booster.num_features if is_xgboost(booster) else booster.num_feature
        self.n_features_in_ = int(of())

    def predict(self, rows: Any) -> Any:
        """Its prediction for rows of an array."""
        if is_xgboost(self._booster):
            return self._booster.predict(sys.modules["xgboost"].DMatrix(np.asarray(rows)))
        return self._booster.predict(np.asarray(rows))


def exported(model: Any, path: str, example: object, tolerance: float | None, names: Names | None) -> Agreement:
    """Writes a model of trees as ONNX and proves it. BrokenError where onnxmltools cannot, or where it is not equal."""
    if hasattr(example, "columns"):
        raise BrokenError("takes a table: trees are written as ONNX for one array of numbers", "unsupported")
    bare = not hasattr(model, "get_params")
    asked = Boosted(model) if bare else model
    count = int(asked.n_features_in_)

    def write() -> Any:
        kinds = [("input", FloatTensorType([None, count]))]
        if is_xgboost(model):
            return onnxmltools.convert_xgboost(model, initial_types=kinds, target_opset=OPSET)
        return onnxmltools.convert_lightgbm(model, initial_types=kinds, target_opset=OPSET, zipmap=False)

    return by_estimator(asked, path, example, tolerance, names=names, write=write)


def is_xgboost(model: object) -> bool:
    """Whether it is a model of XGBoost, and not of LightGBM."""
    return type(model).__module__.partition(".")[0] == "xgboost"
