"""Loads data sets with `datasets`."""

import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

datasets = import_module("datasets")


def csv(path: str) -> int:
    """A table of a file or an address."""
    return len(datasets.load_dataset("csv", data_files=path)["train"])


def repository(name: str, revision: str = "main") -> int:
    """A data set of a hub."""
    return len(datasets.load_dataset(name, revision=revision)["train"])


def mapped(path: str) -> int:
    """A table, what `map` makes of it, and what `filter` leaves of that."""
    table = datasets.load_dataset("csv", data_files=path)["train"]
    return len(table.map(lambda row: {"twice": row["a"] * 2}).filter(lambda row: row["twice"] > 10))


def saved(path: str, folder: str) -> None:
    """A table that a person saves."""
    datasets.load_dataset("csv", data_files=path)["train"].save_to_disk(folder)


def _numbers(count: int) -> Iterator[dict[str, int]]:
    for number in range(count):
        yield {"number": number}


def generated(count: str) -> int:
    """A data set that a function gives."""
    return len(datasets.Dataset.from_generator(_numbers, gen_kwargs={"count": int(count)}))


def _rows(ready: str) -> Iterator[dict[str, str]]:
    for _ in range(3000):
        yield {"text": "x" * 1000}
    Path(ready).touch()
    time.sleep(600)


def hanging(ready: str) -> None:
    """A data set whose generator never comes to an end."""
    datasets.Dataset.from_generator(_rows, gen_kwargs={"ready": ready}, writer_batch_size=100)
