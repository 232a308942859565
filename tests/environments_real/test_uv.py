"""uv with its own cache, tools and environments."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from environments_real.clients import Client, start
from environments_real.looking import get, held, ids, look
from modelyard import api

PROJECT = '[project]\nname = "vision"\nversion = "0.1"\ndependencies = ["smalllib"]\n[tool.uv]\npackage = false\n'
SCRIPT = '# /// script\n# dependencies = ["smalllib"]\n# ///\nimport smalllib\n'


@pytest.fixture
def work(uv: Client, home: Path) -> Path:
    """A project with an environment of three packages."""
    folder = home / "work"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT)
    uv("venv", cwd=folder)
    uv("pip", "install", "bigmodel", "smalllib", "nvidia_cublas_cu12", cwd=folder)
    return folder


def test_an_environment_shares_its_packages_with_the_cache(work: Path, uv: Client, home: Path) -> None:
    found = look(home)
    own, archives = get(found, "venv:work/.venv"), get(found, "uv:archive-v0")
    facts = dict(own.facts)
    assert "by uv" in own.detail
    assert own.state == "complete"
    assert (work / ".venv/lib").glob("python*/site-packages/bigmodel/data.bin").__next__().stat().st_nlink == 2
    assert facts["Project"] == f"{work} (it lies there)"
    assert facts["Packages"] == "3"
    assert facts["Biggest packages"].startswith("nvidia/cublas 2.8")
    assert facts["CUDA stack"].startswith("2.8")
    for each in (own, archives):
        assert each.sizes.freed < 400_000 < 5_000_000 < each.sizes.allocated
    assert found.freed([own.id, archives.id]).freed > 5_000_000


@pytest.mark.parametrize("both", [False, True], ids=["the environment", "with the cache"])
def test_removing_frees_what_was_foretold(both: bool, work: Path, uv: Client, home: Path) -> None:
    found = look(home)
    chosen = {"venv:work/.venv"} | (ids(found, "uv") if both else set())
    foretold, before = found.freed(chosen).freed, held(home)
    for each in found.artifacts:
        for row in each.rows if each.id in chosen else ():
            subprocess.run(["rm", "-rf", found.tree.path(row)], check=True)
    assert before - held(home) == foretold


def test_environments_that_live_in_the_cache_are_told_and_prune_takes_them(uv: Client, home: Path) -> None:
    folder = home / "vision"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT)
    (home / "script.py").write_text(SCRIPT)
    uv("sync", "--preview-features", "centralized-project-envs", cwd=folder)
    uv("run", "--script", home / "script.py")
    uv("tool", "run", "bigmodel")
    found = look(home)
    living = [each for each in found.artifacts if each.store == "uv" and each.kind == "environment"]
    alive = [each for each in living if "`uv cache prune` and `clean` remove it" in each.detail]
    assert (folder / ".venv").is_symlink()
    assert len(alive) == 3
    (project,) = (each for each in alive if "Project" in dict(each.facts))
    assert dict(project.facts)["Project"] == f"{folder} (its .venv is a link to this)"
    assert not ids(found, "venv")
    places = [Path(found.tree.path(each.blobs[0]).decode()) for each in alive]
    assert all(place.is_dir() for place in places)
    uv("cache", "prune")
    assert not any(place.exists() for place in places)


def test_a_tool_is_uv_s_and_has_its_commands(uv: Client, home: Path) -> None:
    uv("tool", "install", "bigmodel")
    found = look(home)
    tool = get(found, "uv:tool/bigmodel")
    assert dict(tool.facts)["Commands"] == f"{home}/.local/bin/bigmodel"
    assert dict(tool.facts)["Biggest packages"].startswith("bigmodel 1.9")
    assert not ids(found, "venv")


def test_archives_called_orphans_are_those_that_prune_removes(work: Path, uv: Client, home: Path) -> None:
    cache = home / ".cache" / "uv"
    (link,) = cache.glob("wheels-v*/**/smalllib/1.0-py3-none-any")
    archive = link.resolve()
    link.unlink()
    found = look(home)
    orphan = get(found, "uv:archive-v0#orphan")
    assert [Path(found.tree.path(row).decode()) for row in orphan.rows] == [archive]
    before = set(cache.glob("archive-v0/*"))
    uv("cache", "prune")
    assert before - set(cache.glob("archive-v0/*")) == {archive}


def test_an_environment_of_links_breaks_with_the_cache_and_is_told(uv: Client, home: Path) -> None:
    folder = home / "work"
    folder.mkdir()
    uv("venv", cwd=folder)
    uv("pip", "install", "bigmodel", cwd=folder, UV_LINK_MODE="symlink")
    found = look(home)
    assert "removing it breaks them" in get(found, "uv:archive-v0").detail
    assert "archive-v0" in dict(get(found, "venv:work/.venv").facts)["Linked"]
    ask = [folder / ".venv/bin/python", "-c", "import bigmodel; bigmodel.main()"]
    assert start(ask, home) == "big\n"
    shutil.rmtree(home / ".cache" / "uv" / "archive-v0")
    with pytest.raises(AssertionError, match="has no attribute 'main'"):
        start(ask, home)


def test_an_environment_whose_python_is_gone_says_so_and_really_does_not_run(
    uv: Client, own_python: Path, home: Path
) -> None:
    folder = home / "work"
    folder.mkdir()
    uv("venv", "--python", own_python, cwd=folder)
    python = folder / ".venv/bin/python"
    start([python, "-c", "pass"], home)
    before = get(look(home), "venv:work/.venv")
    assert before.state == "complete"
    assert dict(before.facts)["Interpreter"].endswith(str(own_python.parent))
    shutil.rmtree(own_python.parent.parent)
    found = get(look(home), "venv:work/.venv")
    assert found.state == "dangling"
    assert dict(found.facts)["Runs"].startswith(f"no: {own_python.parent}")
    with pytest.raises(FileNotFoundError):
        start([python, "-c", "pass"], home)


def test_a_python_that_uv_manages_tells_which_environments_need_it(uv: Client, own_python: Path, home: Path) -> None:
    """A copy in uv's own folder under the name that uv gives, which uv takes for one of its installations."""
    version = start([own_python, "-c", "import platform; print(platform.python_version())"], home).strip()
    place = Path(uv("python", "dir").strip()) / f"cpython-{version}-linux-{platform.machine()}-gnu"
    place.parent.mkdir(parents=True)
    own_python.parent.parent.rename(place)
    (home / "work").mkdir()
    uv("venv", "--managed-python", cwd=home / "work")
    found = look(home)
    python = get(found, f"uv:python/{place.name}")
    assert python.detail == "1 environment seen needs it"
    assert dict(python.facts)["Used by"] == "work/.venv"
    assert place.name in uv("python", "list", "--managed-python", "--only-installed")
    shutil.rmtree(place)
    assert get(look(home), "venv:work/.venv").state == "dangling"


def test_the_cache_is_found_where_uv_itself_says_it_is(uv: Client, home: Path) -> None:
    settings = home / ".config" / "uv" / "uv.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f'cache-dir = "{home}/big"\n')
    for name, value in (("NOTHING", ""), ("UV_CACHE_DIR", f"{home}/other"), ("XDG_CACHE_HOME", f"{home}/x")):
        found = api.survey({name: value}, home, "linux", system=False)
        (holding,) = (each for each in found.holdings if each.store.name == "uv")
        uv.variables[name] = value
        assert uv("cache", "dir").strip() == holding.roots[0].path
        del uv.variables[name]
    assert uv("tool", "dir", XDG_DATA_HOME="/d").strip() == "/d/uv/tools"
