"""uv: its cache, what lives in it, its tools and its Pythons."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import makers
import prefixes
from modelyard import api
from modelyard.inventory import Root
from modelyard.problem import Problem
from modelyard.stores import uv

RECEIPT = """[tool]
requirements = [{{ name = "black" }}]
entrypoints = [{{ name = "black", install-path = "{}", from = "black" }}]
"""


def make(home: Path) -> None:
    """Buckets of a new and an old uv, an environment of a project and one of uvx in them, a tool, a Python."""
    cache = home / ".cache" / "uv"
    makers.write(cache / "CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55")
    library = makers.write(cache / "archive-v0" / "abc" / "lib.so", b"l" * 90_000)
    for bucket in ("wheels-v5", "wheels-v6", "sdists-v9", "environments-v1", "environments-v2"):
        makers.write(cache / bucket / "thing", b"t" * 3000)
    makers.write(cache / "wheels-v6" / "pypi" / "torch" / "2.0.lock", b"")
    (cache / "wheels-v6" / "pypi" / "torch" / "2.0").symlink_to("../../../archive-v0/abc")
    makers.write(cache / "archive-v0" / "lost" / "lib.so", b"l" * 50_000)
    prefixes.environment(cache / "environments-v2" / "vision-cp3.11-0123456789abcdef", "home = /usr/bin\nuv = 0.13.8\n")
    prefixes.environment(cache / "archive-v0" / "uvx", "home = /usr/bin\nuv = 0.13.8\nrelocatable = true\n")
    (cache / "environments-v2" / "aa").mkdir()
    (cache / "environments-v2" / "aa" / "bb").symlink_to("../../archive-v0/uvx")
    (home / "installed").mkdir()
    os.link(library, home / "installed" / "lib.so")
    data = home / ".local" / "share" / "uv"
    python = data / "python" / "cpython-3.12.5-linux-x86_64-gnu"
    makers.write(python / "bin" / "python3.12", b"\x7fELF" * 900)
    (python / "bin" / "python3").symlink_to("python3.12")
    (data / "python" / "cpython-3.12-linux-x86_64-gnu").symlink_to(python.name)
    home_of = data / "python" / "cpython-3.12-linux-x86_64-gnu" / "bin"
    tool = prefixes.environment(data / "tools" / "black", f"home = {home_of}\nuv = 0.13.8\nversion_info = 3.12.5\n")
    (home / ".local" / "bin").mkdir()
    (home / ".local" / "bin" / "black").symlink_to(tool / "bin" / "black")
    makers.write(tool / "uv-receipt.toml", RECEIPT.format(home / ".local/bin/black"))


def test_precedence_of_what_moves_it(home: Path) -> None:
    data = [("~/.local/share/uv/tools", "default"), ("~/.local/share/uv/python", "default")]
    assert makers.places(uv, home, "macos") == [("~/.cache/uv", "default"), *data]
    assert makers.places(uv, home, "windows", LOCALAPPDATA="/l", APPDATA="/r") == [
        ("/l/uv/cache", "default"), ("/r/uv/data/tools", "default"), ("/r/uv/data/python", "default"),
    ]  # fmt: skip
    assert makers.places(uv, home, UV_CACHE_DIR="/u", XDG_CACHE_HOME="/x") == [("/u", "UV_CACHE_DIR"), *data]
    moved = makers.places(uv, home, UV_TOOL_DIR="/t", UV_PYTHON_INSTALL_DIR="/p", XDG_DATA_HOME="/d")
    assert moved[1:] == [("/t", "UV_TOOL_DIR"), ("/p", "UV_PYTHON_INSTALL_DIR")]
    assert makers.places(uv, home, XDG_DATA_HOME="/d")[1] == ("/d/uv/tools", "default")
    (home / "Library" / "Caches" / "uv").mkdir(parents=True)
    (home / "Library" / "Application Support" / "uv").mkdir(parents=True)
    old = makers.places(uv, home, "macos")
    assert old[0] == ("~/Library/Caches/uv", "default of old versions")
    assert old[1][0] == "~/Library/Application Support/uv/tools"


def test_a_settings_file_moves_the_cache_but_not_past_the_variable(home: Path) -> None:
    path = makers.write(home / ".config/uv/uv.toml", 'cache-dir = "~/big/uv"\n')
    assert makers.named(uv, home)[0] == Root(f"{home}/big/uv", str(path))
    assert makers.named(uv, home, UV_CACHE_DIR="/u")[0].path == "/u"
    other = makers.write(home / "mine.toml", 'cache-dir = "/mine"\n')
    assert makers.named(uv, home, UV_CONFIG_FILE=str(other))[0] == Root("/mine", str(other))


def test_broken_settings_are_a_problem_and_the_default_counts(home: Path) -> None:
    makers.write(home / ".config/uv/uv.toml", "cache-dir = [[[")
    problem, cache, *_ = uv.roots({}, home, "linux")
    assert isinstance(problem, Problem)
    assert problem.code == "unreadable-settings"
    assert isinstance(cache, Root)
    assert cache.path == f"{home}/.cache/uv"


def test_old_buckets_are_dead_and_shared_files_stay(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert found["uv:wheels-v5"].state == "orphan"
    assert found["uv:wheels-v6"].state == "complete"
    assert found["uv:environments-v1"].state == "complete"  # an older uv's projects may still live in it
    assert (found["uv:environments-v2"].kind, found["uv:environments-v2"].recovery) == ("environment", "re-solve")
    assert found["uv:archive-v0"].sizes.freed < 90_000 < found["uv:archive-v0"].sizes.allocated


def test_a_project_s_environment_in_the_cache_is_live_and_its_own(home: Path) -> None:
    make(home)
    place = home / ".cache/uv/environments-v2/vision-cp3.11-0123456789abcdef"
    (home / "vision").mkdir()
    (home / "vision" / ".venv").symlink_to(place)
    found = makers.artifacts(home)[f"uv:environments-v2/{place.name}"]
    assert (found.kind, found.state, found.recovery) == ("environment", "complete", "re-solve")
    assert "`uv cache prune` and `clean` remove it" in found.detail
    assert dict(found.facts)["Project"] == f"{home}/vision (its .venv is a link to this)"
    bucket = makers.artifacts(home)["uv:environments-v2"]
    assert not set(found.rows) & set(bucket.rows)
    assert bucket.sizes.allocated < found.sizes.allocated


def test_an_environment_of_uvx_is_not_an_archive(home: Path) -> None:
    make(home)
    survey = api.survey({}, home, "linux", system=False)
    found = {each.id: each for each in survey.artifacts}
    alone, archives = found["uv:environments-v2/aa/bb"], found["uv:archive-v0"]
    assert alone.sizes.freed > 0
    assert "for `uvx`" in alone.detail
    assert survey.freed([alone.id, archives.id]).freed == archives.sizes.freed + alone.sizes.freed


def test_archives_that_nothing_links_to_are_orphans(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)["uv:archive-v0#orphan"]
    assert (found.state, found.detail) == ("orphan", "1 of them; nothing in the cache links to them")
    assert found.sizes.freed > 50_000


def test_without_any_link_no_archive_is_called_an_orphan(home: Path) -> None:
    make(home)
    (home / ".cache/uv/wheels-v6/pypi/torch/2.0").unlink()
    (home / ".cache/uv/environments-v2/aa/bb").unlink()
    assert "uv:archive-v0#orphan" not in makers.artifacts(home)


def test_archives_that_environments_link_into_are_never_orphans(home: Path) -> None:
    """UV_LINK_MODE=symlink: cleaning the cache would empty the environment without a word."""
    make(home)
    site = prefixes.environment(home / "work" / ".venv") / "lib/python3.11/site-packages" / "torch-2.0.dist-info"
    target = makers.write(home / ".cache/uv/archive-v0/lost/torch-2.0.dist-info/METADATA", "Name: torch\n")
    site.mkdir()
    (site / "METADATA").symlink_to(target)
    found = makers.artifacts(home)
    assert "uv:archive-v0#orphan" not in found
    assert found["uv:archive-v0"].detail == "environments seen that link into it: removing it breaks them"
    assert dict(found["venv:work/.venv"].facts)["Linked"] == f"its files are links, as to {target}"


def test_a_tool_has_its_commands(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)["uv:tool/black"]
    assert dict(found.facts)["Commands"] == f"{home}/.local/bin/black"
    assert "Python 3.12.5 by uv" in found.detail


@pytest.mark.parametrize("text", ["[[[", "tool = 7\n", RECEIPT.format("a\\u0000\\u001b[31m"), "\0"])
def test_a_strange_receipt_hides_no_tool_and_says_nothing_strange(text: str, home: Path) -> None:
    make(home)
    makers.write(home / ".local/share/uv/tools/black/uv-receipt.toml", text)
    found = makers.artifacts(home)["uv:tool/black"]
    assert dict(found.facts).get("Commands", "") in ("", "a\\x00\\x1b[31m")


def test_a_python_tells_who_needs_it_also_by_its_short_name(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)["uv:python/cpython-3.12.5-linux-x86_64-gnu"]
    assert (found.kind, found.recovery) == ("environment", "re-get")
    assert found.detail == "1 environment seen needs it"
    assert dict(found.facts)["Used by"] == ".local/share/uv/tools/black"
    assert len(found.pins) == 1
    assert not any("cpython-3.12-linux" in each for each in makers.artifacts(home))


def test_half_a_python_is_partial(home: Path) -> None:
    make(home)
    makers.write(home / ".local/share/uv/python/.temp/x/archive.tar.gz", bytes(9000))
    assert makers.artifacts(home)["uv:#partial"].state == "partial"


def test_a_cache_elsewhere_is_recognised(home: Path) -> None:
    make(home)
    (home / ".cache" / "uv").rename(home / "moved")
    assert "uv:archive-v0" in makers.artifacts(home)


def test_tools_elsewhere_are_recognised_by_their_receipts(home: Path) -> None:
    make(home)
    (home / ".local" / "share" / "uv" / "tools").rename(home / "apps")
    assert makers.artifacts(home)["uv:tool/black"].store == "uv"
