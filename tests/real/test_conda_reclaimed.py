"""conda's packages and environments after a clean: what stays is whole, what went is installed again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from real.conda_client import ENVIRONMENTS, doctor, install
from real.surveys import by_id, codes, survey
from reclaiming import age, chosen, clean, everything, left_out, locking, undo
from typed import Run


def environments(base: Path) -> list[Path]:
    """The prefixes of an installation, its own too."""
    return [base, *(base / "envs" / name for name in ENVIRONMENTS)]


def test_environments_are_whole_without_the_packages_and_an_undo_brings_the_links_back(
    base: Path, channel: Path, run: Run, home: Path
) -> None:
    age(home)
    before = everything(home)
    clean(run, "conda")
    assert not [each for each in by_id(survey(home), "conda") if each.startswith("conda:pkg/")]
    assert doctor(channel, *environments(base)) == ""
    undo(run)
    assert everything(home) == before
    assert doctor(channel, *environments(base)) == ""
    clean(run, "conda")
    assert (base / "pkgs" / "urls.txt").exists()  # by it conda knows the folder
    install(channel, base / "pkgs", again=(base / "envs" / "again", "trainer ==2.0"))
    assert doctor(channel, base / "envs" / "again") == ""
    assert {each for each in by_id(survey(home), "conda") if each.startswith("conda:pkg/trainer")}


def test_one_environment_goes_and_its_twin_stays_whole(base: Path, channel: Path, run: Run, home: Path) -> None:
    note = home / ".conda" / "environments.txt"
    note.parent.mkdir()
    note.write_text("".join(f"{prefix}\n" for prefix in environments(base)))
    age(home)
    before = everything(home)
    clean(run, "conda:env/first", include=("conda:env/first",))
    assert not (base / "envs" / "first").exists()
    assert doctor(channel, *(prefix for prefix in environments(base) if prefix.name != "first")) == ""
    assert note.read_text().count("\n") == len(ENVIRONMENTS) + 1  # conda drops what is gone when it looks next
    assert not codes(survey(home))
    undo(run)
    assert everything(home) == before
    assert doctor(channel, *environments(base)) == ""


def soften(base: Path, prefix: Path) -> None:
    """An environment as `always_softlink` makes it: links to the unpacked packages, which then have one name each."""
    packages = {(path.stat().st_dev, path.stat().st_ino): path for path in (base / "pkgs").rglob("*") if path.is_file()}
    for path in [each for each in prefix.rglob("*") if each.is_file() and "conda-meta" not in each.parts]:
        if found := packages.get((path.stat().st_dev, path.stat().st_ino)):
            path.unlink()
            path.symlink_to(found)


def unused_by_link_counts(packages: Path) -> list[Path]:
    """Packages of which no file has a second name: those that `conda clean --packages` removes."""
    folders = [each for each in packages.iterdir() if (each / "info").is_dir()]
    return [each for each in folders if all(path.lstat().st_nlink == 1 for path in each.rglob("*") if path.is_file())]


def test_packages_under_soft_linked_environments_stay(base: Path, channel: Path, run: Run, home: Path) -> None:
    """By the count of names these packages are unused, and removing them leaves the environment full of dead links."""
    soft = base / "envs" / "newer"
    soften(base, soft)
    age(home)
    assert doctor(channel, soft) == ""
    used = {each.name for each in unused_by_link_counts(base / "pkgs")}
    assert [name for name in used if name.startswith("trainer-2.0")]
    assert f"conda:pkg/{min(used)}" in left_out(run, "conda")
    clean(run, "conda")
    assert doctor(channel, soft) == ""
    copy = home.parent / "copy"
    shutil.copytree(home, copy, symlinks=True)
    for path in copy.rglob("*"):
        if path.is_symlink() and os.readlink(path).startswith(str(home)):
            text = os.readlink(path).replace(str(home), str(copy), 1)
            path.unlink()
            path.symlink_to(text)
    there = copy / base.relative_to(home)
    for folder in unused_by_link_counts(there / "pkgs"):
        shutil.rmtree(folder)
    with pytest.raises(AssertionError, match="No such file"):
        doctor(channel, there / "envs" / "newer")


def test_a_package_that_an_installer_has_locked_is_left_alone(base: Path, run: Run, home: Path) -> None:
    age(home)
    package = next(each for each in (base / "pkgs").iterdir() if each.name.startswith("trainer-2.0") and each.is_dir())
    lock = package.with_name(package.name + ".lock")
    assert lock.exists()
    with locking(lock) as process:
        why = left_out(run, "conda")
        assert set(why) == {f"conda:pkg/{package.name}"}
        assert f"(process {process.pid})" in why[f"conda:pkg/{package.name}"]
    assert f"conda:pkg/{package.name}" in chosen(run, "conda")


def test_a_folder_of_packages_that_mamba_has_locked_is_left_alone(base: Path, run: Run, home: Path) -> None:
    """libmamba locks the whole folder by a file of its name."""
    age(home)
    with locking(base / "pkgs" / "pkgs.lock") as process:
        why = left_out(run, "conda")
        assert why
        assert all(f"(process {process.pid}) holds its lock" in each for each in why.values())
        assert chosen(run, "conda") == set()
