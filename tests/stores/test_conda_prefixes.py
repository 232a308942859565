"""What is known of a conda prefix, of pixi's in particular."""

from __future__ import annotations

from pathlib import Path

import pytest

import makers
import prefixes
from modelyard.stores import conda

PYTHON = "python-3.12.5-h2ad013b_0_cpython"


@pytest.fixture
def project(home: Path) -> Path:
    """A pixi project with its environment."""
    makers.write(home / "vision" / "pixi.toml")
    prefixes.pixi_environment(home / "vision")
    return home / "vision"


def test_a_pixi_environment_belongs_to_its_project(project: Path, home: Path) -> None:
    found = makers.artifacts(home)["conda:env/default"]
    facts = dict(found.facts)
    assert facts["Project"] == f"{project} (noted by pixi)"
    assert facts["Interpreter"] == "Python 3.12.5"
    assert facts["CUDA packages"] == "cudnn 9.3.0"
    assert found.title == "default of vision"
    assert found.state == "complete"
    assert "managed by pixi" in found.detail


def test_a_detached_environment_of_a_project_that_is_gone_is_an_orphan(home: Path) -> None:
    place = home / ".cache/rattler/cache/envs/vision-123/envs/default"
    prefixes.pixi_environment(home / "vision", place=place)
    found = makers.artifacts(home)["conda:env/default"]
    assert found.state == "orphan"
    assert f"of {home}/vision, which is gone" in found.detail
    assert found.sizes.freed == found.sizes.allocated


def test_a_project_without_its_manifest_is_gone(project: Path, home: Path) -> None:
    (project / "pixi.toml").unlink()
    found = makers.artifacts(home)["conda:env/default"]
    assert found.state == "orphan"
    assert dict(found.facts)["Project"] == f"{project}/pixi.toml, which is gone (noted by pixi)"


def test_an_environment_that_was_moved_says_so(project: Path, home: Path) -> None:
    project.rename(home / "new")
    facts = dict(makers.artifacts(home)["conda:env/default"].facts)
    assert facts["Moved"] == f"made at {project}/.pixi/envs/default; pixi will make it anew"


def test_a_prefix_whose_python_is_gone_does_not_run(home: Path) -> None:
    place = makers.conda_env(home / "miniconda3" / "envs" / "old", (PYTHON,))
    assert dict(makers.artifacts(home)["conda:env/old"].facts)["Runs"] == "its Python is there; it was not started"
    (place / "bin" / "python").unlink()
    (place / "bin" / "python").symlink_to("python3.12")
    found = makers.artifacts(home)["conda:env/old"]
    assert dict(found.facts)["Runs"] == f"no: {place}/bin/python3.12 is not there"
    assert found.state == "dangling"


def test_a_prefix_without_python_is_whole(home: Path) -> None:
    place = makers.conda_env(home / "miniconda3" / "envs" / "r")
    (place / "bin" / "python").unlink()
    found = makers.artifacts(home)["conda:env/r"]
    assert found.state == "complete"
    assert not {"Runs", "Interpreter"} & set(dict(found.facts))


def test_the_cuda_stack_is_found_in_libraries_and_packages(home: Path) -> None:
    place = makers.conda_env(home / "miniconda3" / "envs" / "gpu", (PYTHON, "cuda-cudart-12.4.127-he02047a_0"))
    makers.write(place / "lib" / "libcublas.so.12.4.5", bytes(200 * 4096))
    (place / "lib" / "libcublas.so.12").symlink_to("libcublas.so.12.4.5")
    makers.write(place / "targets/x86_64-linux/lib/libcudart.so.12", bytes(100 * 4096))
    makers.write(place / "lib/python3.12/site-packages/torch/lib/libtorch.so", bytes(300 * 4096))
    facts = dict(makers.artifacts(home)["conda:env/gpu"].facts)
    assert facts["CUDA stack"] == "1.17 MiB: cublas 800 KiB, cudart 400 KiB"
    assert facts["CUDA packages"] == "cuda-cudart 12.4.127"
    assert facts["Biggest packages"] == "torch 1.18 MiB"


def test_a_prefix_in_a_project_s_folder_belongs_to_it(home: Path) -> None:
    makers.write(home / "work" / "environment.yml")
    makers.conda_env(home / "work" / "env")
    facts = dict(makers.artifacts(home)["conda:env/env"].facts)
    assert facts["Project"] == f"{home}/work (it lies there)"


def test_places_of_mamba_and_pixi_are_looked_at(home: Path) -> None:
    found = makers.places(conda, home, MAMBA_ROOT_PREFIX="/m", XDG_DATA_HOME="/d", PIXI_HOME="/p")
    assert {("/m", "MAMBA_ROOT_PREFIX"), ("/d/mamba", "default"), ("~/.mamba", "default")} <= set(found)
    assert ("/p/envs", "PIXI_HOME") in found
    assert ("~/.pixi/envs", "default") in makers.places(conda, home)
    windows = [path for path, _ in makers.places(conda, home, "windows", LOCALAPPDATA="/l", APPDATA="/r")]
    assert {"/l/conda/conda", "/r/.mamba", "/r/mamba"} <= set(windows)


def test_detached_environments_are_looked_for_where_pixi_s_settings_say(home: Path, tmp_path: Path) -> None:
    path = makers.write(home / ".pixi/config.toml", f'detached-environments = "{tmp_path}/far"\n')
    makers.write(home / "vision" / "pixi.toml")
    prefixes.pixi_environment(home / "vision", place=tmp_path / "far" / "vision-123" / "envs" / "default")
    assert (f"{tmp_path}/far", f"{path} detached-environments") in [
        (root.path, root.found_by) for root in makers.named(conda, home)
    ]
    assert makers.artifacts(home)["conda:env/default"].state == "complete"


def test_global_tools_of_pixi_are_environments(home: Path) -> None:
    prefixes.pixi_environment(home, place=home / ".pixi" / "envs" / "ripgrep")
    assert "conda:env/ripgrep" in makers.artifacts(home)
