"""Caches of pip and uv that were cleaned: their own commands are content, and install from what is left."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from environments_real.clients import TOOLS, Client, base_python, start
from environments_real.looking import ids, look
from reclaiming import age, chosen, clean, everything, left_out, locking, undo
from typed import Run

ASK = ["-c", "import bigmodel, smalllib; bigmodel.main()"]


@pytest.fixture
def work(uv: Client, home: Path) -> Path:
    """A project with an environment of two packages."""
    folder = home / "work"
    folder.mkdir()
    install(uv, folder)
    return folder


def install(uv: Client, folder: Path, *packages: str, **variables: str) -> None:
    """An environment made anew."""
    uv("venv", "--clear", cwd=folder, **variables)
    uv("pip", "install", *(packages or ("bigmodel", "smalllib")), cwd=folder, **variables)


def runs(folder: Path, home: Path) -> None:
    """The environment works."""
    assert start([folder / ".venv/bin/python", *ASK], home) == "big\n"


def test_uv_is_content_with_what_is_left_and_after_an_undo(work: Path, uv: Client, run: Run, home: Path) -> None:
    age(home)
    before = everything(home)
    clean(run, "uv")
    undo(run)
    assert everything(home) == before
    clean(run, "uv")
    runs(work, home)
    uv("cache", "size", "--preview-features", "cache-size")
    uv("cache", "prune")
    install(uv, work)
    runs(work, home)
    uv("cache", "clean")


@pytest.mark.parametrize("bucket", ["wheels", "simple", "interpreter"])
def test_uv_installs_when_one_of_its_buckets_went(bucket: str, uv: Client, index: str, run: Run, home: Path) -> None:
    """The wheels are links into the archives, which therefore never go without them."""
    folder = home / "work"
    folder.mkdir()
    online = {"UV_NO_INDEX": "0", "UV_OFFLINE": "0", "UV_INDEX_URL": index, "UV_FIND_LINKS": ""}
    install(uv, folder, **online)
    age(home)
    before = everything(home / ".cache")
    assert "wheels-v" in left_out(run, "uv:archive-v0")["uv:archive-v0"]
    (name,) = [each for each in ids(look(home), "uv") if each.startswith(f"uv:{bucket}-v")]
    clean(run, name)
    undo(run)
    assert everything(home / ".cache") == before
    clean(run, name)
    runs(folder, home)
    (home / "other").mkdir()
    install(uv, home / "other", **online)
    runs(home / "other", home)
    uv("cache", "prune")


def test_packages_that_environments_link_to_are_kept(uv: Client, run: Run, home: Path) -> None:
    """`uv cache clean` breaks such environments, and silently: a package becomes an empty one."""
    folder = home / "work"
    folder.mkdir()
    install(uv, folder, UV_LINK_MODE="symlink")
    age(home)
    assert "leads to it" in left_out(run, "uv")["uv:archive-v0"]
    clean(run, "uv")
    runs(folder, home)
    uv("cache", "clean")
    with pytest.raises(AssertionError, match="has no attribute 'main'"):
        start([folder / ".venv/bin/python", *ASK], home)


def test_environments_that_live_in_the_cache_stay(uv: Client, run: Run, home: Path) -> None:
    """`uv cache prune` takes them."""
    (home / "script.py").write_text('# /// script\n# dependencies = ["smalllib"]\n# ///\nimport smalllib\n')
    uv("run", "--script", home / "script.py")
    uv("tool", "run", "bigmodel")
    age(home)
    living = {each.id for each in look(home).artifacts if "`uv cache prune`" in each.detail}
    assert len(living) == 2
    assert not living & chosen(run, "uv")
    clean(run, "uv")
    kept = look(home)
    assert living <= {each.id for each in kept.artifacts}
    assert {each.state for each in kept.artifacts if each.id in living} == {"complete"}
    assert uv("tool", "run", "bigmodel") == "big\n"


@contextmanager
def busy(uv: Client, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """uv itself at work: it holds the lock of its cache as long as what it runs."""
    code = "print(1, flush=True); input()"
    command = [str(TOOLS / "bin" / "uv"), "run", "--no-project", "--with", "smalllib", "python", "-c", code]
    env = {"HOME": str(uv.home), **uv.variables}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=folder, env=env) as process:
        assert process.stdout and process.stdin and process.stdout.readline() == "1\n"
        yield process
        process.stdin.write("\n")
        process.stdin.flush()
        process.wait()


def test_what_a_running_uv_has_locked_is_left_alone_and_the_process_named(
    work: Path, uv: Client, run: Run, home: Path
) -> None:
    age(home)
    with busy(uv, work) as process:
        why = left_out(run, "uv")
        assert why.keys() >= {
            "uv:archive-v0",
            *(each for each in ids(look(home), "uv") if each.startswith("uv:wheels")),
        }
        assert all(f"(process {process.pid}) holds its lock" in each for each in why.values())
        assert chosen(run, "uv") == set()


def test_a_lock_taken_after_the_plan_was_made_is_respected_too(work: Path, uv: Client, run: Run, home: Path) -> None:
    age(home)
    run("clean", "uv", "--plan", str(home / "plan.json"))
    with locking(home / ".cache/uv/.lock", shared=True) as process:
        answer = run("apply", str(home / "plan.json"), "--yes")
    assert answer.code == 3
    assert f"(process {process.pid}) holds its lock" in " ".join(answer.out.split())
    runs(work, home)


def test_pip_is_content_with_what_is_left_and_after_an_undo(
    old_pip: Client, virtualenv: Client, index: str, run: Run, home: Path
) -> None:
    fetch = ["download", "--no-deps", "--index-url", index, "--trusted-host", "127.0.0.1", "smalllib", "-d"]
    old_pip(*fetch, home / "one")
    virtualenv("-p", base_python(), home / "new")
    pip = [home / "new/bin/pip", "--disable-pip-version-check"]
    start([*pip, *fetch, home / "two"], home)
    cache = home / ".cache" / "pip"
    age(cache)
    before = everything(cache)
    assert chosen(run, "pip") == {"pip:http", "pip:http-old"}
    clean(run, "pip")
    assert "Number of HTTP files: 0" in start([*pip, "cache", "info"], home)
    assert "No locally built wheels" in start([*pip, "cache", "list"], home)
    undo(run)
    assert everything(cache) == before
    assert "Number of HTTP files: 0" not in start([*pip, "cache", "info"], home)
    start([*pip, *fetch, home / "three"], home)
    clean(run, "pip")
    start([*pip, *fetch, home / "four"], home)
    start([*pip, "cache", "purge"], home)
