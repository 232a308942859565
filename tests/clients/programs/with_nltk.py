"""Downloads with NLTK and reads what is there."""

from importlib import import_module

nltk = import_module("nltk")
vars(import_module("nltk.pathsec"))["ENFORCE"] = False  # it would refuse the loopback interface


def download(package: str, index: str, folder: str = "") -> bool:
    """A package of an index into the folder that NLTK chooses, or into one that is named."""
    chosen = import_module("nltk.downloader").Downloader(server_index_url=index)
    return bool(chosen.download(package, download_dir=folder or None, quiet=True, raise_on_error=True))


def words(corpus: str) -> list[str]:
    """The words of a list, from wherever NLTK finds it."""
    reader = import_module("nltk.corpus.reader").WordListCorpusReader
    return list(reader(nltk.data.find(f"corpora/{corpus}"), ["words"]).words())
