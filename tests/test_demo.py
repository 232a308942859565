"""The sample workstation: what it promises, and that modelyard's sums on it are those of a slow, separate count."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import oracle
from modelyard import api
from modelyard.demo.build import build

SCALE = 0.08


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sample workstation."""
    folder = tmp_path_factory.mktemp("sample") / "home"
    build(folder, 7, SCALE)
    return folder


@pytest.fixture(scope="module")
def found(sample: Path) -> api.Survey:
    """What modelyard says of it."""
    return api.survey({}, sample, "linux", system=False)


def revisions(hub: Path) -> Iterable[Path]:
    """The cache as the maker of the sample knows it: repositories whole where they have one thing inside."""
    for repo in hub.glob("*--*"):
        snapshots, blobs = list((repo / "snapshots").iterdir()), list((repo / "blobs").iterdir())
        linked = {os.path.realpath(link) for link in repo.glob("snapshots/*/*")}
        own = [blob for blob in blobs if os.path.realpath(blob) not in linked]
        partial = [blob for blob in own if blob.name.endswith(".incomplete")]
        things = len(snapshots) + bool(partial) + bool(set(own) - set(partial))
        yield from oracle.below(repo) if things == 1 else oracle.below(*snapshots, *blobs, *repo.glob("refs/*"))
        for target in {Path(path) for path in linked if not path.startswith(f"{repo}/")}:
            yield from (target, target.with_name(f"{target.name}.refs"), target.with_name(f"{target.name}.lock"))


def environments(root: Path) -> Iterable[Path]:
    """The installation without the folders that only hold environments and packages."""
    skipped = {root, root / "envs", root / "pkgs", root / "pkgs" / "urls.txt"}
    return (path for path in oracle.below(root) if path not in skipped)


def checkpoints(projects: Path) -> Iterable[Path]:
    """Folders and files by their names, which the sample gives to nothing else."""
    for path in oracle.below(projects):
        if re.fullmatch(r"checkpoint[-_]\d+|global_step\d+|step_\d+|.*\.ckpt|\d+", path.name):
            yield from oracle.below(path)
        elif path.name == "latest":
            yield path


def lmstudio(home: Path) -> Iterable[Path]:
    """Model files; a repository's folder belongs to its only model."""
    for repo in home.glob("models/*/*"):
        files = list(repo.iterdir())
        yield from oracle.below(repo) if len(files) == 1 and files[0].suffix == ".gguf" else files
    yield from oracle.below(*home.glob("extensions/backends/*"))


CLAIMED: dict[str, Callable[[Path], Iterable[Path]]] = {
    "hf": lambda home: revisions(home / ".cache/huggingface/hub"),
    "ollama": lambda home: (path for path in oracle.below(home / ".ollama/models") if path.is_file()),
    "lmstudio": lambda home: lmstudio(home / ".lmstudio"),
    "torchhub": lambda home: oracle.below(
        *home.glob(".cache/torch/hub/checkpoints/*"), home / ".cache/torch/hub/acme_segmenter_main"
    ),
    "checkpoint": lambda home: checkpoints(home / "projects"),
    "conda": lambda home: environments(home / "miniconda3"),
    "pip": lambda home: (
        *oracle.below(home / ".cache/pip/http-v2", home / ".cache/pip/http", home / ".cache/pip/selfcheck"),
        *(path for path in oracle.below(home / ".cache/pip/wheels") if path.is_file()),
    ),
}


@pytest.mark.parametrize("store", list(CLAIMED))
def test_every_store_agrees_byte_for_byte_with_a_slow_count(store: str, sample: Path, found: api.Survey) -> None:
    holding = next(each for each in found.holdings if each.store.name == store)
    expected = oracle.sums(CLAIMED[store](sample))
    sizes = holding.sizes
    assert (sizes.apparent, sizes.allocated, sizes.freed) == expected
    assert sizes.exact
    assert holding.artifacts > 0


def test_the_totals_agree_byte_for_byte_with_a_slow_count(sample: Path, found: api.Survey) -> None:
    expected = oracle.sums(path for claimed in CLAIMED.values() for path in claimed(sample))
    totals = found.totals
    assert (totals.apparent, totals.allocated, totals.freed) == expected
    assert found.overlap == 0


def test_the_whole_walk_agrees_byte_for_byte_with_a_slow_count(sample: Path, found: api.Survey) -> None:
    expected = oracle.sums(oracle.below(sample))
    totals = found.tree.totals()
    assert (totals.apparent, totals.allocated) == (expected.apparent, expected.allocated)
    assert totals.entries == sum(1 for _ in oracle.below(sample))


def test_kinds_add_up_where_nothing_is_shared_between_them(found: api.Survey) -> None:
    assert sum(count for count, _ in found.kinds.values()) == len(found.artifacts)
    assert sum(sizes.allocated for _, sizes in found.kinds.values()) >= found.totals.allocated


def test_the_same_seed_gives_the_same_workstation(sample: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "again", tmp_path / "other"
    build(again, 7, SCALE)
    build(other, 8, SCALE)

    def shape(home: Path) -> list[tuple[str, int, int]]:
        files = (path for path in oracle.below(home) if not path.is_dir() and not path.is_symlink())
        return [(str(path.relative_to(home)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]

    assert shape(again) == shape(sample) != shape(other)


def test_the_full_sample_keeps_its_promises(tmp_path: Path) -> None:
    """509 checkpoints of 600 GB, 100 environments, 1.2 TB on paper and under 2 GB of disk."""
    build(tmp_path / "full", 1, 1.0)
    found = api.survey({}, tmp_path / "full", "linux", system=False)
    held = {each.store.name: each for each in found.holdings}
    assert held["checkpoint"].artifacts == 509
    assert held["checkpoint"].sizes.apparent == pytest.approx(600e9, rel=0.05)
    assert len([each for each in found.artifacts if each.id.startswith("conda:env/")]) == 100
    assert found.totals.apparent == pytest.approx(1.2e12, rel=0.05)
    assert found.tree.totals().allocated < 2e9
    assert found.totals.allocated == held_together(found)


def held_together(found: api.Survey) -> int:
    """The bytes of all stores; in the sample no two of them share any."""
    return sum(each.sizes.allocated for each in found.holdings)


def test_a_folder_that_is_in_use_is_refused(home: Path) -> None:
    (home / "keep").write_text("mine")
    with pytest.raises(FileExistsError):
        build(home, 1, 0.01)
    assert (home / "keep").read_text() == "mine"


def test_a_sample_that_was_cut_short_is_not_taken_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(writer: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("modelyard.demo.build.PARTS", (interrupt,))
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "sample", 1, 0.01)
    assert not (tmp_path / "sample").exists()


def test_the_same_seed_gives_the_same_bytes(sample: Path, tmp_path: Path) -> None:
    build(tmp_path / "again", 7, SCALE)
    for head in sorted(sample.rglob("*.ckpt")):
        again = tmp_path / "again" / head.relative_to(sample)
        with head.open("rb") as one, again.open("rb") as other:
            assert one.read(4096) == other.read(4096)
