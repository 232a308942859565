"""One engine of each kind for all tests of a process, filled anew for each test that asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from containers import engines
from containers.engines import Running


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Running]:
    """A Docker engine."""
    with engines.dockerd() as running:
        yield running


@pytest.fixture(scope="session")
def podman_engine() -> Iterator[Running]:
    """A Podman service."""
    with engines.podman() as running:
        yield running


@pytest.fixture
def docker(docker_engine: Running) -> Running:
    """The Docker engine, filled."""
    engines.fill_docker(docker_engine)
    return docker_engine


@pytest.fixture
def podman(podman_engine: Running) -> Running:
    """Podman, filled."""
    engines.fill_podman(podman_engine)
    return podman_engine
