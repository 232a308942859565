"""pyenv: versions compiled here, and environments inside them."""

from __future__ import annotations

from pathlib import Path

import makers
import prefixes
from modelyard import api
from modelyard.stores import pyenv


def make(home: Path) -> None:
    """Two versions, one with something installed, and a downloaded source."""
    versions = home / ".pyenv" / "versions"
    for name in ("3.11.7", "3.12.1"):
        makers.write(versions / name / "bin" / "python3", b"\x7fELF" * 900)
    makers.write(versions / "3.11.7" / "lib/python3.11/site-packages/torch/lib.so", bytes(90_000))
    makers.write(home / ".pyenv" / "cache" / "Python-3.12.1.tar.xz", b"x" * 9000)
    (versions / "current").symlink_to("3.12.1")


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(pyenv, home, "macos") == [("~/.pyenv", "default")]
    assert makers.places(pyenv, home, "windows") == [("~/.pyenv/pyenv-win", "default")]
    assert makers.places(pyenv, home, PYENV_ROOT="/p") == [("/p", "PYENV_ROOT")]


def test_versions_are_made_again_and_their_sources_got_again(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name: each.recovery for name, each in found.items()} == {
        "pyenv:version/3.11.7": "re-make",
        "pyenv:version/3.12.1": "re-make",
        "pyenv:cache": "re-get",
    }
    assert dict(found["pyenv:version/3.11.7"].facts)["Biggest packages"] == "torch 92.0 KiB"
    assert len(found["pyenv:version/3.12.1"].pins) == 1


def test_a_version_tells_which_environments_need_it(home: Path) -> None:
    make(home)
    for name in ("a", "b"):
        prefixes.environment(home / name / ".venv", f"home = {home}/.pyenv/versions/3.11.7/bin\n")
    found = makers.artifacts(home)
    assert found["pyenv:version/3.11.7"].detail == "2 environments seen need it"
    assert dict(found["pyenv:version/3.11.7"].facts)["Used by"] == "a/.venv, b/.venv"
    assert found["pyenv:version/3.12.1"].detail == "no environment seen that needs it"


def test_an_environment_inside_a_version_is_its_own(home: Path) -> None:
    make(home)
    versions = home / ".pyenv" / "versions"
    inside = prefixes.environment(versions / "3.11.7" / "envs" / "work", f"home = {versions}/3.11.7/bin\n")
    (versions / "work").symlink_to(inside)
    makers.conda_env(versions / "miniconda3-latest")
    survey = api.survey({}, home, "linux", system=False)
    found = {each.id: each for each in survey.artifacts}
    alone = found["venv:.pyenv/versions/3.11.7/envs/work"]
    assert alone.sizes.freed == alone.sizes.allocated > 0
    assert found["conda:env/miniconda3-latest"].sizes.freed > 0
    version = found["pyenv:version/3.11.7"]
    assert survey.freed([alone.id, version.id]).freed == alone.sizes.freed + version.sizes.freed


def test_an_installation_elsewhere_is_recognised(home: Path) -> None:
    make(home)
    makers.write(home / ".pyenv" / "pyenv.d" / "rehash" / "source.bash")
    (home / ".pyenv").rename(home / "moved")
    assert "pyenv:version/3.11.7" in makers.artifacts(home)
