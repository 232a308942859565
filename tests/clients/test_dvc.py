"""DVC: a cache in the project, one that settings move, and one that projects share."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from clients.client import CLIENTS, Client, runs
from clients.looking import look
from real import disk
from reclaiming import age, chosen, clean, everything, locking, undo
from typed import Run
from verify.looking import flip, told

pytestmark = runs("dvc", "dvc")
DVC = CLIENTS / "bin" / "dvc"
WORDS = "what was never pushed exists nowhere else"


def quiet(client: Client) -> Client:
    """The client without its statistics, its index of files beside its home."""
    return client.told(DVC_NO_ANALYTICS=1, DVC_SITE_CACHE_DIR=client.temporary / "site")


def project(client: Client, name: str, *commands: tuple[str, ...]) -> Path:
    """A project with a file and a folder under DVC; the commands come before they are added."""
    place = client.home / name
    (place / "folder").mkdir(parents=True)
    (place / "data.bin").write_bytes(name.encode() * 30_000)
    (place / "folder" / "rows.csv").write_bytes(b"a,b\n" * 900)
    subprocess.run(["git", "init", "-q"], cwd=place, check=True)
    for words in (("init", "-q"), *commands, ("add", "-q", "data.bin", "folder")):
        quiet(client).shell(DVC, *words, cwd=place)
    return place


@pytest.fixture(scope="module")
def filled(client: Client) -> Client:
    """A project with its own cache, and two that share one."""
    project(client, "alone")
    project(client, "left", ("cache", "dir", str(client.home / "shared")))
    project(client, "right", ("cache", "dir", "--local", "../shared"))
    return client


def test_the_caches_of_projects_and_the_one_they_share_are_found_once_each(filled: Client) -> None:
    seen = look(filled.home, "dvc")
    assert seen.states == {"alone": ("dataset", "complete", "none"), "shared": ("dataset", "complete", "none")}
    assert {each.detail for each in seen.artifacts.values()} == {WORDS}
    assert seen.artifacts["shared"].sizes.freed == disk.allocated(filled.home / "shared" / "files")
    assert seen.artifacts["alone"].sizes.freed == disk.allocated(filled.home / "alone" / ".dvc" / "cache" / "files")


def test_the_user_s_own_settings_are_where_dvc_itself_writes_them(fresh: Client) -> None:
    project(fresh, "one", ("config", "--global", "cache.dir", str(fresh.home / "all")))
    seen = look(fresh.home, "dvc")
    assert seen.roots[str(fresh.home / "all")] == str(fresh.home / ".config" / "dvc" / "config")
    assert set(seen.artifacts) == {"all"}


def test_after_a_look_dvc_takes_its_files_from_the_cache(fresh: Client) -> None:
    place = project(fresh, "one")
    (place / "data.bin").unlink()
    look(fresh.home, "dvc")
    quiet(fresh).shell(DVC, "checkout", "-q", cwd=place)
    assert (place / "data.bin").read_bytes() == b"one" * 30_000


def test_files_linked_into_the_workspace_free_nothing_alone(fresh: Client) -> None:
    place = project(fresh, "one", ("config", "cache.type", "hardlink"))
    assert (place / "data.bin").stat().st_nlink == 2
    sizes = look(fresh.home, "dvc").artifacts["one"].sizes
    assert sizes.freed < 90_000 < sizes.allocated


def test_after_a_clean_dvc_fetches_what_was_pushed_and_an_undo_is_whole(fresh: Client, run: Run) -> None:
    place, told = project(fresh, "one"), quiet(fresh)
    told.shell(DVC, "remote", "add", "-d", "store", fresh.home / "remote", cwd=place)
    told.shell(DVC, "push", "-q", cwd=place)
    cache = place / ".dvc" / "cache"
    age(cache)
    before = everything(cache)
    assert chosen(run, "dvc") == set()
    clean(run, "dvc", include=("dvc:one",))
    assert (place / "data.bin").read_bytes() == b"one" * 30_000
    assert "not in cache" in told.shell(DVC, "status", cwd=place)
    undo(run)
    assert everything(cache) == before
    assert "up to date" in told.shell(DVC, "status", cwd=place)
    told.shell(DVC, "status", "-c", cwd=place)
    clean(run, "dvc", include=("dvc:one",))
    (place / "data.bin").unlink()
    told.shell(DVC, "pull", "-q", cwd=place)
    assert (place / "data.bin").read_bytes() == b"one" * 30_000
    told.shell(DVC, "gc", "-w", "-f", cwd=place)


def test_a_project_that_dvc_has_locked_is_left_alone(fresh: Client, run: Run) -> None:
    place = project(fresh, "one")
    with locking(place / ".dvc" / "tmp" / "lock") as process:
        why = run("clean", "dvc", "--include", "dvc:one", "--dry-run").out
        assert f"(process {process.pid}) holds its lock" in " ".join(why.split())
    assert "Left out" not in run("clean", "dvc", "--include", "dvc:one", "--dry-run").out


def test_a_cache_that_the_workspace_is_linked_to_is_left_alone(fresh: Client, run: Run) -> None:
    """Of data that is links into the cache the cache has the only copy."""
    place = project(fresh, "one", ("config", "cache.type", "symlink"))
    assert (place / "data.bin").is_symlink()
    assert "leads to it" in " ".join(run("clean", "dvc", "--include", "dvc:one", "--dry-run").out.split())
    assert chosen(run, "dvc", "--include", "dvc:one") == set()


def test_objects_are_verified_by_their_names(fresh: Client, run: Run) -> None:
    place = project(fresh, "one")
    assert told(run, "dvc", code=0) == {}
    objects = [path for path in (place / ".dvc/cache/files/md5").rglob("*") if path.is_file()]
    assert len(objects) == 3
    for path in objects:
        flip(path)
    assert told(run, "dvc", code=5) == {path.name: "corrupt" for path in objects}
