"""A real Docker engine: what it holds, and what its own cleaning commands really free."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from containers import surveys
from containers.engines import Running
from modelyard.owners.docker import look
from modelyard.problem import Problem

AWAY = 300_000
"""Bytes by which the disk may differ: folders, links and records of each thing that goes, which no engine counts."""
HUMAN = ("B", "kB", "MB", "GB")
PRUNES = {
    "docker image prune": "Images",
    "docker image prune -a": "Images",
    "docker container prune": "Containers",
    "docker volume prune": "Local Volumes",
    "docker builder prune": "Build Cache",
    "docker builder prune -a": "Build Cache",
}


LISTS = (
    ("image", "ls", "-a", "-q", "--no-trunc"),
    ("container", "ls", "-a", "--no-trunc", "--format", "{{.ID}} {{.State}} {{.Size}}"),
    ("volume", "ls"),
    ("system", "df", "--format", "{{json .}}"),
)


def human(size: float) -> str:
    """As Docker prints sizes: four digits, powers of a thousand."""
    unit = 0
    while size >= 1000 and unit < len(HUMAN) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.4g}{HUMAN[unit]}"


def test_everything_it_holds_is_an_artifact(docker: Running, home: Path) -> None:
    found = surveys.look(home, DOCKER_HOST=f"unix://{docker.socket}")
    names = {each.id: each for each in found.artifacts}
    assert not found.problems
    kept = {name for name in names if not name.startswith(("docker:build-cache/", "docker:volume/"))}
    untagged = kept - {
        "docker:image/base:1",
        "docker:image/classic:1",
        "docker:image/classic:2",
        "docker:image/kit:1",
        "docker:container/busy",
        "docker:container/old",
    }
    assert [names[each].state for each in untagged] == ["orphan"]
    assert {"docker:volume/data", "docker:volume/spare", "docker:build-cache/shared-with-images"} <= set(names)
    assert sum(each.kind == "volume" for each in found.artifacts) == 5
    assert {each.recovery for each in found.artifacts if each.kind in ("volume", "container", "image")} == {"none"}
    assert {each.recovery for each in found.artifacts if each.kind == "other"} == {"re-make"}
    assert dict(names["docker:image/classic:1"].facts)["containers"] == "busy"
    assert dict(names["docker:volume/data"].facts)["containers"] == "busy"
    assert names["docker:container/busy"].detail.startswith("runs")
    assert names["docker:container/old"].detail.startswith("stopped")


def test_layers_that_images_and_containers_share_are_counted_once(docker: Running, home: Path) -> None:
    """The rows of a list add up to far more than the disk holds; the total must not."""
    found = surveys.look(home, DOCKER_HOST=f"unix://{docker.socket}")
    total = surveys.holding(found, "docker").sizes.allocated
    assert sum(each.sizes.allocated for each in found.artifacts) > 2 * total
    overhead = docker.taken() - total
    assert 0 < overhead < 2_000_000  # an empty engine has databases of its own


def test_stopped_and_running_containers_hold_their_image(docker: Running, home: Path) -> None:
    found = surveys.look(home, DOCKER_HOST=f"unix://{docker.socket}")
    image, container = "docker:image/classic:2", "docker:container/old"
    assert found.freed([image]).freed == 0
    assert found.freed([container]).freed == 1_300_000
    assert found.freed([image, container]).freed == 2_000_000 + 1_300_000
    assert found.freed(["docker:volume/data"]).freed == 0
    assert found.freed(["docker:volume/spare"]).freed == 1_400_000


@pytest.mark.parametrize("command", PRUNES)
def test_a_prune_frees_what_was_predicted(docker: Running, home: Path, command: str) -> None:
    found = surveys.look(home, DOCKER_HOST=f"unix://{docker.socket}")
    prune = surveys.prune(found, "docker", command)
    predicted = found.freed(prune.artifacts).freed
    promised = docker.run("system", "df", "--format", "{{.Type}}={{.Reclaimable}}").splitlines()
    figures = dict(line.split("=", 1) for line in promised)
    assert prune.reported is not None
    assert figures[PRUNES[command]].split()[0] == human(prune.reported)
    before = docker.taken()
    docker.run(*command.split()[1:], "-f")
    freed = before - docker.taken()
    assert predicted <= freed + 4096, "never more than what comes back"
    assert freed - predicted < AWAY
    left = {each.id for each in surveys.look(home, DOCKER_HOST=f"unix://{docker.socket}").artifacts}
    gone = set(prune.artifacts) - {"docker:build-cache/shared-with-images"}
    assert gone
    assert not left & gone
    after = {each.id for each in found.artifacts} - gone - {"docker:build-cache/shared-with-images"}
    assert after <= left, "nothing else went"


def test_image_prune_frees_nothing_of_what_the_build_cache_holds(docker: Running, home: Path) -> None:
    """Seen: SpaceReclaimed 0 after an image of BuildKit was removed, and du agrees."""
    found = surveys.look(home, DOCKER_HOST=f"unix://{docker.socket}")
    image = next(each for each in found.artifacts if each.id == "docker:image/kit:1")
    assert image.sizes.freed == 0
    before = docker.taken()
    docker.run("image", "rm", "kit:1")
    assert before - docker.taken() < AWAY
    docker.run("builder", "prune", "-a", "-f")
    freed = before - docker.taken()
    cache = [each.id for each in found.artifacts if each.id.startswith("docker:build-cache/")]
    assert abs(freed - found.freed([image.id, *cache]).freed) < AWAY


def test_reclaimable_differs_from_what_comes_back_and_says_why(docker: Running, home: Path) -> None:
    found = surveys.look(home, DOCKER_HOST=f"unix://{docker.socket}")
    for command in ("docker image prune", "docker image prune -a"):
        prune = surveys.prune(found, "docker", command)
        assert prune.reported is not None
        assert prune.reported > 2 * found.freed(prune.artifacts).freed
        assert "RECLAIMABLE" in prune.why
    named = surveys.prune(found, "docker", "docker volume prune")
    assert "docker:volume/spare" in named.artifacts, "Docker before 23 removes named volumes"
    assert "named" in named.why


def test_two_sockets_of_one_engine_are_counted_once(docker: Running, home: Path) -> None:
    one = surveys.look(home, DOCKER_HOST=f"unix://{docker.socket}")
    run = home / "run"
    run.mkdir()
    (run / "docker.sock").symlink_to(docker.base / "second.sock")
    two = surveys.look(home, DOCKER_HOST=f"unix://{docker.socket}", XDG_RUNTIME_DIR=run)
    assert [root.answered for root in surveys.holding(two, "docker").roots if root.endpoint][:2] == [True, True]
    assert [each.id for each in two.artifacts] == [each.id for each in one.artifacts]
    assert surveys.holding(two, "docker").prunes == surveys.holding(one, "docker").prunes
    assert two.totals == one.totals


def test_looking_changes_nothing_in_the_engine(docker: Running, home: Path) -> None:
    before = [sorted(docker.run(*each).splitlines()) for each in LISTS]
    surveys.look(home, DOCKER_HOST=f"unix://{docker.socket}")
    assert [sorted(docker.run(*each).splitlines()) for each in LISTS] == before


def test_a_socket_one_may_not_use_is_a_problem_with_the_way_out(docker: Running) -> None:
    os.seteuid(65534)
    try:
        refused = look(f"unix://{docker.socket}")
    finally:
        os.seteuid(0)
    assert isinstance(refused, Problem)
    assert refused.code == "forbidden"
    assert "group" in refused.hint


def test_an_engine_in_the_home_is_not_counted_twice(docker: Running, home: Path) -> None:
    """Its folder lies in the tree, and the bytes that the engine lists must not be added to it."""
    settings = home / ".config" / "docker" / "daemon.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(f'{{"data-root": "{docker.data}"}}')
    silent = surveys.look(home)
    whole = next(each for each in silent.artifacts if each.store == "docker")
    answered = surveys.look(home, DOCKER_HOST=f"unix://{docker.socket}")
    total = surveys.holding(answered, "docker")
    assert abs(total.sizes.allocated - whole.sizes.allocated) < 100_000
    assert total.unclaimed == 0
    rest = [each for each in answered.artifacts if each.id == whole.id]
    assert 0 < rest[0].sizes.allocated < 2_000_000
