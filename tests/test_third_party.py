"""Stores that other packages add."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import makers
from modelyard import api
from modelyard.stores import ADAPTERS, third_party

EXAMPLE = Path(__file__).parent.parent / "examples" / "store-plugin"
BROKEN = {
    "raises": "raise RuntimeError('at import')",
    "empty": "",
    "taken": "from modelyard.stores.whisper import STORE, read, recognise, roots",
    "failing": (
        "from modelyard.inventory import Root, Store\n"
        "STORE = Store('failing', 'Failing', markers=('marker',))\n"
        "def roots(env, home, platform):\n"
        "    yield Root(str(home / 'failing'), 'default')\n    raise KeyError('roots')\n"
        "def recognise(tree, row):\n    raise KeyError('recognise')\n"
        "def read(root, tree):\n    raise KeyError('read')\n"
    ),
}


def where(packages: Path, home: Path) -> dict[str, object]:
    """What `modelyard` says with these packages installed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(packages), *sys.path])}
    command = [sys.executable, "-m", "modelyard", "--home", str(home), "--json"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_the_example_is_installed_and_its_store_is_found(tmp_path: Path, home: Path) -> None:
    packages, source = tmp_path / "packages", tmp_path / "source"
    for path in EXAMPLE.iterdir():  # so that building leaves nothing in the checkout
        makers.write(source / path.name, path.read_bytes() if path.is_file() else b"")
    install = ["install", "-q", "--no-deps", "--no-build-isolation", "--target", str(packages), str(source)]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True, capture_output=True)
    for name in ("model/craft_mlt_25k.pth", "model/english_g2.pth", "model/temp.zip", "user_network/mine.pth"):
        makers.write(home / ".EasyOCR" / name, b"w" * 5000)
    found = where(packages, home)
    stores = {each["store"]: each for each in found["stores"]}  # type: ignore[attr-defined]
    assert (stores["easyocr"]["artifacts"], stores["easyocr"]["apparent"]) == (4, 20_000)
    assert not found["problems"]


def test_a_broken_store_of_a_stranger_never_ends_a_survey(tmp_path: Path, home: Path) -> None:
    makers.write(home / "failing" / "marker")
    for name, source in BROKEN.items():
        makers.write(tmp_path / f"{name}_store.py", source)
        points = f"[{third_party.GROUP}]\n{name} = {name}_store\n"
        makers.write(tmp_path / f"{name}_store-1.dist-info" / "entry_points.txt", points)
        makers.write(tmp_path / f"{name}_store-1.dist-info" / "METADATA", f"Name: {name}-store\nVersion: 1\n")
    found = where(tmp_path, home)
    problems = [(each["code"], each["path"]) for each in found["problems"]]  # type: ignore[attr-defined]
    expected = {"raises_store", "empty_store", "taken_store", "failing", str(home / "failing")}
    assert {code for code, _ in problems} == {"broken-store"}
    assert {path for _, path in problems} == expected


def test_without_such_packages_there_are_only_our_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    third_party.installed.cache_clear()
    adapters, problems = third_party.installed(frozenset())
    assert (adapters, problems) == ((), ())
    names = [each.store.name for each in api.survey({}, home, "linux", system=False).holdings]
    assert names == [*(each.STORE.name for each in ADAPTERS), "loose"]
