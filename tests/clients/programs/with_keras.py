"""Downloads with Keras, whose back end is plain NumPy here."""

import os
from importlib import import_module

os.environ["KERAS_BACKEND"] = "numpy"
keras = import_module("keras")


def file(url: str, subfolder: str, extract: str = "") -> str:
    """Downloads a file, or takes it from the cache; unpacks it if told so."""
    return str(keras.utils.get_file(origin=url, cache_subdir=subfolder, extract=bool(extract)))


def configured() -> str:
    """The version, whose import writes the settings file."""
    return str(keras.__version__)
