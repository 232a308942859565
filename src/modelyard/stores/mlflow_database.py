"""MLflow's database, the default since 3.7: the names of runs and models, and how many of them it holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from weakref import WeakKeyDictionary

from msgspec import Struct, field

from modelyard.problem import Problem
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

MAGIC = b"SQLite format 3\0"
CAP = 64 << 20  # bytes; a larger one is shown as a whole
READ = {"experiments", "runs", "logged_models", "model_versions"}
TABLES = {"experiments", "runs", "metrics", "experiment_tags", "alembic_version"}
SUFFIXES = (b".db", b".sqlite", b".sqlite3")
OWN_NAMES = (b"mlflow.db", b"mlruns.db")
BESIDE = (b"-wal", b"-shm", b"-journal")


class Database(Struct):
    """What a database tells. `runs` and `models` give name and stage by id, `registered` the versions by id."""

    runs: dict[str, tuple[str, str]] = field(default_factory=dict)
    models: dict[str, tuple[str, str]] = field(default_factory=dict)
    registered: dict[str, tuple[str, ...]] = field(default_factory=dict)
    experiments: int = 0


KNOWN: WeakKeyDictionary[Tree, dict[int, list[tuple[int, Database | Problem]]]] = WeakKeyDictionary()


def is_database(tree: Tree, row: int) -> bool:
    """Whether a file is a database of SQLite."""
    head = tree.read(row, len(MAGIC), head=True) if tree.is_file(row) else b""
    return head == MAGIC


def databases(tree: Tree, folder: int) -> list[tuple[int, Database | Problem]]:
    """The MLflow databases in a folder, read once a tree; a Problem for one that cannot be read."""
    known = KNOWN.setdefault(tree, {})
    if folder not in known:
        known[folder] = list(_databases(tree, folder))
    return known[folder]


def _databases(tree: Tree, folder: int) -> Iterator[tuple[int, Database | Problem]]:
    for name, row in sorted(tree.children(folder).items()):
        found = _read(tree, row) if name.endswith(SUFFIXES) and is_database(tree, row) else None
        if found is not None:
            yield row, found


def _read(tree: Tree, row: int) -> Database | Problem | None:
    """Reads a copy in memory, so that SQLite leaves no trace beside the file. None for another program's database."""
    content = tree.read(row, CAP)
    if isinstance(content, Problem):
        return content if content.code == "too-large" and tree.name(row) in OWN_NAMES else None
    try:
        return database_in(content)
    except (sqlite3.Error, OverflowError):
        words = "a database that SQLite cannot read"
        named = tree.name(row) in OWN_NAMES
        return Problem(shown(tree.path(row)), "damaged-database", words, "keep it; restore it") if named else None


def database_in(content: bytes) -> Database | None:
    """What the bytes of a database tell, None for another program's. sqlite3.Error, OverflowError for a damaged one."""
    plain = content[:18] + b"\x01\x01" + content[20:]  # a copy in memory has no write-ahead log
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(plain)
        return _contents(connection)


def _contents(connection: sqlite3.Connection) -> Database | None:
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    tables = dict(connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'"))
    if not tables.keys() >= TABLES:
        return None
    _only_stored(connection, {table: _text(sql) for table, sql in tables.items() if table in READ})
    found = Database(runs=_named(connection, "run_uuid", "runs"))
    (found.experiments,) = connection.execute("SELECT count(*) FROM experiments").fetchone()
    if "logged_models" in tables:
        found.models = _named(connection, "model_id", "logged_models")
    if "model_versions" in tables:
        for name, version, source, run in connection.execute(
            "SELECT name, version, source, run_id FROM model_versions ORDER BY name, version"
        ):
            model = _text(source).removeprefix("models:/") if _text(source).startswith("models:/m-") else _text(run)
            found.registered[model] = (*found.registered.get(model, ()), f"{_text(name)} v{_text(version)}")
    return found


def _only_stored(connection: sqlite3.Connection, tables: dict[str, str]) -> None:
    """Raises where a table of a database from anywhere computes: that may never end, or fill the memory."""
    for table, sql in tables.items():
        hidden = [row[-1] for row in connection.execute(f"PRAGMA table_xinfo({table})")]
        if any(hidden) or not sql.upper().startswith("CREATE TABLE"):
            raise sqlite3.DatabaseError(f"{table} computes what it shows")


def _named(connection: sqlite3.Connection, key: str, table: str) -> dict[str, tuple[str, str]]:
    query = f"SELECT {key}, name, lifecycle_stage FROM {table}"  # noqa: S608 - constants of this module
    return {_text(row[0]): (_text(row[1]), _text(row[2])) for row in connection.execute(query)}


def _text(value: object) -> str:
    return "" if value is None else shown(str(value))
