"""`MLmodel` files of MLflow: which module loads a model, and which code of the folder it brings along. Read as text.

From mlflow/pyfunc/__init__.py: `load_model` puts the folder `code` in front of Python's path, imports `loader_module`
and calls its `_load_pyfunc`; from mlflow/models/model.py: `model_code_path` is a script that is run to get the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelyard.safety.finding import Finding
from modelyard.safety.policy import Dangerous, lookup
from modelyard.safety.values import clipped
from modelyard.safety.yaml_text import scan_yaml, unescaped

FLAVOURS = frozenset((
    "catboost", "diviner", "dspy", "dspy.wrapper", "fastai", "gluon", "h2o", "johnsnowlabs", "keras", "langchain",
    "lightgbm", "llama_index", "mleap", "onnx", "openai", "paddle", "pmdarima", "promptflow", "prophet", "pyfunc.model",
    "pyfunc.loaders.chat_agent", "pyfunc.loaders.chat_model", "pyfunc.loaders.responses_agent", "pyspark.ml", "pytorch",
    "sentence_transformers", "shap", "sklearn", "spacy", "spark", "statsmodels", "tensorflow", "transformers",
    "xgboost",
))  # fmt: skip
"""Modules of MLflow that load models; the files that they open are judged by themselves."""
SETTING = re.compile(
    r"""(?<![\w.])(['"]?)(loader_module|code|code_path|code_paths|model_code_path)\1\s*:[ \t]*(?:&\w+[ \t]+)?"""
    r"""(?:(['"])(.*?)\3|([^\s,}\]#'"&*|>!{\[][^\s,}\]#]*))?"""
)
NOTHING = ("", "null", "~", "Null", "NULL")


def scan_mlflow(data: bytes, place: str) -> list[Finding]:
    """What loading the model of an `MLmodel` file imports and runs."""
    return list(dict.fromkeys([*scan_yaml(data, place), *_settings(unescaped(data), place)]))


def _settings(text: str, place: str) -> Iterator[Finding]:
    for match in SETTING.finditer(text):
        key, value = match[2], match[4] or match[5] or ""
        if key == "loader_module":
            yield from _loader(value, place, match.start())
        elif value not in NOTHING:
            shown = clipped(value, 120)
            does = "is run as a script" if key == "model_code_path" else "goes in front of Python's own modules"
            yield Finding("remote-code", "suspicious", f"{key}: {shown} {does} when it is loaded", place, match.start())
        elif value == "" and key != "code":
            what = f"{key} is not plain text, and names code that is run when it is loaded"
            yield Finding("computed-name", "suspicious", what, place, match.start())


def _loader(module: str, place: str, offset: int) -> Iterator[Finding]:
    package, _, flavour = module.partition(".")
    if package == "mlflow" and flavour in FLAVOURS:
        return
    shown = clipped(module, 120)
    known = lookup(module, "_load_pyfunc")
    if not module:
        yield Finding("computed-name", "suspicious", "the module that loads it is not plain text", place, offset)
    elif isinstance(known, Dangerous) and package != "mlflow":
        what = f"is loaded by the module {shown}: {known.does}"
        yield Finding("dangerous-name", "dangerous", what, place, offset)
    else:
        yield Finding("remote-code", "suspicious", f"is loaded by the code of {shown}", place, offset)
