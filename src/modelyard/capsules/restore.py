"""Builds an environment again from its capsule, at its final path, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field

from modelyard.apply.disk import Disk
from modelyard.apply.whole import building, place, scratch
from modelyard.capsules.capsule import Capsule, Package
from modelyard.capsules.conda_install import install_conda
from modelyard.capsules.distributions import canonical, installed
from modelyard.capsules.interpreters import fitting
from modelyard.capsules.loose import FOLDER as LOOSE
from modelyard.capsules.programs import Failed, run, surroundings
from modelyard.capsules.requirements import located
from modelyard.capsules.restore_sources import restore_sources
from modelyard.capsules.unpack import UNUSABLE, Opened, unusable
from modelyard.problem import Problem, from_errno
from modelyard.walk.text import shown

PYTORCH = "https://download.pytorch.org/whl/"
PIP = ("-I", "-m", "pip", "--disable-pip-version-check", "--no-input")
INSTALL = ("install", "--quiet", "--no-deps", "--no-user", "--no-warn-script-location")


class Work(Struct):
    """What a restoration needs at every step, and what a person should know of it."""

    opened: Opened
    prefix: str
    disk: Disk
    env: Mapping[str, str]
    home: Path
    with_sources: bool
    folder: str = ""
    """For files of our own while it lasts."""
    notes: list[str] = field(default_factory=list)

    @property
    def capsule(self) -> Capsule:
        """What the capsule says."""
        return self.opened.capsule

    def python(self) -> str:
        """The Python of the new environment."""
        return os.path.join(self.prefix, "bin", "python")

    def run(self, *command: str) -> str:
        """Runs a program in the scratch folder."""
        return run(command, self.env, self.folder)


class Restored(Struct, frozen=True):
    """A new environment, and what a person should know of it."""

    prefix: Path
    notes: tuple[str, ...]


def restore(
    opened: Opened,
    prefix: Path,
    env: Mapping[str, str],
    home: Path,
    *,
    with_sources: bool = False,
    disk: Disk | None = None,
) -> Restored | Problem:
    """Builds the environment in `prefix`, which must not exist yet. After a failure nothing of it is left.

    pip, conda and, with `with_sources`, git are run with the variables of `env`: their own settings name the indexes.
    """
    disk = disk or Disk()
    work = Work(opened, str(prefix.absolute()), disk, surroundings(env), home, with_sources)
    try:
        with (
            building(disk, os.fsencode(work.prefix)),
            scratch(disk, os.fsencode(os.path.dirname(work.prefix))) as folder,
        ):
            work.folder = os.fsdecode(folder)
            _built(work)
    except Failed as failed:
        return failed.problem
    except UNUSABLE as error:
        return unusable(opened.path, error)
    except FileExistsError:
        return Problem(shown(work.prefix), "exists", "something is there already", "give another folder with --prefix")
    except BlockingIOError as error:
        return Problem(
            shown(work.prefix), "busy", str(error.strerror), "wait until it is done, or give another --prefix"
        )
    except OSError as error:
        return from_errno(shown(error.filename or work.prefix), error.errno or 0)
    return Restored(Path(work.prefix), tuple(work.notes))


def _built(work: Work) -> None:
    if work.capsule.kind == "conda":
        install_conda(work.capsule, work.prefix, work.folder, work.env, work.disk)
    else:
        _virtual(work)
    own = [each for each in work.capsule.packages if each.source != "conda"]
    if own and not os.access(work.python(), os.X_OK):
        raise Failed(Problem(work.python(), "no-python", "there is no Python for what pip installed on top"))
    if own:
        _packages(work, own)
    edited = [each for each in own if each.source == "sources"]
    if edited and work.with_sources:
        _wheels(work, restore_sources(work, edited))
    else:
        work.notes += [f"{each.name}: edited in {each.folder}; --with-sources brings it" for each in edited]
    if work.capsule.kind == "venv":
        _take_away(work)
    for path, data, _ in work.opened.below(LOOSE):
        place(work.disk, os.fsencode(os.path.join(work.prefix, path)), data, over=True)


def _virtual(work: Work) -> None:
    """A virtual environment with pip."""
    found = fitting(work.capsule, work.env, work.home)
    if isinstance(found, Problem):
        raise Failed(found)
    python, version = found
    if version != work.capsule.python:
        work.notes.append(f"Python {version} instead of {work.capsule.python}: {shown(python)}")
    work.run(python, "-I", "-m", "venv", work.prefix)


def _packages(work: Work, own: list[Package]) -> None:
    """What comes from indexes, from addresses and from the capsule itself, pip itself last."""
    own = sorted(own, key=lambda each: canonical(each.name) == "pip")
    index = [each for each in own if each.source == "index"]
    _pip(work, "index", [each.pinned for each in index], *_more_indexes(index))
    _wheels(work, [(each, work.opened.member(each.wheel)) for each in own if each.source == "inside"])
    urls = [each for each in own if each.source == "url"]
    _pip(work, "hashed", [located(each) for each in urls if each.hashes and not each.commit], "--require-hashes")
    _pip(work, "url", [located(each) for each in urls if each.commit or not each.hashes])
    work.notes += [f"{each.name} {each.version}: nothing brings it back" for each in own if each.source == "nowhere"]


def _more_indexes(packages: list[Package]) -> list[str]:
    """PyTorch's own index for each of its builds, which the local part of a version names."""
    builds = {
        each.version.partition("+")[2] for each in packages if each.name.startswith("torch") and "+" in each.version
    }
    return [word for build in sorted(builds) for word in ("--extra-index-url", PYTORCH + build)]


def _wheels(work: Work, wheels: list[tuple[Package, bytes]]) -> None:
    """Installs wheels of the capsule and nothing else, each held against its hash."""
    for each, data in wheels:
        place(work.disk, os.fsencode(f"{work.folder}/{each.wheel}"), data)
    lines = [each.pinned + "".join(f" --hash={hash_}" for hash_ in each.hashes) for each, _ in wheels]
    _pip(work, "inside", lines, "--no-index", "--require-hashes", "--find-links", f"{work.folder}/wheels")


def _pip(work: Work, word: str, lines: list[str], *options: str) -> None:
    if lines:
        path = f"{work.folder}/{word}.txt"
        place(work.disk, os.fsencode(path), ("\n".join(lines) + "\n").encode(), over=True)
        work.run(work.python(), *PIP, *INSTALL, *options, "-r", path)


def _take_away(work: Work) -> None:
    """Removes what a new environment has and the old one had not, such as setuptools; pip is the last to go."""
    wanted = {canonical(each.name) for each in work.capsule.packages}
    there, _ = installed(os.fsencode(work.prefix))
    more = [each.name for each in there if canonical(each.name) not in wanted]
    if more:
        work.run(work.python(), *PIP, "uninstall", "--quiet", "--yes", *more)
