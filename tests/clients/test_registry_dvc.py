"""The folder of a model under DVC: added as it is, checked out again, it verifies."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import modelyard as my
from clients.client import CLIENTS, Client, runs

pytestmark = runs("dvc", "dvc")
DVC = CLIENTS / "bin" / "dvc"


@pytest.mark.parametrize("kind", ["copy", "hardlink"])
def test_dvc_takes_a_model_and_brings_it_back(client: Client, tmp_path: Path, kind: str) -> None:
    told = client.told(DVC_NO_ANALYTICS=1, DVC_SITE_CACHE_DIR=client.temporary / "site")
    registry = my.Registry(tmp_path / "models")
    for at in range(2):
        registry.save({"w": np.arange(9000.0), "b": np.arange(3.0) + at}, "net")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    for words in (("init", "-q"), ("config", "cache.type", kind), ("add", "-q", "models/net")):
        told.shell(DVC, *words, cwd=tmp_path)
    assert {each.state for each in registry.verify()} == {"ok"}
    shutil.rmtree(tmp_path / "models" / "net")
    told.shell(DVC, "checkout", "-q", cwd=tmp_path)
    assert registry.load("net@1.1.0")["b"][0] == 1
    assert {each.state for each in registry.verify()} == {"ok"}
    registry.save({"w": np.arange(9000.0)}, "net")
    told.shell(DVC, "add", "-q", "models/net", cwd=tmp_path)
    assert {each.state for each in registry.verify()} == {"ok"}
