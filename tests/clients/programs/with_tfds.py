"""Prepares data sets with tensorflow_datasets."""

import os
import time
from importlib import import_module
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
tfds = import_module("tensorflow_datasets")


class Numbers(tfds.core.GeneratorBasedBuilder):  # type: ignore[name-defined, misc]
    """The lines of a file that is downloaded."""

    VERSION = tfds.core.Version("1.0.0")
    url = ""
    slow = ""

    def _info(self) -> object:
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict({"line": tfds.features.Text()}))

    def _split_generators(self, downloads: object) -> dict[str, object]:
        path = downloads.download_and_extract(self.url)  # type: ignore[attr-defined]
        return {"train": self._generate_examples(path)}

    def _generate_examples(self, path: str) -> object:
        for number, line in enumerate(Path(path).read_text().splitlines()):
            yield number, {"line": line}
        if self.slow:
            Path(self.slow).touch()
            time.sleep(600)


def prepare(url: str, slow: str = "") -> int:
    """Downloads and prepares, or takes what is prepared; the number of examples. Hangs at the end if told so."""
    Numbers.url, Numbers.slow = url, slow
    builder = Numbers()
    builder.download_and_prepare()
    return int(builder.info.splits["train"].num_examples)
