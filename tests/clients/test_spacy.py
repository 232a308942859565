"""spaCy pipelines: written by a program, and installed as a package that `spacy package` made."""

from __future__ import annotations

from pathlib import Path

from clients.client import PYTHON, Client, runs
from clients.looking import look

pytestmark = runs("with_spacy", "spacy")


def test_a_pipeline_of_one_s_own_may_exist_nowhere_else(fresh: Client) -> None:
    assert fresh.call("written", fresh.home / "work" / "pipeline") == "en"
    seen = look(fresh.home, "spacy")
    assert seen.states == {"work/pipeline": ("model", "complete", "none")}
    assert ("components", "sentencizer") in seen.artifacts["work/pipeline"].facts
    assert fresh.call("sentences", fresh.home / "work" / "pipeline") == 2


def test_a_package_in_a_folder_can_be_installed_again_and_one_in_an_environment_is_counted_there(fresh: Client) -> None:
    made = fresh.temporary / "made"
    fresh.call("written", made)
    wheels = fresh.temporary / "wheels"
    wheels.mkdir()
    packed = Path(str(fresh.call("packed", made, wheels)))
    install = (PYTHON, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--no-cache-dir")
    fresh.shell(*install, "--target", fresh.home / "packages", packed)
    fresh.shell(PYTHON, "-m", "venv", "--without-pip", fresh.home / "env")
    fresh.shell(*install, "--prefix", fresh.home / "env", packed)
    seen = look(fresh.home, "spacy", "venv")
    kinds = {(name.split("/")[0], each.recovery, bool(each.rows)) for name, each in seen.artifacts.items()}
    assert kinds == {("packages", "re-get", True), ("env", "re-get", False)}
    assert {each.title for each in seen.artifacts.values()} == {"en_tiny 1.0.0"}
    assert fresh.told(PYTHONPATH=fresh.home / "packages").call("sentences", "en_tiny") == 2
