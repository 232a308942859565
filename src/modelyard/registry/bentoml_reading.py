"""BentoML's models: `models/NAME/VERSION/model.yaml` with the files beside it. None of it is executed.

Layout: `ModelInfo` in bentoml/_internal/models/model.py of BentoML 1.4.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import yaml

from modelyard.problem import Problem
from modelyard.walk.read import read_file

MODEL_YAML = "model.yaml"
CAP = 4 << 20
TOLD = ("module", "api_version", "creation_time")


@dataclass(frozen=True, slots=True)
class BentoModel:
    """What BentoML says of a model: its name, and what is worth keeping."""

    name: str
    told: dict[str, object]


def read_bentoml(folder: str) -> BentoModel | None:
    """The model in a folder; None where its `model.yaml` is not one of BentoML."""
    text = read_file(os.fsencode(os.path.join(folder, MODEL_YAML)), CAP)
    if isinstance(text, Problem):
        return None
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not all(isinstance(found.get(each), str) for each in ("name", "version")):
        return None
    if "api_version" not in found or "module" not in found:
        return None
    told: dict[str, object] = {key: str(found[key]) for key in TOLD if found.get(key)}
    labels = found.get("labels")
    told["labels"] = {str(key): str(value) for key, value in labels.items()} if isinstance(labels, dict) else {}
    return BentoModel(found["name"], {"tag": f"{found['name']}:{found['version']}", **told})
