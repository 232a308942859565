"""InvokeAI's list of models, read from its database in memory so that SQLite leaves no trace beside it."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import msgspec

from modelyard.problem import Problem
from modelyard.stores.json import parsed
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

CAP = 128 << 20  # it holds what is known of every image too
TABLES = ("models", "model_config")
REMOTE = ("url", "hf_repo_id")
EXTERNAL = "external"  # a service on the network, which has no file
HINT = "models in its folder are shown without their names, and none of them is called an orphan"


class Record(msgspec.Struct):
    """What the database tells of a model; a relative path lies in the folder of models."""

    path: str | None = None
    key: str = ""
    name: str = ""
    base: str = ""
    type: str = ""
    source: str | None = None
    source_type: str | None = None

    @property
    def address(self) -> str:
        """Where it came from, empty where that was this computer."""
        return f"{self.source}" if self.source and self.source_type in REMOTE else ""


def records(tree: Tree, row: int) -> list[Record] | Problem:
    """Every model of the database, of the current schema or that of version 3."""
    content = tree.read(row, CAP)
    if isinstance(content, Problem):
        return content
    if len(content) < 100:
        return _strange(tree, row, "it is too short")
    plain = content[:18] + b"\x01\x01" + content[20:]  # a copy in memory has no write-ahead log
    del content
    try:
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(plain)
            found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            table = next((name for name in TABLES if name in found), None)
            if table is None:
                return _strange(tree, row, "it has no table of models")
            texts = connection.execute(f"SELECT id, config FROM {table} ORDER BY id").fetchall()  # noqa: S608
    except (sqlite3.Error, OverflowError) as error:
        return _strange(tree, row, str(error))
    described = ((key, parsed(text, Record)) for key, text in texts if isinstance(text, str | bytes))
    known = [
        (key, record)
        for key, record in described
        if isinstance(record, Record) and (record.path is not None or record.source_type == EXTERNAL)
    ]
    if len(known) < len(texts):
        return _strange(tree, row, f"{len(texts) - len(known)} of its models are described in another way")
    for key, record in known:
        record.key = record.key or str(key)
    return [record for _, record in known if record.source_type != EXTERNAL]


def _strange(tree: Tree, row: int, why: str) -> Problem:
    words = f"the database of models is not understood: {' '.join(why.split())[:200]}"
    return Problem(shown(tree.path(row)), "unreadable-database", words, HINT)
