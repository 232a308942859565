"""Code that is edited in place: a repository with uncommitted changes comes back as it was."""

from __future__ import annotations

import json
import os
import shutil
from importlib.metadata import distribution
from pathlib import Path

import pytest

import oracle
from capsules.making import frozen, git, problem, run, unpacked, venv
from modelyard.api.environments import Proof, prove, restore
from modelyard.capsules.restore import Restored

PROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "edited"
version = "0.3"
[tool.setuptools.packages.find]
where = ["code"]
"""
BUILDER = Path(str(distribution("setuptools").locate_file("")))
BINARY = bytes(range(256)) * 300


PROGRAMS = (
    "core.fsmonitor", "core.pager", "core.sshCommand", "core.editor", "diff.external", "filter.f.clean", "alias.diff",
    "filter.f.smudge", "filter.f.process", "diff.d.command", "diff.d.textconv", "pager.diff",
)  # fmt: skip
"""Settings whose value git runs."""


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file of a checkout by its path, with its right to be run and its content; without what git and pip keep."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode & 0o100, _content(path))
        for path in oracle.below(folder)
        if not path.is_dir() and not {".git", "edited.egg-info", "__pycache__"} & set(path.relative_to(folder).parts)
    }


def _content(path: Path) -> bytes:
    return os.readlink(path).encode() if path.is_symlink() else path.read_bytes()


@pytest.fixture
def project(home: Path, published: tuple[Path, str]) -> Path:
    """A pushed repository with a package, which nobody has changed yet."""
    folder, address = published
    place = home / "my project"
    (place / "code" / "edited").mkdir(parents=True)
    (place / "pyproject.toml").write_text(PROJECT)
    (place / "code" / "edited" / "__init__.py").write_text("WORD = 1\n" + "# line\n" * 50)
    for name in ("text", "gone", "moved", "runs"):
        (place / name).write_text(f"{name}\n" * 20)
    (place / "binary").write_bytes(BINARY)
    (place / ".gitignore").write_text("*.log\n/made/\n*.egg-info/\n__pycache__/\n!kept.log\n")
    git(place, "init", "-q", "-b", "main")
    git(place, "add", "-A")
    git(place, "commit", "-q", "-m", "first")
    git(folder, "init", "-q", "--bare", "edited.git")
    git(place, "remote", "add", "origin", folder / "edited.git")
    git(place, "push", "-q", "-u", "origin", "main")
    git(folder / "edited.git", "update-server-info")
    git(place, "remote", "set-url", "origin", f"{address}/edited.git")
    return place


def change(place: Path) -> None:
    """Every kind of change that nobody committed."""
    (place / "code" / "edited" / "__init__.py").write_text("WORD = 2\n" + "# line\n" * 50 + "# no end of line")
    (place / "text").write_bytes(b"text\r\n" + "ä text\n".encode() * 20)
    (place / "binary").write_bytes(BINARY[::-1])
    (place / "gone").unlink()
    (place / "moved").rename(place / "moved here")
    (place / "runs").chmod(0o755)
    (place / "untracked").write_text("new\n")
    (place / 'odd "näme"\ttab').write_text("odd\n")
    (place / "empty").write_text("")
    (place / "link").symlink_to("text")
    (place / "staged").write_text("staged\n")
    git(place, "add", "staged")


@pytest.fixture
def prefix(home: Path, env: dict[str, str], project: Path) -> Path:
    """An environment in which the repository is installed to be edited."""
    made = venv(home / "env", env)
    words = ("install", "-q", "--no-deps", "--no-build-isolation", "-e", project)
    builder = {"PYTHONPATH": str(BUILDER)}  # a newer one than a fresh environment has
    run(made / "bin" / "python", "-m", "pip", *words, env=env | builder)
    return made


@pytest.fixture
def noted(home: Path, project: Path) -> Path:
    """An environment that says it has the repository installed, as pip writes it, and cannot be started."""
    info = home / "env" / "lib" / "python3.11" / "site-packages" / "edited-0.3.dist-info"
    info.mkdir(parents=True)
    (home / "env" / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.2\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: edited\nVersion: 0.3\n")
    (info / "direct_url.json").write_text(json.dumps({"url": project.as_uri(), "dir_info": {"editable": True}}))
    return home / "env"


def test_uncommitted_changes_come_back(prefix: Path, project: Path, env: dict[str, str], home: Path) -> None:
    change(project)
    (project / "noise.log").write_text("ignored")
    (project / "made").mkdir()
    (project / "made" / "big").write_text("ignored")
    before = git(project, "status", "--porcelain")
    capsule = frozen(prefix, home / "capsules")
    (sources,) = capsule.capsule.sources
    assert sources.commit == git(project, "rev-parse", "HEAD").strip()
    assert (sources.remote.rpartition("/")[2], sources.tree, sources.left_out) == ("edited.git", "", [])
    again = restore(capsule, home / "again", env, home, with_sources=True)
    assert isinstance(again, Restored), again
    clone = home / "again" / "src" / "edited"
    shutil.rmtree(project / "made")
    (project / "noise.log").unlink()
    assert files(clone) == files(project)
    assert git(project, "status", "--porcelain") == before
    word = run(home / "again" / "bin" / "python", "-c", "import edited; print(edited.WORD, edited.__file__)", env=env)
    assert word == f"2 {clone}/code/edited/__init__.py\n"
    twice = frozen(home / "again", home / "capsules").capsule
    assert [(each.name, each.source) for each in twice.packages if each.folder] == [("edited", "sources")]


def test_it_is_proven_with_its_changes(prefix: Path, project: Path, env: dict[str, str], home: Path) -> None:
    change(project)
    proof = prove(frozen(prefix, home / "capsules"), env, home)
    assert isinstance(proof, Proof)
    assert proof.differences == []


@pytest.mark.parametrize("how", ["packed", "shared", "worktree", "detached"])
def test_every_layout_of_a_repository_is_understood(how: str, project: Path, noted: Path, home: Path) -> None:
    for number in range(30):
        text = (project / "text").read_text()
        (project / "text").write_text(text + f"line {number} {'x' * number}\n")
        git(project, "commit", "-q", "-am", f"number {number}")
    git(project, "update-ref", "refs/remotes/origin/main", "HEAD")
    if how == "packed":
        git(project, "gc", "-q", "--aggressive", "--prune=now")
        assert not list(project.glob(".git/objects/[0-9a-f][0-9a-f]"))
    elif how == "detached":
        git(project, "checkout", "-q", "--detach", "HEAD~3")
    else:
        place = home / "original"
        project.rename(place)
        words = ("worktree", "add", "-q", "--detach") if how == "worktree" else ("clone", "-q", "--shared", place)
        git(place, *words, project)
    change(project)
    (sources,) = frozen(noted, home / "capsules").capsule.sources
    assert sources.commit == git(project, "rev-parse", "HEAD").strip()
    if how == "shared":
        assert sources.tree, "its remote is a folder of this machine"
        return
    (path,) = (home / "capsules").glob("*.zip")
    fresh = home / "fresh"
    git(project, "worktree", "add", "-q", "--detach", fresh, sources.commit)
    (home / "the.patch").write_bytes(unpacked(path)["sources/edited.patch"])
    git(fresh, "apply", home / "the.patch")
    assert files(fresh) == files(project)


def test_a_commit_that_was_never_pushed_is_kept_as_files(
    prefix: Path, project: Path, home: Path, env: dict[str, str]
) -> None:
    (project / "text").write_text("mine alone\n")
    git(project, "commit", "-q", "-am", "not pushed")
    change(project)
    capsule = frozen(prefix, home / "capsules")
    assert capsule.capsule.sources[0].tree == "sources/edited/"
    (home / "repositories").mkdir()
    assert isinstance(restore(capsule, home / "again", env, home, with_sources=True), Restored)
    there = files(home / "again" / "src" / "edited")
    assert there == {name: each for name, each in files(project).items() if name != "link"}


def test_without_the_option_sources_are_named_and_not_fetched(
    prefix: Path, project: Path, env: dict[str, str], home: Path
) -> None:
    made = restore(frozen(prefix, home / "capsules"), home / "again", env, home)
    assert isinstance(made, Restored)
    assert made.notes == (f"edited: edited in {project}; --with-sources brings it",)
    assert not (home / "again" / "src").exists()


def test_secrets_beside_the_code_are_never_copied(noted: Path, project: Path, home: Path) -> None:
    (project / ".gitignore").write_text("")
    secrets = (".env", "id_rsa", "server.pem", "hf_token", "credentials.json", "conf/.netrc", "my-secret.txt")
    for name in secrets:
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text("SWORDFISH")
    address = git(project, "remote", "get-url", "origin").strip().replace("http://", "http://user:SWORDFISH@")
    git(project, "remote", "set-url", "origin", address)
    capsule = frozen(noted, home / "capsules")
    assert not any(b"SWORDFISH" in data for data in unpacked(capsule.path).values())
    (sources,) = capsule.capsule.sources
    assert {line.partition(":")[0] for line in sources.left_out} >= set(secrets)
    assert "edited: a secret was taken out of its address" in capsule.capsule.said


def test_a_repository_of_a_whole_home_gives_nothing_of_the_home(noted: Path, project: Path, home: Path) -> None:
    shutil.rmtree(project / ".git")
    (home / ".bashrc").write_text("export WORD=SWORDFISH\n")
    git(home, "init", "-q", "-b", "main")
    git(home, "add", ".bashrc")
    git(home, "commit", "-q", "-m", "dotfiles")
    (home / "diary.txt").write_text("SWORDFISH")
    capsule = frozen(noted, home / "capsules")
    (sources,) = capsule.capsule.sources
    assert (sources.folder, sources.tree) == (str(project), "sources/edited/")
    assert not any(b"SWORDFISH" in data for data in unpacked(capsule.path).values())


def test_a_hostile_repository_runs_nothing(prefix: Path, project: Path, env: dict[str, str], home: Path) -> None:
    """Everything by which a repository can have git run a program, both when it is frozen and when it comes back."""
    canary = home / "ran"
    touch = f"touch '{canary}'"
    for key in PROGRAMS:
        git(project, "config", key, touch)
    with (project / ".gitattributes").open("w") as file:
        file.write("* filter=f diff=d\n")
    for name in ("post-checkout", "pre-commit", "post-index-change", "fsmonitor-watchman", "reference-transaction"):
        hook = project / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\n{touch}\n")
        hook.chmod(0o755)
    (project / "text").write_text("changed\n")
    capsule = frozen(prefix, home / "capsules")
    assert b"changed" in unpacked(capsule.path)["sources/edited.patch"]
    assert isinstance(restore(capsule, home / "again", env, home, with_sources=True), Restored)
    assert not canary.exists()


def test_freezing_leaves_the_repository_as_it_was(noted: Path, project: Path, home: Path) -> None:
    change(project)
    for path in oracle.below(project):
        if not path.is_symlink():
            os.utime(path, (1_000_000, path.stat().st_mtime))
    before = {path: path.lstat() for path in oracle.below(project)}
    frozen(noted, home / "capsules")
    assert {path: path.lstat() for path in oracle.below(project)} == before


@pytest.mark.parametrize("damage", ["object", "head", "pack", "loop", "not git"])
def test_a_damaged_repository_is_kept_as_files(damage: str, noted: Path, project: Path, home: Path) -> None:
    change(project)
    if damage == "pack":
        git(project, "gc", "-q")
        for path in project.glob(".git/objects/pack/*.pack"):
            path.chmod(0o644)
            path.write_bytes(path.read_bytes()[:40] + b"\xff" * 100)
    elif damage == "object":
        for path in project.glob(".git/objects/??/*"):
            path.chmod(0o644)
            path.write_bytes(b"\xff" * 10)
    elif damage == "head":
        (project / ".git" / "HEAD").write_bytes(b"ref: ../../../etc/passwd\n")
    else:
        shutil.rmtree(project / ".git")
        if damage == "loop":
            (project / ".git").symlink_to(".git")
    (sources,) = frozen(noted, home / "capsules").capsule.sources
    assert sources.tree == "sources/edited/"


def test_a_repository_that_is_out_of_reach_gives_no_half_environment(
    prefix: Path, project: Path, env: dict[str, str], home: Path, published: tuple[Path, str]
) -> None:
    capsule = frozen(prefix, home / "capsules")
    shutil.rmtree(published[0] / "edited.git")
    assert "git" in problem(restore(capsule, home / "again", env, home, with_sources=True)).message
    assert not (home / "again").exists()


def test_a_folder_that_is_gone_is_said(noted: Path, project: Path, home: Path) -> None:
    shutil.rmtree(project)
    (sources,) = frozen(noted, home / "capsules").capsule.sources
    assert (sources.tree, sources.commit, sources.left_out) == ("", "", [])
