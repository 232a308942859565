"""Which things services are asked for, by what evidence, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from modelyard.inventory import Artifact, Holding, LastUsed, Part, Root, Sizes, Store
from modelyard.plan import Ask
from modelyard.policies import asking, clean
from modelyard.policies.asking import Asked, Doors
from modelyard.policies.clean import HOUR, Candidate, Wish
from modelyard.units import rfc3339
from modelyard.walk.tree import Tree, walk

NOW = 1_800_000_000_000_000_000
SOCKET = "/run/docker.sock"
DOORS = Doors({SOCKET: f"unix://{SOCKET}"}, "", 1000)
IMAGE = Artifact(
    "docker:image/aa",
    "image",
    "docker",
    "untagged aa",
    SOCKET,
    (),
    revision="aa",
    state="orphan",
    facts=(("created", rfc3339(NOW - 2 * HOUR)), ("containers", "none")),
    parts=(Part("l", 5),),
)
RECORD = Artifact(
    "docker:build-cache/r", "other", "docker", "r", SOCKET, (), revision="r", recovery="re-make", parts=(Part("r", 5),)
)
VOLUME = Artifact("docker:volume/v", "volume", "docker", "v", SOCKET, (), revision="v", parts=(Part("v", 5),))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree with nothing in it."""
    return walk([str(tmp_path_factory.mktemp("empty"))])


def proofs(*artifacts: Artifact) -> list[str]:
    """The class of each."""
    return [each.proof for each in clean.candidates(artifacts, NOW)]


def chosen(*artifacts: Artifact, wish: Wish | None = None) -> list[str]:
    """The ids that are selected."""
    wished = clean.chosen(artifacts, clean.candidates(artifacts, NOW), wish or Wish())
    return [artifacts[each.number].id for each in wished]


def test_an_image_without_a_name_goes_without_a_word() -> None:
    pulled = replace(IMAGE, recovery="re-get")
    assert proofs(IMAGE, pulled) == ["superseded", "leftover"]
    assert chosen(IMAGE) == [IMAGE.id]


@pytest.mark.parametrize(
    "image",
    [
        replace(IMAGE, facts=(("created", rfc3339(NOW - HOUR // 2)),)),
        replace(IMAGE, facts=(("containers", "busy"),)),
        replace(IMAGE, state="complete", tags=("a:1",)),
        replace(IMAGE, recovery="re-get", facts=(("containers", "busy"),)),
    ],
    ids=["young", "with a container", "with a tag", "pulled and with a container"],
)
def test_an_image_that_stays(image: Artifact) -> None:
    assert proofs(image) == ["unproven"]
    assert chosen(image) == []
    assert chosen(image, wish=Wish(("docker",), kinds=("image",))) == []


def test_build_cache_goes_when_no_build_used_it_for_an_hour() -> None:
    used = LastUsed(NOW - HOUR // 2, "the engine's own record", "high")
    young, running = replace(RECORD, last_used=used), replace(RECORD, tags=("in use",))
    shared = replace(RECORD, revision="")
    assert proofs(RECORD, young, running, shared) == ["re-make", "unproven", "unproven", "unproven"]
    assert chosen(RECORD) == [RECORD.id]


def test_volumes_and_containers_go_by_their_own_name_alone() -> None:
    container = replace(VOLUME, id="docker:container/c", kind="container")
    for wish in (Wish(), Wish(("docker",)), Wish(kinds=("volume", "container")), Wish(wanted=1 << 60)):
        assert chosen(VOLUME, container, wish=wish) == []
    assert chosen(VOLUME, container, wish=Wish(unproven=(VOLUME.id,))) == [VOLUME.id]


def test_only_engines_of_this_machine_that_answered_have_doors() -> None:
    roots = (
        Root(SOCKET, "default", endpoint=True, answered=True),
        Root("//./pipe/docker_engine", "default", endpoint=True, answered=True),
        Root("/run/silent.sock", "default", endpoint=True),
        Root("tcp://10.0.0.1:2375", "DOCKER_HOST", endpoint=True, answered=True, remote=True),
        Root("/var/lib/docker", "default"),
    )
    found = asking.doors([Holding(Store("docker", "Docker"), roots, 0, Sizes(), 0)], [], "", 0)
    assert list(found.engines.values()) == [f"unix://{SOCKET}", "npipe:////./pipe/docker_engine"]


def test_how_each_thing_is_asked_for(tree: Tree) -> None:
    tagged = replace(IMAGE, tags=("b:1", "a:1"))
    made = replace(VOLUME, facts=(("created", "then"),))
    container = replace(VOLUME, kind="container", revision="cc", facts=(("created", "then"),))
    found = [asking.asked(each, tree, DOORS) for each in (tagged, made, container, replace(RECORD, store="podman"))]
    assert [each.ask for each in found if isinstance(each, Asked)] == [
        Ask("docker", "image", "aa", "a:1\nb:1"),
        Ask("docker", "volume", "v", "then"),
        Ask("docker", "container", "cc"),
        Ask("podman", "build cache", "r"),
    ]


def test_what_cannot_be_asked_for_says_why(tree: Tree) -> None:
    elsewhere = replace(IMAGE, root="tcp://10.0.0.1:2375")
    folder = replace(RECORD, id="docker:data/docker", root="/var/lib/docker", recovery="none")
    shared = replace(RECORD, revision="")
    service = replace(RECORD, store="other")
    told = [asking.asked(each, tree, DOORS) for each in (elsewhere, folder, shared, service)]
    assert told == [asking.OUT_OF_REACH, asking.OUT_OF_REACH, asking.SHARED, asking.OUT_OF_REACH]


def steps(*artifacts: Artifact) -> list[str]:
    """The ids in the order in which they are asked for."""
    wanted = [Asked("unix:///x", Ask("docker", asking.KINDS[each.kind], "x")) for each in artifacts]
    proven = {each.id: Candidate(0, "re-make", "") for each in artifacts}
    return [step.artifact for step in asking.steps(artifacts, dict(enumerate(wanted)), proven)]


def test_what_is_built_on_something_goes_before_it() -> None:
    one, two, three = (replace(RECORD, id=f"r{n}", parts=tuple(Part(f"r{m}", 0) for m in range(n))) for n in (1, 2, 3))
    container = replace(VOLUME, id="c", kind="container")
    assert steps(VOLUME, one, IMAGE, three, two, container) == ["c", IMAGE.id, "r3", "r2", "r1", VOLUME.id]


def test_what_stays_keeps_what_it_is_built_on() -> None:
    parent = RECORD
    child = replace(RECORD, id="child", revision="c", parts=(Part("c", 1), Part("r", 5)))
    artifacts: Sequence[Artifact] = (parent, child)
    assert asking.built_on(artifacts, {0}) == {0: asking.BUILT_ON}
    assert asking.built_on(artifacts, {1}) == {}
    assert asking.built_on(artifacts, {0, 1}) == {}
