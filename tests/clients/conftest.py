"""What the tests with real clients share: a home, a web server, a hub, and a line that says which versions ran."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.client import CLIENTS, Client, Package
from clients.loopback import Web
from real.hub_server import Hub


@pytest.fixture(scope="module")
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Client:
    """The client of the module, with a home that all tests of the module share: no look at it changes it."""
    package: Package = request.param
    if package.version == "missing":
        pytest.fail(f"{package.name} is not in {package.folder or CLIENTS}; run `make clients`")
    home = tmp_path_factory.mktemp(package.name) / "home"
    home.mkdir()
    return Client(package, home)


@pytest.fixture
def fresh(client: Client, home: Path) -> Client:
    """The same client in the home of the test alone."""
    return Client(client.package, home)


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    """An empty web server."""
    with Web() as running:
        yield running


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """An empty hub, with a chunk store of its own."""
    with Hub(tmp_path_factory.mktemp("hub") / "chunks") as running:
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which clients ran, in which versions."""
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.stats.get(kind, [])]
    found = {match[1] for each in reports if (match := re.search(r"clients/.*\[([^\]]*-\d[^\]]*)\]$", each.nodeid))}
    if found:
        terminalreporter.write_line(f"real clients: {', '.join(sorted(found))}")
