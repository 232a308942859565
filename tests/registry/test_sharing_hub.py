"""Versions in repositories of Hugging Face, with the real client against a hub of our own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelyard as my
from modelyard.library import Registry, RegistryError
from real.hub_commits import WritableHub
from registry.test_card import read
from registry.test_sharing import contents


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WritableHub]:
    """An empty hub; the client's own cache is a temporary one."""
    for name in ("HF_HOME", "HF_HUB_CACHE", "HF_XET_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    with WritableHub(tmp_path / "chunks") as running:
        yield running


@pytest.fixture
def told(hub: WritableHub) -> dict[str, Any]:
    """The options of the client."""
    return {"endpoint": hub.url, "token": "hf_none"}


@pytest.fixture
def here(tmp_path: Path) -> Registry:
    """A registry with two versions, the first one with a file more."""
    registry = my.Registry(tmp_path / "here")
    (tmp_path / "code.py").write_text("x = 1\n")
    registry.save({"w": np.arange(5000.0)}, "net", metrics={"f1": 0.5}, license="mit", code=tmp_path / "code.py")
    registry.save({"w": np.arange(5000.0) + 1}, "net")
    return registry


@pytest.fixture
def there(tmp_path: Path) -> Registry:
    """An empty registry."""
    return my.Registry(tmp_path / "there")


def test_versions_are_commits_with_tags_and_come_back(
    hub: WritableHub, told: dict[str, Any], here: Registry, there: Registry
) -> None:
    pushed = here.push("net@1.0.0", "hf://acme/net", **told)
    assert (pushed.address, "SHA-256" in pushed.verified) == ("hf://acme/net@v1.0.0", True)
    assert here.push("net", "hf:acme/net", **told).address == "hf://acme/net@v1.1.0"
    repository = hub.repositories["models/acme/net"]
    assert {"v1.0.0", "v1.1.0", "main"} <= set(repository.refs)
    assert repository.refs["main"] == repository.refs["v1.1.0"]
    first, second = (repository.commits[repository.refs[each]] for each in ("v1.0.0", "v1.1.0"))
    assert set(first) - set(second) == {"code/code.py"}
    assert read(first["README.md"].decode()).license == "mit"
    assert str(there.pull("hf://acme/net", "net@1.0.0", **told)) == "net@1.0.0"
    assert str(there.pull("hf:acme/net", **told)) == "net@1.1.0"
    for which in ("net@1.0.0", "net@1.1.0"):
        assert contents(there.path(which)) == contents(here.path(which))
        assert {each.state for each in there.verify(which)} == {"ok"}
    commits = len(repository.commits)
    assert here.push("net@1.0.0", "hf://acme/net", **told) == pushed
    assert str(there.pull("hf://acme/net@v1.0.0", **told)) == "net@1.0.0"
    assert len(repository.commits) == commits


def test_another_version_of_that_number_on_the_hub_stays(
    hub: WritableHub, told: dict[str, Any], here: Registry, there: Registry
) -> None:
    here.push("net@1.0.0", "hf://acme/net", **told)
    there.save({"w": np.zeros(9)}, "net")
    before = dict(hub.repositories["models/acme/net"].refs)
    with pytest.raises(RegistryError) as caught:
        there.push("net", "hf://acme/net", **told)
    assert caught.value.code == "version-exists"
    with pytest.raises(RegistryError) as caught:
        there.pull("hf://acme/net", **told)
    assert caught.value.code == "version-exists"
    assert hub.repositories["models/acme/net"].refs == before


def test_a_repository_with_files_of_others_stays(hub: WritableHub, told: dict[str, Any], here: Registry) -> None:
    hub.push("models/acme/theirs", {"model.safetensors": b"theirs", "README.md": b"# theirs"})
    with pytest.raises(RegistryError, match="no registry put there"):
        here.push("net", "hf://acme/theirs", **told)
    assert len(hub.repositories["models/acme/theirs"].commits) == 1


@pytest.mark.parametrize(
    "route", [r"/api/repos/create", r".*/preupload/.*", r".*/batch", r"/upload/.*", r".*/commit/.*", r".*/tag/.*"]
)
def test_a_push_to_the_hub_that_breaks_half_way_can_be_repeated(
    hub: WritableHub, told: dict[str, Any], here: Registry, there: Registry, route: str
) -> None:
    hub.fails.append(route)
    with pytest.raises(RegistryError) as caught:
        here.push("net", "hf://acme/net", **told)
    assert caught.value.code == "remote"
    hub.fails.clear()
    here.push("net", "hf://acme/net", **told)
    there.pull("hf://acme/net", "net@1.1.0", **told)
    assert contents(there.path("net")) == contents(here.path("net"))


@pytest.mark.parametrize("name", ["model.safetensors", "metadata.json", "SHA256SUMS"])
def test_a_hub_that_keeps_something_else_is_found_out(
    hub: WritableHub, told: dict[str, Any], here: Registry, there: Registry, name: str
) -> None:
    sent = (here.path("net") / name).read_bytes()
    hub.changes[name] = bytes([*sent[:-1], sent[-1] ^ 1])
    with pytest.raises(RegistryError, match="not the file that was sent"):
        here.push("net", "hf://acme/net", **told)
    assert "v1.1.0" not in hub.repositories["models/acme/net"].refs
    with pytest.raises(RegistryError):
        there.pull("hf://acme/net", **told)
    assert not list(Path(there.root).rglob("metadata.json"))


def test_a_pull_from_the_hub_that_breaks_half_way_leaves_nothing(
    hub: WritableHub, told: dict[str, Any], here: Registry, there: Registry
) -> None:
    here.push("net", "hf://acme/net", **told)
    hub.instead["GET .*/model.safetensors"] = (404, {"X-Error-Code": "EntryNotFound"}, b"")
    with pytest.raises(RegistryError) as caught:
        there.pull("hf://acme/net", **told)
    assert caught.value.code == "remote"
    assert not list(Path(there.root, "net").iterdir())


def test_a_repository_that_is_not_there_or_no_version(hub: WritableHub, told: dict[str, Any], there: Registry) -> None:
    hub.push("models/acme/plain", {"model.safetensors": b"x"})
    for address in ("hf://acme/nothing", "hf://acme/plain", "hf://acme/plain@v9"):
        with pytest.raises(RegistryError) as caught:
            there.pull(address, **told)
        assert caught.value.code == "no-version"
