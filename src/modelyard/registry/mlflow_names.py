"""What MLflow's own store calls its models: registered names and versions, from its files or its database."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import yaml
from msgspec import Struct

from modelyard.problem import Problem
from modelyard.stores.mlflow_database import CAP as DATABASE_CAP
from modelyard.stores.mlflow_database import MAGIC, Database, database_in
from modelyard.walk.read import names_in, read_file

META, CAP = "meta.yaml", 1 << 20
VERSION = re.compile(r"(?P<name>.+) v(?P<number>\d+)")
IDS = re.compile(r"(?:m-)?[0-9a-f]{32}")
DEEPEST = 6
ENDS = (".db", ".sqlite", ".sqlite3")


class Named(Struct, frozen=True):
    """A name, and the version that a registered number becomes: 3 is 3.0.0. Empty for one that is only logged."""

    name: str
    version: str = ""


def named_models(root: str) -> dict[str, Named]:
    """By the real path of the folder that has an `MLmodel`."""
    logged, registered = _told_by_databases(root)
    found: dict[str, Named] = {}
    for folder, names in _folders(root):
        key = next((each for each in reversed(folder.split(os.sep)) if IDS.fullmatch(each)), "")
        if "MLmodel" in names:
            known = registered.get(key) or _described(folder, key) or logged.get(key)
            if known:
                found[os.path.realpath(folder)] = known
    for folder, names in _folders(root):
        if META in names and os.path.basename(folder).startswith("version-"):
            found |= _registered(folder)
    return found


def _folders(root: str) -> Iterator[tuple[str, list[str]]]:
    for folder, folders, names in os.walk(root):
        deep = os.path.relpath(folder, root).count(os.sep)
        folders[:] = sorted(each for each in folders if not each.startswith(".")) if deep < DEEPEST else []
        yield folder, names


def _meta(folder: str) -> dict[str, str]:
    text = read_file(os.fsencode(os.path.join(folder, META)), CAP)
    try:
        found = None if isinstance(text, Problem) else yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _described(folder: str, key: str) -> Named | None:
    """The name in the description of a logged model, which lies above its files."""
    above = os.path.dirname(folder)
    if os.path.basename(folder) != "artifacts" or os.path.basename(above) != key:
        return None
    name = _meta(above).get("name", "")
    return Named(name) if name else None


def _registered(folder: str) -> dict[str, Named]:
    """A version in a store of files, by where its model lies."""
    told = _meta(folder)
    name, number = told.get("name", ""), told.get("version", "")
    if not name or not number.isdigit():
        return {}
    places = [told.get("storage_location", ""), told.get("source", "")]
    paths = [unquote(urlsplit(each).path) for each in places if each.startswith(("file:", "/"))]
    return {os.path.realpath(each): Named(name, f"{number}.0.0") for each in paths}


def _told_by_databases(root: str) -> tuple[dict[str, Named], dict[str, Named]]:
    """Names of logged models by their id, and registered ones by the id of the model or the run."""
    logged: dict[str, Named] = {}
    registered: dict[str, Named] = {}
    for folder in (root, os.path.dirname(root)):
        for name in names_in(folder):
            found = _database(os.path.join(folder, name)) if name.endswith(ENDS) else None
            if found is not None:
                logged |= {key: Named(name) for key, (name, _) in found.models.items() if name}
                registered |= dict(_versions(found))
    return logged, registered


def _database(path: str) -> Database | None:
    content = read_file(os.fsencode(path), DATABASE_CAP)
    try:
        return None if isinstance(content, Problem) or content[: len(MAGIC)] != MAGIC else database_in(content)
    except (sqlite3.Error, OverflowError):
        return None


def _versions(database: Database) -> Iterator[tuple[str, Named]]:
    for key, labels in database.registered.items():
        if match := VERSION.fullmatch(labels[-1]):
            yield key, Named(match["name"], f"{match['number']}.0.0")
