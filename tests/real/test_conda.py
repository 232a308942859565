"""Conda environments and packages that share files by hard links, installed from a channel built here."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from modelyard import api
from modelyard.inventory import Sizes
from real import disk
from real.conda_client import ENVIRONMENTS, install
from real.surveys import by_id, codes, paths, survey

HUGE = 2 << 20  # twice what is read of a settings file


@pytest.fixture
def apart(channel: Path, home: Path) -> Path:
    """A volume outside home with one environment and its packages, in folders whose names tell nothing."""
    volume = home.parent / "volume"
    install(channel, volume / "archive", env=(volume / "work" / "vision", "trainer ==2.0"))
    return volume


def roots(seen: api.Survey) -> dict[str, str]:
    """Where conda's things were found, and how."""
    conda = next(each for each in seen.holdings if each.store.name == "conda")
    return {root.path: root.found_by for root in conda.roots if root.row is not None}


def sizes(seen: api.Survey) -> dict[str, Sizes]:
    """What each of conda's artifacts takes."""
    return {name: each.sizes for name, each in by_id(seen, "conda").items()}


def packages(environment: Path) -> int:
    """How many packages an environment has."""
    return len(list((environment / "conda-meta").glob("*.json")))


def kept(base: Path) -> list[Path]:
    """What the root prefix consists of: all but the environments and packages that lie inside."""
    return [each for each in base.iterdir() if each.name not in ("envs", "pkgs")]


def test_every_environment_is_found_with_its_packages(base: Path, home: Path) -> None:
    found = {each.id: each for each in by_id(survey(home), "conda").values() if each.kind == "environment"}
    assert set(found) == {"conda:base/miniconda3", *(f"conda:env/{name}" for name in ENVIRONMENTS)}
    for name in ENVIRONMENTS:
        assert packages(base / "envs" / name) == 2
        assert found[f"conda:env/{name}"].detail == "2 packages"
    assert found["conda:base/miniconda3"].detail == "1 package"
    assert {each.recovery for each in found.values()} == {"re-solve"}


def test_an_environment_alone_frees_only_its_private_files(base: Path, home: Path) -> None:
    found = by_id(survey(home), "conda")
    for name in ENVIRONMENTS:
        place, taken = base / "envs" / name, found[f"conda:env/{name}"].sizes
        assert taken.freed == disk.freed(place) < 100_000
        assert taken.allocated == disk.allocated(place) > 1_200_000


def test_removing_an_environment_frees_what_was_foretold(base: Path, home: Path) -> None:
    foretold = survey(home).freed(["conda:env/newer"]).freed
    before = disk.allocated(base)
    shutil.rmtree(base / "envs" / "newer")
    assert before - disk.allocated(base) == foretold


def test_twins_and_their_package_free_what_no_other_environment_needs(base: Path, home: Path) -> None:
    seen = survey(home)
    twins = [base / "envs" / name for name in ("first", "twin")]
    package, archive = sorted((base / "pkgs").glob("trainer-1.0-*_0*"))[:2]
    assert (package.is_dir(), archive.suffix) == (True, ".conda")
    chosen = [f"conda:pkg/{package.name}", "conda:env/first", "conda:env/twin"]
    lock = package.with_name(package.name + ".lock")
    truth = disk.freed(package, archive, lock, *twins)
    assert seen.freed(chosen).freed == truth > 500_000 + seen.freed(chosen[1:]).freed


def test_everything_together_frees_everything(base: Path, home: Path) -> None:
    seen = survey(home)
    found = by_id(seen, "conda")
    inside = [*(base / "envs").iterdir(), *(each for each in (base / "pkgs").iterdir() if each.name != "urls.txt")]
    truth = disk.freed(*inside, *kept(base))
    assert seen.freed(found).freed == truth
    assert seen.totals.allocated == disk.allocated(*inside, *kept(base)) == truth
    assert sum(each.sizes.freed for each in found.values()) < truth < sum(e.sizes.allocated for e in found.values())


def test_a_package_is_its_folder_and_its_archive(base: Path, home: Path) -> None:
    seen = survey(home)
    found = {name: each for name, each in by_id(seen, "conda").items() if name.startswith("conda:pkg/")}
    folders = [each for each in (base / "pkgs").iterdir() if each.is_dir() and (each / "info").is_dir()]
    assert set(found) == {f"conda:pkg/{each.name}" for each in folders}
    assert sorted(each.title for each in found.values()) == ["codec 1.0", "trainer 1.0", "trainer 2.0"]
    for folder in folders:
        beside = {folder.with_name(folder.name + end) for end in (".conda", ".lock")}
        parts = {folder, *(each for each in beside if each.exists())}
        assert paths(seen, found[f"conda:pkg/{folder.name}"].blobs) == parts
        assert found[f"conda:pkg/{folder.name}"].sizes.freed == disk.freed(*parts)


def test_the_root_prefix_goes_without_environments_and_packages(base: Path, home: Path) -> None:
    seen = survey(home)
    root = by_id(seen, "conda")["conda:base/miniconda3"]
    assert paths(seen, root.blobs) == set(kept(base))
    assert root.sizes.freed == disk.freed(*kept(base))
    assert root.sizes.allocated == disk.allocated(*kept(base)) > 700_000


def test_unfinished_downloads_and_trash_are_partial(base: Path, home: Path) -> None:
    half, trash = base / "pkgs" / "trainer-3.0-0.conda.partial", base / "pkgs" / ".trash"
    half.write_bytes(bytes(40_000))
    trash.mkdir()
    seen = survey(home)
    partial = by_id(seen, "conda")["conda:pkg/#partial"]
    assert (partial.state, paths(seen, partial.blobs)) == ("partial", {half, trash})
    assert partial.sizes.freed == disk.freed(half, trash)


def test_conda_s_own_list_leads_to_an_environment_and_is_left_as_it_was(base: Path, apart: Path, home: Path) -> None:
    notes = home / ".conda" / "environments.txt"
    notes.parent.mkdir()
    text = b"%s\r\n/mnt/not-mounted-now/env\n\n" % os.fsencode(apart / "work" / "vision")
    notes.write_bytes(text)
    os.utime(notes, (1_000_000, 2_000_000))  # read last before written last: relatime would note a reading
    before = notes.stat()
    seen = survey(home)
    assert notes.stat() == before
    assert notes.read_bytes() == text
    assert roots(seen)[str(apart / "work" / "vision")] == "~/.conda/environments.txt"
    assert by_id(seen, "conda")["conda:env/vision"].detail == "2 packages"


@pytest.mark.parametrize("variable", ["CONDA_ENVS_DIRS", "CONDA_ENVS_PATH"])
def test_a_variable_leads_to_a_folder_of_environments(variable: str, apart: Path, home: Path) -> None:
    seen = survey(home, {variable: f"{home / 'nothing'}:{apart / 'work'}"})
    assert roots(seen)[str(apart / "work")] == variable
    assert by_id(seen, "conda")["conda:env/vision"].sizes.freed == disk.freed(apart / "work" / "vision")


def test_a_variable_leads_to_a_folder_of_packages(apart: Path, home: Path) -> None:
    seen = survey(home, {"CONDA_PKGS_DIRS": str(apart / "archive"), "CONDA_ENVS_DIRS": str(apart / "work")})
    assert roots(seen)[str(apart / "archive")] == "CONDA_PKGS_DIRS"
    found = by_id(seen, "conda")
    parts = [*(apart / "archive").iterdir(), apart / "work" / "vision"]
    assert sorted(each.title for each in found.values()) == ["codec 1.0", "trainer 2.0", "vision"]
    assert seen.freed(found).freed == disk.freed(*parts) > 1_300_000


@pytest.mark.parametrize(
    "text",
    [
        "channels:\n  - globex\nenvs_dirs:\n  - {0}/work  # fast disk\n  - ~/gone\npkgs_dirs:\n- '{0}/archive'\n",
        'envs_dirs: [~/gone, {0}/work]\nauto_activate: false\npkgs_dirs: ["{0}/archive"]  # moved\n',
        "envs_dirs:\n  - $VOLUME/work\npkgs_dirs: [$VOLUME/archive]\n",
    ],
    ids=["block", "flow", "variables"],
)
def test_the_settings_file_leads_to_environments_and_packages(text: str, apart: Path, home: Path) -> None:
    rc = home / ".condarc"
    rc.write_text(text.format(apart))
    seen = survey(home, {"VOLUME": str(apart)})
    assert roots(seen)[str(apart / "work")] == f"{rc} envs_dirs"
    assert roots(seen)[str(apart / "archive")] == f"{rc} pkgs_dirs"
    assert {each.title for each in by_id(seen, "conda").values()} == {"codec 1.0", "trainer 2.0", "vision"}


@pytest.mark.parametrize(
    "content",
    [
        b"envs_dirs: [unclosed\n - {{\n\x00\xff\xfe",
        b"# " + bytes(HUGE),
        b"envs_dirs:\n  - \n  - ''\npkgs_dirs: [, '']\n",
        b"\x80" * 99,
    ],
    ids=["broken", "huge", "empty", "binary"],
)
def test_a_settings_file_that_cannot_be_understood_hides_nothing(content: bytes, base: Path, home: Path) -> None:
    healthy = survey(home)
    (home / ".condarc").write_bytes(content)
    seen = survey(home)
    assert sizes(seen) == sizes(healthy)
    assert roots(seen) == roots(healthy)


def test_a_folder_in_place_of_the_settings_file_hides_nothing(base: Path, home: Path) -> None:
    (home / ".condarc").mkdir()
    assert "conda:env/first" in by_id(survey(home), "conda")


def test_an_environment_anywhere_is_recognised_by_its_history(channel: Path, home: Path) -> None:
    place = home / "projects" / "vision"
    install(channel, home / "projects" / "cache", env=(place, "codec"))
    seen = survey(home)
    assert roots(seen) == {str(place): "recognised by conda-meta"}
    found = by_id(seen, "conda")["conda:env/vision"]
    assert found.sizes.freed == disk.freed(place) < found.sizes.allocated
    assert not codes(seen)


def test_a_folder_of_environments_anywhere_is_recognised_once(channel: Path, home: Path) -> None:
    folder = home / "old" / "envs"
    install(channel, home / "old" / "cache", a=(folder / "a", "codec"), b=(folder / "b", "trainer"))
    seen = survey(home)
    assert list(roots(seen).values()) == ["recognised by conda-meta"]
    assert sorted(by_id(seen, "conda")) == ["conda:env/a", "conda:env/b"]


def test_environments_of_other_owners_and_protected_ones_say_so(base: Path, home: Path) -> None:
    (base / "envs" / "first" / "conda-meta" / "pixi").write_text("{}")
    (base / "envs" / "twin" / "conda-meta" / "frozen").touch()
    found = by_id(survey(home), "conda")
    assert "pixi" in found["conda:env/first"].detail
    assert "protected" in found["conda:env/twin"].detail
    assert found["conda:env/newer"].detail == "2 packages"


def test_a_prefix_without_its_history_is_no_environment(base: Path, home: Path) -> None:
    (base / "envs" / "newer" / "conda-meta" / "history").unlink()
    seen = survey(home)
    assert "conda:env/newer" not in by_id(seen, "conda")
    conda = next(each for each in seen.holdings if each.store.name == "conda")
    assert conda.unclaimed >= disk.freed(base / "envs" / "newer")


@pytest.mark.parametrize("env", [{"CONDA_ENVS_DIRS": ""}, {"CONDA_PKGS_DIRS": "pkgs", "CONDA_ENVS_DIRS": "envs"}])
def test_what_two_ways_lead_to_is_counted_once(env: dict[str, str], base: Path, home: Path) -> None:
    notes = home / ".conda" / "environments.txt"
    notes.parent.mkdir()
    notes.write_text("".join(f"{each}\n" for each in (base, *(base / "envs").iterdir())))
    told = {name: str(base / part if part else home) for name, part in env.items()}
    seen = survey(home, told)
    assert set(told.values()) < set(roots(seen))
    assert {str(each) for each in (base, *(base / "envs").iterdir())} < set(roots(seen))
    notes.unlink()
    assert sizes(seen) == sizes(survey(home))
