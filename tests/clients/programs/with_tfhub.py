"""Resolves modules with TF Hub."""

import os
from importlib import import_module

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["PYTHONWARNINGS"] = "ignore"


def module(url: str) -> list[str]:
    """Downloads and unpacks a module, or takes it from the cache; the names in it."""
    return sorted(os.listdir(import_module("tensorflow_hub").resolve(url)))
