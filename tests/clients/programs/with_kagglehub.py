"""Downloads with kagglehub, from the server that the environment names."""

import os
from importlib import import_module

place = import_module("kagglesdk.kaggle_env")
place._env_to_endpoint[place.KaggleEnv.LOCAL] = os.environ["KAGGLE_SERVER"]
kagglehub = import_module("kagglehub")


def model(handle: str, path: str = "") -> str:
    """A model, or one file of it."""
    return str(kagglehub.model_download(handle, path or None))


def data(handle: str, path: str = "") -> str:
    """A data set, or one file of it."""
    return str(kagglehub.dataset_download(handle, path or None))


def competition(handle: str) -> str:
    """The data of a competition."""
    return str(kagglehub.competition_download(handle))


def notebook(handle: str) -> str:
    """What a notebook gave."""
    return str(kagglehub.notebook_output_download(handle))
