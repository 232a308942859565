"""Virtual environments, made by the real venv and by hand."""

from __future__ import annotations

import base64
import hashlib
import venv as maker
from pathlib import Path

import pytest

import makers
import prefixes
from modelyard import api
from modelyard.inventory import Root
from modelyard.stores import venv

COLLECTION = ".local/share/virtualenvs"
POETRY = ".cache/pypoetry/virtualenvs"


def make(home: Path) -> None:
    """One of the real venv, one of uv whose Python is gone, one of Pipenv whose project is gone, one of Poetry."""
    maker.create(home / "project" / ".venv", with_pip=False, symlinks=True)
    prefixes.environment(
        home / COLLECTION / "lost", "home = /gone\nuv = 0.13.8\nversion_info = 3.12.1\n", python="/gone/p"
    )
    old = prefixes.environment(home / COLLECTION / "old", "version = 3.9.1\n")
    makers.write(old / ".project", "/gone/project\n")
    poetry_environment(home, makers.write(home / "vision" / "pyproject.toml").parent)


def poetry_environment(home: Path, project: Path, minor: str = "3.11") -> Path:
    """An environment under the name that Poetry gives it, with Poetry's note of the one in use."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(bytes(project)).digest()).decode()[:8]
    makers.write(home / POETRY / "envs.toml", f'["{project.name}-{digest}"]\nminor = "3.11"\npatch = "3.11.2"\n')
    place = home / POETRY / f"{project.name}-{digest}-py{minor}"
    return prefixes.environment(place, "home = /usr/bin\nvirtualenv = 21.1\nversion = 3.11.2\n")


def test_precedence_of_what_moves_the_collections(home: Path) -> None:
    first, second = makers.places(venv, home)
    assert first == ("~/.cache/pypoetry/virtualenvs", "default")
    assert second == ("~/.local/share/virtualenvs", "default")
    assert makers.places(venv, home, "macos")[0] == ("~/Library/Caches/pypoetry/virtualenvs", "default")
    assert makers.places(venv, home, "windows", LOCALAPPDATA="/l")[0] == ("/l/pypoetry/Cache/virtualenvs", "default")
    assert makers.places(venv, home, POETRY_CACHE_DIR="/p")[0] == ("/p/virtualenvs", "POETRY_CACHE_DIR")
    assert makers.places(venv, home, POETRY_VIRTUALENVS_PATH="/v")[0] == ("/v", "POETRY_VIRTUALENVS_PATH")
    assert makers.places(venv, home, WORKON_HOME="/w")[1] == ("/w", "WORKON_HOME")


@pytest.mark.parametrize(
    ("platform", "folder"),
    [
        ("linux", ".config/pypoetry"),
        ("macos", "Library/Application Support/pypoetry"),
        ("windows", "AppData/Roaming/pypoetry"),
    ],
)
def test_poetry_s_settings_move_its_environments(platform: str, folder: str, home: Path) -> None:
    path = makers.write(home / folder / "config.toml", 'cache-dir = "/c"\n[virtualenvs]\npath = "{cache-dir}/e"\n')
    assert makers.named(venv, home, platform)[0] == Root("/c/e", str(path))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "words", "state"),
    [
        ("project/.venv", ["Python 3.", "by venv"], "complete"),
        (f"{COLLECTION}/lost", ["Python 3.12.1 by uv", "its Python is gone"], "dangling"),
        (f"{COLLECTION}/old", ["Python 3.9.1", "of /gone/project, which is gone"], "orphan"),
    ],
)
def test_what_is_known_of_an_environment(name: str, words: list[str], state: str, home: Path) -> None:
    make(home)
    found = makers.artifacts(home)[f"venv:{name}"]
    assert all(word in found.detail for word in words)
    assert ("is gone" in found.detail) == (name != "project/.venv")
    assert (found.kind, found.recovery, found.state) == ("environment", "re-solve", state)


def test_poetry_s_project_is_found_by_the_hash_in_the_name(home: Path) -> None:
    make(home)
    (found,) = (each for each in makers.artifacts(home).values() if POETRY in each.id)
    facts = dict(found.facts)
    assert facts["Project"] == f"{home}/vision (its path has the hash in the name)"
    assert facts["Poetry"] == "the one it uses"
    assert f"of {home}/vision" in found.detail


def test_an_environment_of_poetry_for_another_python_is_not_in_use(home: Path) -> None:
    place = poetry_environment(home, makers.write(home / "vision" / "pyproject.toml").parent, "3.9")
    facts = dict(makers.artifacts(home)[f"venv:{POETRY}/{place.name}"].facts)
    assert facts["Poetry"] == "not in use: 3.11 is"


def test_a_hash_that_fits_no_project_that_was_seen_proves_nothing(home: Path) -> None:
    place = poetry_environment(home, home / "elsewhere")
    found = makers.artifacts(home)[f"venv:{POETRY}/{place.name}"]
    assert found.state == "complete"
    assert "Project" not in dict(found.facts)


@pytest.mark.parametrize(("folder", "mark"), [("", "pyproject.toml"), ("", ".git/HEAD"), (".tox/", "tox.ini")])
def test_an_environment_in_a_project_belongs_to_it(folder: str, mark: str, home: Path) -> None:
    makers.write(home / "work" / mark)
    prefixes.environment(home / "work" / f"{folder}.venv")
    (found,) = makers.artifacts(home).values()
    assert dict(found.facts)["Project"] == f"{home}/work (it lies there)"


def test_the_biggest_packages_and_the_cuda_stack_are_named(home: Path) -> None:
    site = prefixes.environment(home / "work" / ".venv") / "lib/python3.11/site-packages"
    sizes = {"torch/lib/libtorch.so": 900, "torch/lib/libcudnn.so.9": 300, "nvidia/cublas/lib/libcublas.so.12": 500}
    sizes |= {"numpy/core.so": 40, "numpy.libs/blas.so": 50, "six.py": 20, "triton/x.so": 100, "tiny/x.py": 1}
    for name, count in sizes.items():
        makers.write(site / name, bytes(count * 4096))
    for name in ("torch-2.0", "nvidia_cublas_cu12-12.4", "six-1.0"):
        makers.write(site / f"{name}.dist-info" / "METADATA")
    makers.write(site / "__editable__.my_model-0.1.pth", "/home/me/my_model\n")
    facts = dict(makers.artifacts(home)["venv:work/.venv"].facts)
    assert facts["Packages"] == "3"
    assert facts["Biggest packages"].split(", ")[:3] == ["torch 4.70 MiB", "nvidia/cublas 1.96 MiB", "triton 404 KiB"]
    assert facts["Biggest packages"].split(", ")[3:] == ["numpy 368 KiB", "six 80.0 KiB"]
    assert facts["CUDA stack"] == "3.53 MiB: nvidia/cublas 1.96 MiB, cudnn 1.17 MiB, triton 404 KiB"
    assert facts["Editable"] == "my_model"


def test_a_windows_layout_is_read_and_its_python_is_left_to_windows(home: Path) -> None:
    place = home / "work" / "venv"
    makers.write(place / "pyvenv.cfg", "home = C:\\Python311\r\nversion = 3.11.4\r\n")
    makers.write(place / "Scripts" / "python.exe", b"MZ")
    makers.write(place / "Lib" / "site-packages" / "torch" / "torch.dll", bytes(9000))
    found = makers.artifacts(home)["venv:work/venv"]
    facts = dict(found.facts)
    assert facts["Interpreter"] == "Python 3.11.4, C:\\Python311"
    assert facts["Runs"] == "cannot be told here: it needs C:\\Python311"
    assert facts["Biggest packages"].startswith("torch ")
    assert found.state == "complete"


def test_an_environment_that_is_itself_the_root_is_found(home: Path, tmp_path: Path) -> None:
    place = prefixes.environment(tmp_path / "alone")
    found = api.survey({}, home, "linux", [place], system=False)
    assert [each.id for each in found.artifacts] == [f"venv:{place}"]


def test_environments_that_uv_keeps_for_itself_are_uv_s_alone(home: Path) -> None:
    makers.write(home / ".cache/uv/CACHEDIR.TAG")
    prefixes.environment(home / ".cache/uv/builds-v0/.tmp1/lib")
    prefixes.environment(home / ".cache/uv/environments-v2/proj-1")
    makers.write(prefixes.environment(home / "tools/black") / "uv-receipt.toml")
    assert {each.store for each in makers.artifacts(home).values()} == {"uv"}
