"""BentoML's models: `models/NAME/VERSION/model.yaml` with the files beside it. None of it is executed.

Layout: `ModelInfo` in bentoml/_internal/models/model.py of BentoML 1.4.
"""

from __future__ import annotations

import os
from math import isfinite

import yaml
from msgspec import Struct

from modelyard.problem import Problem
from modelyard.walk.read import read_file

MODEL_YAML = "model.yaml"
CAP = 4 << 20
TOLD = ("module", "api_version", "creation_time")
TABLES = ("labels", "metadata", "context")


class BentoModel(Struct, frozen=True):
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
    told |= {key: _plain(found.get(key)) for key in TABLES}
    return BentoModel(found["name"], {"tag": f"{found['name']}:{found['version']}", **told})


def _plain(table: object) -> dict[str, object]:
    """The entries of a table that are one value; numbers stay numbers, dates and the like become text."""
    held = table.items() if isinstance(table, dict) else ()
    single = {str(key): value for key, value in held if not isinstance(value, dict | list | set | tuple)}
    return {key: value if _is_number(value) else str(value) for key, value in single.items() if value is not None}


def _is_number(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and isfinite(value))
