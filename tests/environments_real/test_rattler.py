"""py-rattler with its own cache, as pixi uses it."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import oracle
import prefixes
from environments_real.clients import start
from environments_real.looking import get, held, ids, look

PROGRAM = Path(__file__).parents[1] / "real" / "programs" / "conda_stack.py"
RATTLER = pytest.param(0, id=f"py-rattler {version('py-rattler')}")


@pytest.fixture(scope="session", params=[RATTLER])
def channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A channel with three packages."""
    folder = tmp_path_factory.mktemp("channel")
    start([sys.executable, PROGRAM, "build", folder / "built"], folder, PATH=os.environ["PATH"])
    return folder / "built"


@pytest.fixture
def project(channel: Path, home: Path) -> Path:
    """A project with two environments over rattler's own cache, with the notes that pixi adds."""
    cache = home / ".cache" / "rattler" / "cache"
    folder = home / "vision"
    wanted = [f"{folder}/.pixi/envs/default=trainer ==1.0", f"{folder}/.pixi/envs/old=trainer ==1.0"]
    start([sys.executable, PROGRAM, "install", channel, cache / "pkgs", *wanted], home)
    (folder / "pixi.toml").touch()
    for name in ("default", "old"):
        prefixes.pixi_notes(folder, folder / ".pixi" / "envs" / name, name)
    return folder


def test_packages_and_environments_share_their_files(project: Path, home: Path) -> None:
    found = look(home)
    packages = ids(found, "rattler")
    assert {name.split("/")[1].rsplit("-", 1)[0] for name in packages} == {"codec-1.0", "trainer-1.0"}
    one, two = get(found, "conda:env/default"), get(found, "conda:env/old")
    assert one.title == "default of vision"
    assert dict(one.facts)["Project"] == f"{project} (noted by pixi)"
    for each in (one, two):
        assert each.sizes.freed < 100_000 < 1_200_000 < each.sizes.allocated
    everything = [one.id, two.id, *packages]
    foretold, before = found.freed(everything).freed, held(home)
    for name in everything:
        for row in get(found, name).rows:
            path = Path(os.fsdecode(found.tree.path(row)))
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert before - held(home) == foretold


def test_a_package_is_its_folder_and_its_lock(project: Path, home: Path) -> None:
    found = look(home)
    cache = home / ".cache" / "rattler" / "cache" / "pkgs"
    for name in ids(found, "rattler"):
        rows = {Path(os.fsdecode(found.tree.path(row))) for row in get(found, name).rows}
        folder = cache / name.removeprefix("rattler:pkg/")
        assert rows == {each for each in (folder, folder.with_name(f"{folder.name}.lock")) if each.exists()}


def test_the_cache_alone_frees_what_no_environment_needs(project: Path, home: Path) -> None:
    found = look(home)
    packages = ids(found, "rattler")
    rows = {Path(os.fsdecode(found.tree.path(row))) for name in packages for row in get(found, name).rows}
    names = [each for row in rows for each in oracle.below(row)]
    assert found.freed(packages).freed == oracle.sums(names).freed < 500_000


def test_detached_environments_are_environments_though_they_lie_in_the_cache(project: Path, home: Path) -> None:
    place = home / ".cache/rattler/cache/envs/vision-123/envs/default"
    place.parent.mkdir(parents=True)
    (project / ".pixi/envs/default").rename(place)
    found = look(home)
    detached = next(each for each in found.artifacts if each.rows == (found.tree.find(place),))
    assert (detached.store, detached.kind) == ("conda", "environment")
    assert "pixi will make it anew" in dict(detached.facts)["Moved"]
    assert not any(found.tree.find(place) in each.rows for each in found.artifacts if each.store == "rattler")
