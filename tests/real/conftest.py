"""What the tests with real components share: a hub, clients of both cache layouts, and conda environments."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from real.conda_client import ENVIRONMENTS, drive, install
from real.hub_client import OLD, Client
from real.hub_server import Hub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """An empty hub, with a chunk store of its own."""
    with Hub(tmp_path / "chunks") as running:
        yield running


@pytest.fixture(scope="session")
def old_hub() -> Path:
    """Where huggingface_hub 0.36 is installed, from before blobs were shared between repositories."""
    if not (OLD / "huggingface_hub").is_dir():
        pytest.fail(f"the old hub client is not in {OLD}; run `make deps`, or set MODELYARD_OLD_HUB to its folder")
    return OLD


@pytest.fixture
def cached(home: Path) -> Path:
    """The folder that clients take for HF_HOME when nothing is set."""
    return home / ".cache" / "huggingface"


@pytest.fixture
def classic(hub: Hub, cached: Path, old_hub: Path) -> Client:
    """A client that keeps each repository's blobs in its own folder."""
    return Client(hub, cached, old=True)


@pytest.fixture
def shared(hub: Hub, cached: Path) -> Client:
    """A client that keeps large files once for all repositories."""
    return Client(hub, cached)


@pytest.fixture(params=["classic", "shared"])
def client(request: pytest.FixtureRequest) -> Client:
    """Each of the two."""
    found: Client = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the trainers left, made once; never changed."""
    folder = tmp_path_factory.mktemp("trained")
    env = {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(Path(__file__).parent / "programs" / "training.py"), str(folder / "runs")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "runs"


@pytest.fixture
def runs(trained: Path, home: Path) -> Path:
    """A copy in the home of the test."""
    shutil.copytree(trained, home / "runs", symlinks=True)
    return home / "runs"


@pytest.fixture(scope="session")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A channel with two packages, one of them in two versions."""
    folder = tmp_path_factory.mktemp("channel")
    drive(folder, "build", folder / "built")
    return folder / "built"


@pytest.fixture
def base(channel: Path, home: Path) -> Path:
    """An installation with three environments, the archives beside the packages as conda itself keeps them."""
    root = home / "miniconda3"
    places = {name: (root / "envs" / name, spec) for name, spec in ENVIRONMENTS.items()}
    install(channel, root / "pkgs", base=(root, "codec"), **places)
    (root / "condabin").mkdir()
    (root / "pkgs" / "urls.txt").touch()
    for archive in channel.rglob("*.conda"):
        shutil.copy(archive, root / "pkgs")
    return root
