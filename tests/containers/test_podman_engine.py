"""A real Podman: what it holds, and what its own cleaning commands really free."""

from __future__ import annotations

from pathlib import Path

import pytest

from containers import surveys
from containers.engines import Running

AWAY = 300_000
"""Bytes by which the disk may differ: folders, links and records of each thing that goes, which no engine counts."""
PRUNES = {
    "podman image prune": "Images",
    "podman image prune -a": "Images",
    "podman container prune": "Containers",
    "podman volume prune": "Local Volumes",
}


def human(size: float) -> str:
    """As Podman prints sizes: four digits, powers of a thousand."""
    unit = 0
    while size >= 1000 and unit < 3:
        size, unit = size / 1000, unit + 1
    return f"{size:.4g}{('B', 'kB', 'MB', 'GB')[unit]}"


def test_everything_it_holds_is_an_artifact(podman: Running, home: Path) -> None:
    found = surveys.look(home, CONTAINER_HOST=f"unix://{podman.socket}")
    names = {each.id for each in found.artifacts}
    assert not found.problems
    built = {f"podman:image/localhost/built:{number}" for number in (1, 2, 3)}
    assert built | {"podman:container/busy", "podman:container/old", "podman:image/localhost/base:1"} <= names
    assert [each.state for each in found.artifacts if each.kind == "image"].count("orphan") == 1
    assert sum(each.kind == "volume" for each in found.artifacts) == 5
    assert {each.recovery for each in found.artifacts} == {"none"}, "nothing came from a registry"
    whole = surveys.holding(found, "podman").sizes
    assert whole.exact
    overhead = podman.taken() - whole.allocated
    assert 0 < overhead < 1_000_000


def test_podman_says_more_than_there_is(podman: Running, home: Path) -> None:
    """Seen: SIZE 174.6 MB for 52 MB on the disk, since it adds shared layers again and again."""
    found = surveys.look(home, CONTAINER_HOST=f"unix://{podman.socket}")
    said = podman.run("system", "df", "--format", "{{.Type}}={{.Size}}").splitlines()[0]
    number = float(said.partition("=")[2].removesuffix("MB")) * 1e6
    total = surveys.holding(found, "podman").sizes.allocated
    assert number > total


@pytest.mark.parametrize("command", PRUNES)
def test_a_prune_frees_what_was_predicted(podman: Running, home: Path, command: str) -> None:
    found = surveys.look(home, CONTAINER_HOST=f"unix://{podman.socket}")
    prune = surveys.prune(found, "podman", command)
    predicted = found.freed(prune.artifacts).freed
    lines = podman.run("system", "df", "--format", "{{.Type}}={{.Reclaimable}}").splitlines()
    figures = dict(line.split("=", 1) for line in lines)
    assert prune.reported is not None
    assert figures[PRUNES[command]].split()[0] == human(prune.reported)
    before = podman.taken()
    podman.run(*command.split()[1:], "-f")
    freed = before - podman.taken()
    assert prune.artifacts
    assert predicted <= freed + 4096, "never more than what comes back"
    assert freed - predicted < AWAY
    left = {each.id for each in surveys.look(home, CONTAINER_HOST=f"unix://{podman.socket}").artifacts}
    assert left == {each.id for each in found.artifacts} - set(prune.artifacts)


def test_podman_on_the_socket_of_docker_is_counted_once(podman: Running, home: Path) -> None:
    """`podman-docker` and many guides point Docker's variable at Podman."""
    alone = surveys.look(home, CONTAINER_HOST=f"unix://{podman.socket}")
    both = surveys.look(home, CONTAINER_HOST=f"unix://{podman.socket}", DOCKER_HOST=f"unix://{podman.socket}")
    assert {each.store for each in both.artifacts} == {"podman"}
    assert both.totals == alone.totals
    assert not surveys.holding(both, "docker").prunes
    assert not both.problems
    only = surveys.look(home, DOCKER_HOST=f"unix://{podman.socket}")
    assert only.totals == alone.totals


def test_a_folder_in_the_home_is_not_counted_twice(podman: Running, home: Path) -> None:
    settings = home / ".config" / "containers" / "storage.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text(f'[storage]\ngraphroot = "{podman.data}"\n')
    silent = surveys.look(home)
    whole = next(each for each in silent.artifacts if each.store == "podman")
    answered = surveys.look(home, CONTAINER_HOST=f"unix://{podman.socket}")
    total = surveys.holding(answered, "podman").sizes.allocated
    assert abs(total - whole.sizes.allocated) < 100_000
