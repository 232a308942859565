"""Stores that a service keeps: addresses instead of folders, parts instead of files, and what pruning really frees."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

import makers
from modelyard import api, cli
from modelyard.cli.errors import guarded
from modelyard.inventory import Part, Platform, Prune, Reading, Root, Store
from modelyard.stores.folders import never
from modelyard.walk.tree import Tree

LAYERS = (Part("base", 1000), Part("middle", 200))


class Service:
    """An engine with two images on a common layer, a container of one, and a volume of unknown size."""

    STORE = Store("engine", "Engine", ("ENGINE_HOST",), kinds=("image", "container", "volume"), recoveries=("none",))
    recognise = staticmethod(never)

    def roots(self, env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
        """A local service, a silent one and one on another machine."""
        yield Root("unix:///run/engine.sock", "default", endpoint=True)
        yield Root("unix:///run/silent.sock", "default", endpoint=True)
        yield Root("ssh://far", "context far", endpoint=True, remote=True)

    def read(self, root: Root, tree: Tree) -> Reading:
        """What the local one keeps; the other machine is never asked."""
        assert not root.remote
        if "silent" in root.path:
            return Reading()
        artifacts = (
            makers.service_artifact("engine:image/a", "image", LAYERS),
            makers.service_artifact("engine:image/b", "image", (LAYERS[0], Part("b", 30))),
            makers.service_artifact("engine:container/x", "container", (*LAYERS, Part("x", 4))),
            makers.service_artifact("engine:volume/v", "volume", (Part("v", 500, exact=False),)),
        )
        prune = Prune("unused images", "engine image prune -a", ("engine:image/b", "gone"), 1030, "they share a layer")
        return Reading(artifacts, prunes=(prune,), answered=True)


@pytest.fixture
def survey(home: Path, monkeypatch: pytest.MonkeyPatch) -> api.Survey:
    """A survey that knows nothing but the service."""
    monkeypatch.setattr("modelyard.stores.ADAPTERS", (Service(),))
    return api.survey({}, home, "linux", system=False)


def test_a_layer_is_counted_once_and_comes_back_with_its_last_holder(survey: api.Survey) -> None:
    assert survey.totals.allocated == survey.totals.freed == 1000 + 200 + 30 + 4 + 500
    assert not survey.totals.exact
    freed = {each.id: each.sizes.freed for each in survey.artifacts}
    assert freed == {"engine:image/a": 0, "engine:image/b": 30, "engine:container/x": 4, "engine:volume/v": 500}
    assert survey.freed(["engine:image/a", "engine:container/x"]).freed == 204
    assert survey.freed(["engine:image/a", "engine:image/b", "engine:container/x"]).freed == 1234
    assert survey.kinds["image"][1].allocated == 1230


def test_where_tells_services_from_folders(survey: api.Survey, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["--home", str(home), "where", "engine", "--json"]
    assert guarded(lambda: cli.modelyard.main(words, standalone_mode=False)) == 0
    (store,) = json.loads(capfd.readouterr().out)["stores"]
    assert [(root["exists"], root["remote"], root["missing"]) for root in store["roots"]] == [
        (True, False, ""),
        (False, False, "no answer"),
        (False, True, "on another machine: not asked, not counted"),
    ]
    (prune,) = store["prunes"]
    assert (prune["reported"], prune["freed"], prune["why"]) == (1030, 30, "they share a layer")
    assert guarded(lambda: cli.modelyard.main(words[:-1], standalone_mode=False)) == 0
    out = capfd.readouterr().out
    assert "`engine image prune -a` would free 30 B, said to be 1.01 KiB" in out
    assert "ssh://far  context far, on another machine" in out


def test_show_lists_parts_and_containers(survey: api.Survey, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["--home", str(home), "show", "engine:image/a"]
    assert guarded(lambda: cli.modelyard.main(words, standalone_mode=False)) == 0
    out = capfd.readouterr().out
    for expected in ("Parts", "base", "middle", "engine:container/x", "a container of it"):
        assert expected in out
