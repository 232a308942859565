"""The cache of pixi and rattler."""

from __future__ import annotations

from pathlib import Path

import pytest

import makers
import prefixes
from modelyard.inventory import Root
from modelyard.problem import Problem
from modelyard.stores import rattler


def make(home: Path) -> None:
    """A package with its lock, half a package, what is known of channels, and a detached environment."""
    cache = home / ".cache" / "rattler" / "cache"
    package = cache / "pkgs" / "tiny-1.0-h123_0"
    makers.write(package / "lib" / "libtiny.so", b"l" * 90_000)
    makers.write(package / "info" / "index.json", "{}")
    makers.write(cache / "pkgs" / "tiny-1.0-h123_0.lock", b"")
    makers.write(cache / "pkgs" / ".tmpAbc" / "libhalf.so", b"h" * 9000)
    makers.write(cache / "repodata" / "1234.json", "{}")
    makers.write(cache / "conda-pypi-mapping" / "x", "{}")
    makers.write(cache / "CACHEDIR.TAG")


def test_where_it_lies(home: Path) -> None:
    assert makers.places(rattler, home) == [("~/.cache/rattler/cache", "default")]
    assert makers.places(rattler, home, "macos") == [("~/Library/Caches/rattler/cache", "default")]
    assert makers.places(rattler, home, "windows", LOCALAPPDATA="/l") == [("/l/rattler/cache", "default")]


def test_precedence_of_what_moves_it(home: Path) -> None:
    settings = makers.write(home / ".pixi" / "config.toml", '[cache]\nroot = "/c"\nconda-packages = "/fast/pkgs"\n')
    (home / ".cache" / "pixi").mkdir(parents=True)
    both = {"PIXI_CACHE_DIR": "/p", "RATTLER_CACHE_DIR": "/r"}
    assert [root.path for root in makers.named(rattler, home, "linux", **both)] == ["/p", "/r", "/fast/pkgs"]
    assert makers.named(rattler, home, RATTLER_CACHE_DIR="/r")[0] == Root("/r", "RATTLER_CACHE_DIR")
    assert makers.named(rattler, home)[0] == Root("/c", f"{settings} [cache] root")
    moved = makers.named(rattler, home, PIXI_CACHE_CONDA_PACKAGES_DIR="/v")[-1]
    assert moved == Root("/v", "PIXI_CACHE_CONDA_PACKAGES_DIR")
    settings.unlink()
    assert makers.named(rattler, home)[0].path == f"{home}/.cache/pixi"
    assert makers.named(rattler, home)[-1].path == f"{home}/.cache/rattler/cache"


@pytest.mark.parametrize(
    ("platform", "file"),
    [
        ("linux", ".config/pixi/config.toml"),
        ("macos", "Library/Application Support/pixi/config.toml"),
        ("windows", "AppData/Roaming/pixi/config.toml"),
        ("linux", "own/config.toml"),
    ],
)
def test_its_settings_lie_in_several_places(platform: str, file: str, home: Path) -> None:
    makers.write(home / file, '[cache]\nroot = "/c"\n')
    found = makers.named(rattler, home, platform, PIXI_HOME=f"{home}/own")  # type: ignore[arg-type]
    assert found[0].path == "/c"


def test_broken_settings_are_a_problem_and_the_default_counts(home: Path) -> None:
    makers.write(home / ".pixi" / "config.toml", "cache = 7\n")
    problem, cache = rattler.roots({}, home, "linux")
    assert isinstance(problem, Problem)
    assert isinstance(cache, Root)


def test_packages_locks_halves_and_the_rest_are_told_apart(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert set(found) == {"rattler:pkg/tiny-1.0-h123_0", "rattler:#partial", "rattler:repodata",
                          "rattler:conda-pypi-mapping"}  # fmt: skip
    assert found["rattler:pkg/tiny-1.0-h123_0"].title == "tiny 1.0"
    assert len(found["rattler:pkg/tiny-1.0-h123_0"].blobs) == 2
    assert (found["rattler:#partial"].state, found["rattler:#partial"].recovery) == ("partial", "re-get")


def test_environments_and_the_cache_of_uv_inside_are_not_cache(home: Path) -> None:
    make(home)
    cache = home / ".cache" / "rattler" / "cache"
    place = cache / "envs" / "vision-1234" / "envs" / "default"
    prefixes.pixi_environment(home / "vision", place=place)
    makers.conda_env(cache / "cached-envs-v0" / "abcd")
    makers.write(cache / "uv-cache" / "CACHEDIR.TAG")
    makers.write(cache / "uv-cache" / "archive-v0" / "x" / "lib.so", b"x" * 9000)
    found = makers.artifacts(home)
    for name in ("conda:env/default", "conda:env/abcd", "uv:archive-v0"):
        assert found[name].sizes.freed == found[name].sizes.allocated > 0
    assert {each.id for each in found.values() if each.store == "rattler"} == {
        "rattler:pkg/tiny-1.0-h123_0", "rattler:#partial", "rattler:repodata", "rattler:conda-pypi-mapping",
    }  # fmt: skip


def test_packages_that_were_moved_out_are_packages(home: Path) -> None:
    make(home)
    (home / ".cache/rattler/cache/pkgs").rename(home / "fast")
    found = makers.artifacts(home, PIXI_CACHE_CONDA_PACKAGES_DIR=f"{home}/fast")
    assert "rattler:pkg/tiny-1.0-h123_0" in found


def test_a_cache_elsewhere_is_recognised(home: Path) -> None:
    make(home)
    (home / ".cache" / "rattler" / "cache").rename(home / "moved")
    assert "rattler:pkg/tiny-1.0-h123_0" in makers.artifacts(home)


def test_packages_of_conda_are_left_to_conda(home: Path) -> None:
    makers.conda_env(home / "miniconda3")
    makers.conda_package(home / "miniconda3" / "pkgs", "tiny-1.0-0")
    makers.write(home / "miniconda3" / "repodata" / "x")
    assert {each.store for each in makers.artifacts(home).values()} == {"conda"}
