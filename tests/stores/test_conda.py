"""conda: what moves it, and environments and packages that share files."""

from __future__ import annotations

from pathlib import Path

import pytest

import makers
from modelyard import api
from modelyard.inventory import Artifact
from modelyard.stores import conda


def make(home: Path) -> None:
    """An installation with two environments over one package."""
    root = home / "miniconda3"
    makers.conda_env(root)
    makers.write(root / "condabin" / "conda", "#!")
    envs = [makers.conda_env(root / "envs" / name) for name in ("old", "new")]
    makers.conda_package(root / "pkgs", "tiny-1.0-0", *envs)
    makers.write(root / "pkgs" / "half-2.0-0.conda.partial", b"half")
    makers.write(home / ".conda" / "environments.txt", f"{root}\n")


def artifacts(home: Path, env: dict[str, str] | None = None) -> dict[str, Artifact]:
    """The artifacts of the home by id."""
    return {each.id: each for each in api.survey(env or {}, home, "linux", system=False).artifacts}


@pytest.mark.parametrize("variable", ["CONDA_ENVS_DIRS", "CONDA_ENVS_PATH"])
def test_a_variable_names_folders_of_environments(variable: str, home: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        makers.conda_env(tmp_path / name / name)
    assert set(artifacts(home, {variable: f"{tmp_path}/one:{tmp_path}/two"})) == {"conda:env/one", "conda:env/two"}


def test_a_variable_names_a_folder_of_packages(home: Path, tmp_path: Path) -> None:
    makers.conda_package(tmp_path / "cache", "tiny-1.0-0")
    assert set(artifacts(home, {"CONDA_PKGS_DIRS": f"{tmp_path}/cache"})) == {"conda:pkg/tiny-1.0-0"}


@pytest.mark.parametrize(
    "text",
    ["envs_dirs:\n  - {0}/envs\n", "envs_dirs:\n- {0}/envs # mine\nchannels:\n- no\n", "envs_dirs: [{0}/envs]\n"],
)
@pytest.mark.parametrize("file", [".condarc", ".conda/.condarc", ".config/conda/.condarc"])
def test_a_settings_file_names_folders(text: str, file: str, home: Path, tmp_path: Path) -> None:
    makers.conda_env(tmp_path / "envs" / "far")
    makers.write(home / file, text.format(tmp_path))
    survey = api.survey({}, home, "linux", system=False)
    assert [each.id for each in survey.artifacts] == ["conda:env/far"]
    holding = next(each for each in survey.holdings if each.store.name == "conda")
    assert f"{home}/{file} envs_dirs" in [root.found_by for root in holding.roots if root.row is not None]


def test_environments_that_conda_noted_are_read_and_the_note_is_left_alone(home: Path, tmp_path: Path) -> None:
    makers.conda_env(tmp_path / "far" / "noted")
    note = makers.write(home / ".conda" / "environments.txt", f"{tmp_path}/far/noted\n/unplugged/drive/env\n")
    before = note.stat()
    assert set(artifacts(home)) == {"conda:env/noted"}
    assert (note.stat().st_mtime_ns, note.read_text().splitlines()[1]) == (before.st_mtime_ns, "/unplugged/drive/env")


def test_shared_files_come_back_only_with_the_last_name(home: Path) -> None:
    make(home)
    survey = api.survey({}, home, "linux", system=False)
    found = {each.id: each.sizes for each in survey.artifacts}
    for name in ("conda:env/old", "conda:env/new", "conda:pkg/tiny-1.0-0"):
        assert found[name].freed <= found[name].allocated - 9000
    together = survey.freed(["conda:env/old", "conda:env/new", "conda:pkg/tiny-1.0-0"])
    assert together.freed == together.allocated


def test_an_environment_anywhere_is_recognised(home: Path) -> None:
    makers.conda_env(home / "work" / "project" / "env")
    assert artifacts(home)["conda:env/env"].detail == "1 package"


def test_the_base_does_not_hold_its_environments(home: Path) -> None:
    make(home)
    makers.write(home / "miniconda3/envs/old/big", b"b" * 90_000)
    assert artifacts(home)["conda:base/miniconda3"].sizes.allocated < 90_000


def test_a_package_and_its_archive_are_one_and_half_an_archive_is_partial(home: Path) -> None:
    make(home)
    found = artifacts(home)
    assert len(found["conda:pkg/tiny-1.0-0"].blobs) == 2
    assert found["conda:pkg/#partial"].state == "partial"


def test_environments_of_the_same_name_get_names_of_their_own(home: Path) -> None:
    for root in ("miniconda3", "anaconda3"):
        makers.conda_env(home / root)
        makers.write(home / root / "condabin" / "conda")
        makers.conda_env(home / root / "envs" / "same")
    assert {"conda:env/same", "conda:env/same+2"} <= set(artifacts(home))


def test_pixi_environments_are_told(home: Path) -> None:
    env = makers.conda_env(home / "project" / ".pixi" / "envs" / "default")
    makers.write(env / "conda-meta" / "pixi", "{}")
    assert "managed by pixi" in artifacts(home)["conda:env/default"].detail


@pytest.mark.parametrize("platform", ["linux", "macos", "windows"])
def test_places_of_the_machine_are_marked(platform: str, home: Path) -> None:
    system = [root.path for root in makers.named(conda, home, platform) if root.system]  # type: ignore[arg-type]
    assert system
    assert not any(path.startswith(str(home)) for path in system)
