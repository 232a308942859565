"""Downloads with fastai and with the downloader beneath it."""

from importlib import import_module


def data(url: str) -> str:
    """An archive and what is in it."""
    return str(import_module("fastai.data.external").untar_data(url))


def plain(url: str) -> str:
    """The same by fastdownload alone."""
    return str(import_module("fastdownload").FastDownload().get(url))
