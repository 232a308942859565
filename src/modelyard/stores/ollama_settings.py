"""Where an Ollama server keeps its models: the desktop app's setting, its variable, its service unit, its default."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from modelyard.inventory import Place, Platform, Root
from modelyard.problem import Problem
from modelyard.stores.places import expand, from_variables
from modelyard.walk.read import read_file, read_setting

DATABASE_CAP = 64 << 20  # it holds the chats too
UNITS = (
    "/etc/systemd/system/ollama.service.d/override.conf",
    "/etc/systemd/system/ollama.service",
    "/usr/lib/systemd/system/ollama.service",
)
ASSIGNED = re.compile(r"""^\s*Environment=.*?OLLAMA_MODELS=([^"'\s]+|.*?(?=["']))""", re.MULTILINE)


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Place]:
    """The app's own setting wins where its folder is there; without its drive the app falls back to the rest."""
    database = _database(env, home, platform)
    app = _app_setting(database)
    if app:
        yield Root(expand(app, env, home), f"desktop app setting in {database}")
    yield from_variables(("OLLAMA_MODELS",), env, home) or Root(str(home / ".ollama" / "models"), "default")
    if platform == "linux":
        for unit in UNITS:
            text = read_setting(unit)
            if isinstance(text, Problem):
                yield text
            elif found := ASSIGNED.search(text):
                yield Root(expand(found[1], env, home), unit, system=True)
        yield Root("/usr/share/ollama/.ollama/models", "default of the system service", system=True)


def _database(env: Mapping[str, str], home: Path, platform: Platform) -> Path:
    if platform == "macos":
        return home / "Library" / "Application Support" / "Ollama" / "db.sqlite"
    if platform == "windows":
        return Path(env.get("LOCALAPPDATA") or home / "AppData" / "Local") / "Ollama" / "db.sqlite"
    return home / ".ollama" / "db.sqlite"


def _app_setting(database: Path) -> str:
    """The folder that the app's settings name; the file is read as a whole so that SQLite leaves no trace beside it."""
    content = read_file(bytes(database), DATABASE_CAP, follow=True)
    if isinstance(content, Problem) or len(content) < 100:
        return ""
    plain = content[:18] + b"\x01\x01" + content[20:]  # a copy in memory has no write-ahead log
    try:
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(plain)
            row = connection.execute("SELECT models FROM settings").fetchone()
    except sqlite3.Error:
        return ""
    return row[0] if row and isinstance(row[0], str) and "\0" not in row[0] else ""
