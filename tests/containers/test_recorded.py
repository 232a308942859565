"""What real engines of several versions answered: the shapes of each API, and the figures each version prints.

Recorded from Docker 20.10.24 (API 1.41) and 28.5.2 (API 1.51, with both image stores); API 1.52 is made from the latter
by the shapes in moby's api/types.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from containers import fake, surveys
from modelyard import api
from modelyard.owners.docker import look
from modelyard.owners.engine import Engine
from modelyard.stores import ADAPTERS

NEW = {"image": "Image", "container": "Container", "volume": "Volume", "build-cache": "BuildCache"}
OLD = {"image": "Images", "container": "Containers", "volume": "Volumes", "build-cache": "BuildCache"}


def newest(answers: dict[str, Any], unused: int) -> dict[str, Any]:
    """The answers in the shape of API 1.52: items below `…Usage`, with the daemon's own count of the reclaimable."""
    found = {path.replace("1.51", "1.52"): answer for path, answer in answers.items() if "/system/df" not in path}
    found["/version"] = answers["/version"] | {"Version": "29.0.0", "ApiVersion": "1.52"}
    for kind, name in NEW.items():
        items = answers[f"/v1.51/system/df?type={kind}"][OLD[kind]]
        usage = {"TotalCount": len(items), "ActiveCount": 0, "TotalSize": 1, "Reclaimable": unused, "Items": items}
        found[f"/v1.52/system/df?type={kind}&verbose=1"] = {f"{name}Usage": usage}
    return found


def survey(home: Path, answers: dict[str, Any]) -> api.Survey:
    """A survey of an engine that answers so; whatever it did not answer is a problem."""
    with fake.engine(answers) as (path, _):
        found = surveys.look(home, DOCKER_HOST=f"unix://{path}")
    assert not found.problems
    return found


def figures(found: api.Survey) -> list[int | None]:
    """The column RECLAIMABLE."""
    prunes = {each.command: each.reported for each in surveys.holding(found, "docker").prunes}
    return [prunes[f"docker {what} prune"] for what in ("image", "container", "volume", "builder")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("docker-20.10", [14565168, 0, 0, 3145832]),
        ("docker-28.5", [14565168, 0, 0, 3145832]),
        ("docker-28.5-containerd", [36720687, 0, 0, 2113536]),
    ],
)
def test_the_figures_are_those_that_its_own_command_printed(home: Path, name: str, expected: list[int]) -> None:
    """`docker system df` of those engines printed 14.57MB, 14.57MB and 36.72MB; 3.146MB and 2.114MB of build cache."""
    assert figures(survey(home, fake.recorded(name))) == expected


def test_the_newest_shape_says_the_same_of_everything(home: Path) -> None:
    old = survey(home, fake.recorded("docker-28.5"))
    new = survey(home, newest(fake.recorded("docker-28.5"), 77))
    assert figures(new) == [77] * 4
    assert [(each.id, each.sizes, each.kind) for each in new.artifacts] == [
        (each.id, each.sizes, each.kind) for each in old.artifacts
    ]
    whys = [surveys.prune(found, "docker", "docker image prune -a").why for found in (old, new)]
    assert whys[0] != whys[1]
    assert "left out" in whys[1]


def test_parents_are_read_though_the_name_begins_with_a_blank(home: Path) -> None:
    with fake.engine(fake.recorded("docker-28.5")) as (path, _):
        engine = look(f"unix://{path}")
    assert isinstance(engine, Engine)
    records = {record.id[:5]: record for record in engine.records or ()}
    assert [parent[:5] for parent in records["z3gig"].parents] == ["pfs3e"]
    assert records["z3gig"].last_used is not None


def test_volumes_with_a_name_go_before_api_1_42_only(home: Path) -> None:
    free = {"Volumes": [{"Name": "named"}, {"Name": "f" * 64, "Labels": {"com.docker.volume.anonymous": ""}}]}
    old = fake.recorded("docker-20.10") | {"/v1.41/volumes": free}
    new = fake.recorded("docker-28.5") | {"/v1.51/volumes": free}
    removed = [surveys.prune(survey(home, each), "docker", "docker volume prune").artifacts for each in (old, new)]
    assert removed == [("docker:volume/" + "f" * 64, "docker:volume/named"), ("docker:volume/" + "f" * 64,)]


def test_64_digits_are_a_name_where_the_engine_marks_those_without(home: Path) -> None:
    """Volumes made before the upgrade have no mark, and the engine keeps them."""
    answers = fake.recorded("docker-28.5") | {"/v1.51/volumes": {"Volumes": [{"Name": "f" * 64}]}}
    assert surveys.prune(survey(home, answers), "docker", "docker volume prune").artifacts == ()


def test_packed_layers_are_counted_beside_unpacked_ones_and_never_too_high(home: Path) -> None:
    """With containerd's image store `du` said 48,520 kB where the unpacked layers are 16.7 MB."""
    found = survey(home, fake.recorded("docker-28.5-containerd"))
    total = surveys.holding(found, "docker").sizes
    assert 30_000_000 < total.allocated < 48_520 * 1024
    assert not total.exact
    sizes = {each.id: each.sizes for each in found.artifacts}
    assert sizes["docker:image/kit:1"].freed == 0, "the build cache holds its layers, packed and unpacked"


def test_a_digest_of_containerd_is_no_registry(home: Path) -> None:
    """There every image has RepoDigests, those built on this machine too."""
    found = survey(home, fake.recorded("docker-28.5-containerd"))
    assert {each.recovery for each in found.artifacts if each.kind == "image"} == {"none"}


def test_an_image_that_a_registry_had_can_be_had_again(home: Path) -> None:
    answers = fake.recorded("docker-28.5")
    for image in answers["/v1.51/images/json"]:
        image["RepoDigests"] = [f"{image['RepoTags'][0].partition(':')[0]}@sha256:{'0' * 64}"]
    found = survey(home, answers)
    store = next(each.STORE for each in ADAPTERS if each.STORE.name == "docker")
    assert {each.recovery for each in found.artifacts} == set(store.recoveries)
    assert {each.kind for each in found.artifacts} == set(store.kinds)


def test_the_last_use_of_build_cache_is_the_engines_record(home: Path) -> None:
    found = survey(home, fake.recorded("docker-20.10"))
    cache = [each for each in found.artifacts if each.id.startswith("docker:build-cache/")]
    assert cache
    assert {each.last_used.evidence for each in cache if each.last_used} == {"the engine's own record"}
    assert all(each.last_used and each.last_used.confidence == "high" for each in cache)
