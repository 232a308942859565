"""Copies of remote code."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import hf_modules


def make(home: Path) -> None:
    """Code of a model and of a data set, and what Python needs to import it."""
    base = home / ".cache" / "huggingface" / "modules"
    makers.write(base / "__init__.py", "")
    makers.write(base / "transformers_modules" / "__init__.py", "")
    makers.write(base / "transformers_modules" / "__pycache__" / "x.pyc", b"c" * 100)
    makers.write(base / "transformers_modules" / "acme" / "tiny" / ("a" * 40) / "modeling.py", "code" * 500)
    makers.write(base / "datasets_modules" / "datasets" / "squad" / ("b" * 64) / "squad.py", "code" * 500)


def test_precedence_of_what_moves_it(home: Path) -> None:
    for platform in ("linux", "macos", "windows"):
        assert makers.places(hf_modules, home, platform) == [("~/.cache/huggingface/modules", "default")]
    assert makers.places(hf_modules, home, HF_HOME="/f") == [("/f/modules", "HF_HOME")]
    assert makers.places(hf_modules, home, HF_MODULES_CACHE="/m", HF_HOME="/f") == [("/m", "HF_MODULES_CACHE")]


def test_one_an_owner_of_code(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert set(found) == {"hf-modules:transformers_modules/acme", "hf-modules:datasets_modules/datasets"}
    assert {each.recovery for each in found.values()} == {"re-get"}
