"""Downloads with ModelScope."""

from importlib import import_module


def model(name: str, revision: str = "master") -> str:
    """All files of a model."""
    return str(import_module("modelscope").snapshot_download(name, revision=revision))


def data(name: str) -> str:
    """All files of a data set."""
    return str(import_module("modelscope").dataset_snapshot_download(name))
