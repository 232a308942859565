"""The inventory as a whole: one walk of everything, each byte once, and what is known of the last use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import makers
from modelyard import api
from modelyard.inventory import Artifact, Inventory
from walk.disks import mounted

WEIGHTS = 300_000
HUB = Path(".cache/huggingface/hub")


def look(home: Path, **env: str) -> api.Survey:
    """A survey of a home with these variables."""
    return api.survey(env, home, "linux", system=False)


def held(inventory: Inventory, store: str) -> int:
    """Allocated bytes of a store."""
    return next(each.sizes.allocated for each in inventory.holdings if each.store.name == store)


def only(inventory: Inventory) -> Artifact:
    """The one artifact."""
    (artifact,) = inventory.artifacts
    return artifact


def test_bytes_under_two_stores_count_once_in_the_total_and_the_overlap_is_told(home: Path) -> None:
    repo = makers.hub_repo(home / HUB, "models--acme--tiny", {"tiny.gguf": b"G" * WEIGHTS})
    blob = next((repo / "blobs").iterdir())
    folder = home / ".lmstudio/models/acme/tiny"
    folder.mkdir(parents=True)
    os.link(blob, folder / "tiny-Q4_0.gguf")
    inventory = look(home)
    assert inventory.overlap >= WEIGHTS
    assert inventory.totals.allocated == held(inventory, "hf") + held(inventory, "lmstudio") - inventory.overlap
    assert all(each.sizes.freed < WEIGHTS for each in inventory.artifacts)
    assert inventory.totals.freed >= WEIGHTS


def test_freed_is_a_function_of_the_set(home: Path) -> None:
    makers.layouts()["conda"](home)
    found = look(home)
    names = ("conda:env/old", "conda:env/new", "conda:pkg/tiny-1.0-0")
    apart = sum(found.freed([name]).freed for name in names)
    assert found.freed(names).freed > apart
    with pytest.raises(KeyError):
        found.freed(["conda:env/nobody"])


def test_a_store_outside_home_is_walked_with_it(home: Path, tmp_path: Path) -> None:
    makers.hub_repo(tmp_path / "data" / "hub", "models--acme--tiny", {"w": b"w" * WEIGHTS})
    found = look(home, HF_HOME=str(tmp_path / "data"))
    assert only(found).sizes.freed >= WEIGHTS
    assert found.starts == tuple(sorted((str(home), str(tmp_path / "data" / "hub"))))


def test_a_store_on_another_disk_mounted_in_home_is_walked_too(home: Path) -> None:
    with mounted("none", home / "disk", "-t", "tmpfs"):
        makers.hub_repo(home / "disk" / "hub", "models--acme--tiny", {"w": b"w" * WEIGHTS})
        assert not look(home).artifacts
        found = look(home, HF_HUB_CACHE=str(home / "disk" / "hub"))
        assert only(found).sizes.allocated >= WEIGHTS
        assert len(found.disks) == 2


def test_places_of_the_machine_are_left_out_for_another_home(home: Path) -> None:
    with_system = api.survey({}, home, "linux", system=True)
    without = api.survey({}, home, "linux", system=False)
    places = {root.path for each in with_system.holdings for root in each.roots if root.system}
    assert "/usr/share/ollama/.ollama/models" in places
    assert not [root for each in without.holdings for root in each.roots if root.system]


def test_the_same_root_found_in_two_ways_is_read_once(home: Path) -> None:
    makers.hub_repo(home / HUB, "models--acme--tiny", {"w": b"w"})
    found = look(
        home,
        HF_HUB_CACHE=f"{home}/{HUB}",
        TRANSFORMERS_CACHE=f"{home}/{HUB}/",
        LLAMA_CACHE=f"{home}/.cache/x/../huggingface/hub",
    )
    assert len(found.artifacts) == 1


def test_a_home_that_is_a_link(home: Path, tmp_path: Path) -> None:
    makers.trainer_checkpoint(home / "out", 5)
    (tmp_path / "link").symlink_to(home)
    assert only(look(tmp_path / "link")).id == "checkpoint:out/checkpoint-5"


def test_a_store_that_may_not_be_read_is_a_problem_and_not_an_absence(home: Path, tmp_path: Path) -> None:
    makers.hub_repo(tmp_path / "theirs" / "hub", "models--acme--tiny", {"w": b"w"})
    (tmp_path / "theirs").chmod(0o700)
    (tmp_path / "nobody").mkdir()
    code = (
        "import os, sys, json; from pathlib import Path; from modelyard import api;"
        "api.survey({}, Path(sys.argv[2]), 'linux', system=False); os.setuid(65534);"  # what is imported late is there
        "found = api.survey({'HF_HUB_CACHE': sys.argv[1]}, Path(sys.argv[2]), 'linux', system=False);"
        "print(json.dumps([[problem.path, problem.code] for problem in found.problems]))"
    )
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o777 == 0o700:  # pytest keeps its folders to itself
            folder.chmod(0o755)
    command = [sys.executable, "-c", code, str(tmp_path / "theirs" / "hub"), str(tmp_path / "nobody")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [str(tmp_path / "theirs" / "hub"), "unreadable"] in json.loads(done.stdout)


@pytest.mark.parametrize(
    ("option", "evidence", "confidence"),
    [
        ("relatime", "a file of it was read", "medium"),
        ("strictatime", "a file of it was read", "high"),
        ("noatime", "a file of it was written", "medium"),
    ],
)
def test_the_last_use_by_what_the_file_system_keeps(option: str, evidence: str, confidence: str, home: Path) -> None:
    with mounted("none", home / "disk", "-t", "tmpfs", "-o", option):
        blob = makers.write(home / "disk" / "hub" / "checkpoints" / "w-0676ba61.pth")
        os.utime(blob, ns=(2 * 10**18, 10**18))
        used = only(look(home, TORCH_HOME=str(home / "disk"))).last_used
        assert used is not None
        assert (used.evidence, used.confidence) == (evidence, confidence)
        assert used.at == (10**18 if option == "noatime" else 2 * 10**18)


def test_a_folder_that_was_listed_says_nothing_of_its_use(home: Path) -> None:
    makers.conda_env(home / "miniconda3" / "envs" / "old")
    for path in sorted((home / "miniconda3").rglob("*")):
        os.utime(path, ns=(10**18, 10**18))
    os.listdir(home / "miniconda3" / "envs" / "old")
    used = only(look(home)).last_used
    assert used is not None
    assert used.at == 10**18


def test_a_hard_link_s_access_time_may_be_anothers(home: Path) -> None:
    env = makers.conda_env(home / "miniconda3" / "envs" / "old")
    makers.conda_package(home / "miniconda3" / "pkgs", "tiny-1.0-0", env)
    for path in sorted((home / "miniconda3").rglob("*")):
        os.utime(path, ns=(10**18, 10**18))
    os.utime(home / "miniconda3/pkgs/tiny-1.0-0/lib/libtiny.so", ns=(15 * 10**17, 10**18))
    found = {each.id: each.last_used for each in look(home).artifacts}
    assert (used := found["conda:env/old"]) is not None
    assert used.at == 10**18


@pytest.mark.parametrize("kind", ["home", "root"])
def test_what_is_no_folder_is_refused(kind: str, home: Path) -> None:
    file = makers.write(home / "file")
    with pytest.raises(NotADirectoryError):
        api.survey({}, file if kind == "home" else home, "linux", [] if kind == "home" else [file])


def test_an_artifact_by_a_part_of_its_id(home: Path) -> None:
    makers.layouts()["conda"](home)
    found = look(home)
    assert api.find_artifact(found, "env/old")[1].id == "conda:env/old"
    with pytest.raises(LookupError, match="2 artifacts fit"):
        api.find_artifact(found, "env/")
    with pytest.raises(LookupError, match="did you mean"):
        api.find_artifact(found, "conda:env/odl")


def test_opportunities_are_the_reasons_that_free_most(home: Path) -> None:
    for step in (1, 2, 3):
        makers.trainer_checkpoint(home / "out", step)
    makers.layouts()["ollama"](home)
    chances = api.opportunities(look(home), 10**18)
    assert [each.sizes.freed for each in chances] == sorted((each.sizes.freed for each in chances), reverse=True)
    superseded = next(each for each in chances if each.title == "superseded checkpoints")
    assert superseded.ids == ("checkpoint:out/checkpoint-1", "checkpoint:out/checkpoint-2")


def test_ctrl_c_gives_an_inventory_of_what_was_seen_marked_partial(home: Path) -> None:
    """Interrupted at the first sign of progress; what was seen is told, with freed a lower bound."""
    makers.trainer_checkpoint(home / "out", 5)
    calls = []

    def interrupt(entries: int, taken: int, folder: bytes) -> None:
        calls.append(entries)
        raise KeyboardInterrupt

    roots = [Path("/usr"), Path(sys.prefix)]  # large enough to be still under way
    found = api.survey({}, home, "linux", roots, system=False, progress=interrupt)
    assert len(calls) == 1
    assert found.partial
    assert not found.totals.exact


def test_a_link_in_place_of_a_folder_of_a_store_is_told(home: Path, tmp_path: Path) -> None:
    makers.layouts()["conda"](home)
    (home / "miniconda3" / "envs").rename(tmp_path / "envs")
    (home / "miniconda3" / "envs").symlink_to(tmp_path / "envs")
    assert [(problem.path, problem.code) for problem in look(home).problems] == [
        (f"{home}/miniconda3/envs", "linked-folder")
    ]


def test_a_name_that_looks_numbered_does_not_collide(home: Path) -> None:
    for root, names in (("miniconda3", ("a", "a+2")), ("anaconda3", ("a",))):
        makers.conda_env(home / root)
        for name in names:
            makers.conda_env(home / root / "envs" / name)
    ids = [each.id for each in look(home).artifacts]
    assert len(set(ids)) == len(ids)
