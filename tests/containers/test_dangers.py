"""Engines that die, hang, lie or flood: a survey goes on, says what was wrong, and promises nothing."""

from __future__ import annotations

import builtins
import socket
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from containers import fake, surveys
from modelyard.owners import docker as owner
from modelyard.owners.docker import look
from modelyard.owners.engine import Engine
from modelyard.problem import Problem

Behaviour = Callable[[BaseHTTPRequestHandler], None]


def small() -> dict[str, Any]:
    """An engine with one image and nothing else."""
    return {
        "/version": {"Version": "28.5.2", "ApiVersion": "1.51", "Components": [{"Name": "Engine"}]},
        "/v1.51/info": {"ID": "a", "DockerRootDir": "/var/lib/docker"},
        "/v1.51/images/json": [{"Id": "sha256:aa", "RepoTags": ["one:1"], "Size": 5000}],
        "/v1.51/containers/json?all=1": [],
        "/v1.51/volumes": {"Volumes": None},
        "/v1.51/system/df?type=image": {"LayersSize": 5000, "Images": [{"Id": "sha256:aa", "SharedSize": 0}]},
        "/v1.51/system/df?type=container": {"Containers": []},
        "/v1.51/system/df?type=volume": {"Volumes": []},
        "/v1.51/system/df?type=build-cache": {"BuildCache": []},
        "/v1.51/images/aa/json": {"RootFS": {"Layers": ["sha256:l1"]}},
        "/v1.51/images/aa/history": [{"Size": 5000, "CreatedBy": "COPY a /a"}],
    }


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (fake.broken_off, "broken-engine"),
        (fake.garbage, "broken-engine"),
        (fake.no_json, "strange-engine"),
        (fake.nested, "strange-engine"),
        (fake.elsewhere, "engine-error"),
        (fake.endless, "too-large"),
    ],
)
@pytest.mark.parametrize("path", ["/version", "/v1.51/images/json", "/v1.51/containers/json?all=1"])
def test_an_engine_that_dies_or_talks_nonsense(home: Path, path: str, behaviour: Behaviour, code: str) -> None:
    """Half an answer is none: an image would look unused because its container was not told."""
    with fake.engine(small() | {path: behaviour}) as (socket_path, _):
        found = surveys.look(home, DOCKER_HOST=f"unix://{socket_path}")
    assert [each.code for each in found.problems] == [code]
    assert not found.artifacts


@pytest.mark.parametrize("behaviour", ["silent", "dripping", "dripping_headers"])
def test_an_engine_that_hangs_costs_seconds(home: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str) -> None:
    monkeypatch.setattr(owner, "FIRST", 0.4)
    monkeypatch.setattr(owner, "ALL", 1.0)
    slow = fake.Slow()
    with fake.engine({"*": getattr(slow, behaviour)}) as (path, _):
        started = time.monotonic()
        found = surveys.look(home, DOCKER_HOST=f"unix://{path}")
        took = time.monotonic() - started
        slow.released.set()
    assert [each.code for each in found.problems] == ["slow-engine"]
    assert took < 3


def test_an_engine_that_is_silent_for_ever_is_given_up_within_the_limits_of_the_program() -> None:
    assert owner.FIRST <= 5
    assert owner.ALL <= 60


def test_sizes_that_do_not_come_in_time_are_not_promised(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`system df` walks every volume; on a large machine that takes minutes."""
    monkeypatch.setattr("modelyard.owners.docker_usage.USAGE", 0.3)
    slow = fake.Slow()
    answers = small() | {"/v1.51/volumes": {"Volumes": [{"Name": "big"}]}, "/v1.51/system/df?type=volume": slow.silent}
    with fake.engine(answers) as (path, _):
        found = surveys.look(home, DOCKER_HOST=f"unix://{path}")
        slow.released.set()
    sizes = {each.id: each.sizes for each in found.artifacts}
    assert [each.code for each in found.problems] == ["slow-engine"]
    assert (sizes["docker:volume/big"].allocated, sizes["docker:volume/big"].exact) == (0, False)
    assert (sizes["docker:image/one:1"].freed, sizes["docker:image/one:1"].exact) == (5000, True)


def test_a_build_cache_that_is_not_told_may_hold_every_layer(home: Path) -> None:
    answers = small()
    del answers["/v1.51/system/df?type=build-cache"]
    with fake.engine(answers) as (path, _):
        found = surveys.look(home, DOCKER_HOST=f"unix://{path}")
    sizes = {each.id: each.sizes for each in found.artifacts}
    assert (sizes["docker:image/one:1"].freed, sizes["docker:image/one:1"].exact) == (0, False)


def test_a_socket_of_another_type(home: Path) -> None:
    path = home / "d.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        found = surveys.look(home, DOCKER_HOST=f"unix://{path}")
    assert [each.code for each in found.problems] == ["unreachable-engine"]


def test_a_file_in_place_of_a_socket(home: Path) -> None:
    (home / "d.sock").write_text("no socket")
    found = surveys.look(home, DOCKER_HOST=f"unix://{home}/d.sock")
    assert [each.code for each in found.problems] == ["unreachable"]


@pytest.mark.parametrize("path", ["/" + "x" * 200, "/a\0b", "\udcff/d.sock"])
def test_paths_that_no_socket_can_have(home: Path, path: str) -> None:
    found = surveys.look(home, DOCKER_HOST=f"unix://{path}")
    assert len(found.problems) == 1


def test_a_default_socket_that_nobody_listens_on_is_silence(home: Path) -> None:
    (home / ".docker" / "desktop").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(home / ".docker" / "desktop" / "docker.sock"))
    found = surveys.look(home)
    assert not found.problems
    assert not any(root.answered for root in surveys.holding(found, "docker").roots)


def test_one_named_by_a_variable_is_a_problem(home: Path) -> None:
    found = surveys.look(home, DOCKER_HOST=f"unix://{home}/none.sock", CONTAINER_HOST=f"unix://{home}/no.sock")
    assert [(each.code, each.path) for each in found.problems] == [
        ("unreachable", f"{home}/none.sock"),
        ("unreachable", f"{home}/no.sock"),
    ]


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:{port}", "http://127.0.0.1:{port}", "ssh://me@127.0.0.1:{port}"])
def test_an_address_that_may_be_another_machine_is_shown_and_never_contacted(home: Path, address: str) -> None:
    """Even a port of this machine may be a tunnel to another one."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        named = address.format(port=server.getsockname()[1])
        found = surveys.look(home, DOCKER_HOST=named, CONTAINER_HOST=named)
        with pytest.raises(TimeoutError):
            server.accept()
    for store in ("docker", "podman"):
        root = surveys.holding(found, store).roots[0]
        assert (root.path, root.remote, root.answered) == (named, True, False)
    assert not found.problems


def test_ten_thousand_images_are_bounded_work(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two questions an image would take minutes: when time is up, what they share is left out."""
    monkeypatch.setattr(owner, "INSPECTION", 0.5)
    count = 10_000
    images = [{"Id": f"sha256:{n:064x}", "RepoTags": [f"r:{n}"], "Size": 10_000_000 - n} for n in range(count)]
    used = [image | {"SharedSize": 9_000_000, "Containers": 0} for image in images]
    records = [
        {"ID": f"r{n}", "Size": 10, "Shared": False, " Parents": [f"r{n - 1}"] if n % 100 else None}
        for n in range(count)
    ]
    answers = small() | {
        "/v1.51/images/json": images,
        "/v1.51/system/df?type=image": {"LayersSize": 10**9, "Images": used},
        "/v1.51/system/df?type=build-cache": {"BuildCache": records},
        "*": {"RootFS": {"Layers": []}},
    }
    with fake.engine(answers) as (path, asked):
        started = time.monotonic()
        found = surveys.look(home, DOCKER_HOST=f"unix://{path}")
        took = time.monotonic() - started
    assert len(found.artifacts) == 2 * count
    assert took < 20
    assert len(asked) < count
    last = next(each for each in found.artifacts if each.id == f"docker:image/r:{count - 1}")
    assert (last.sizes.freed, last.sizes.exact) == (10_000_000 - (count - 1) - 9_000_000, False)


def test_records_that_are_their_own_ancestors_come_to_an_end(home: Path) -> None:
    loop = [{"ID": "a", "Size": 1, "Parents": ["b"]}, {"ID": "b", "Size": 2, "Parents": ["a", "b", "gone"]}]
    answers = small() | {"/v1.51/system/df?type=build-cache": {"BuildCache": loop}}
    with fake.engine(answers) as (path, _):
        found = surveys.look(home, DOCKER_HOST=f"unix://{path}")
    assert {each.sizes.allocated for each in found.artifacts if each.kind == "other"} == {3}


def test_names_with_control_characters_are_shown_harmless(home: Path) -> None:
    nasty = "a\x1b[31m\nb\u202ec"
    answers = small() | {
        "/v1.51/images/json": [{"Id": "sha256:aa", "RepoTags": [f"{nasty}:1"], "Size": 5000}],
        "/v1.51/containers/json?all=1": [
            {
                "Id": "c1",
                "Names": [f"/{nasty}"],
                "Image": nasty,
                "ImageID": "sha256:aa",
                "State": nasty,
                "Status": nasty,
            }
        ],
        "/v1.51/volumes": {"Volumes": [{"Name": nasty, "Driver": nasty, "CreatedAt": nasty}]},
        "/v1.51/system/df?type=build-cache": {"BuildCache": [{"ID": nasty, "Type": nasty, "Description": nasty}]},
    }
    with fake.engine(answers) as (path, _):
        found = surveys.look(home, DOCKER_HOST=f"unix://{path}")
    assert len(found.artifacts) == 4
    for each in found.artifacts:
        words = [
            each.id,
            each.title,
            each.detail,
            each.group,
            *each.tags,
            *(word for fact in each.facts for word in fact),
        ]
        assert not any(letter in word for word in words for letter in "\x1b\n\u202e")


def test_without_the_docker_package_the_problem_says_what_to_install(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "docker":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    for name in [each for each in sys.modules if each.partition(".")[0] == "docker"]:
        monkeypatch.delitem(sys.modules, name)
    with fake.engine(small()) as (path, asked):
        found = surveys.look(home, DOCKER_HOST=f"unix://{path}")
    assert [(each.code, each.hint) for each in found.problems] == [
        ("missing-package", 'pip install "modelyard[docker]"')
    ]
    assert not asked
    assert not surveys.look(home).problems, "where no engine is, nothing is missing"


def test_podman_on_a_socket_that_its_settings_do_not_lead_to_is_told(home: Path) -> None:
    version = {"Version": "5.4.2", "ApiVersion": "1.41", "Components": [{"Name": "Podman Engine"}]}
    answers = {each.replace("1.51", "1.41"): answer for each, answer in small().items()}
    answers |= {"/version": version, "/v4.0.0/libpod/volumes/json": [], "/v4.0.0/libpod/system/df": {}}
    with fake.engine(answers) as (path, _):
        found = surveys.look(home, DOCKER_HOST=f"unix://{path}")
        assert [each.code for each in found.problems] == ["other-engine"]
        assert "CONTAINER_HOST" in found.problems[0].hint
        assert not found.artifacts
        found = surveys.look(home, CONTAINER_HOST=f"unix://{path}")
    assert [each.id for each in found.artifacts] == ["podman:image/one:1"]


def test_two_engines_with_images_of_one_name_keep_their_ids_and_their_bytes(home: Path) -> None:
    other = small() | {"/v1.51/info": {"ID": "b", "DockerRootDir": "/home/me/.local/share/docker"}}
    with fake.engine(small()) as (first, _), fake.engine(other) as (second, _):
        found = surveys.look(home, DOCKER_HOST=f"unix://{first}", XDG_RUNTIME_DIR=second.parent)
    assert [each.id for each in found.artifacts] == ["docker:image/one:1", f"docker:{second}/image/one:1"]
    assert found.totals.allocated == 10_000
    for prune in surveys.holding(found, "docker").prunes:
        assert set(prune.artifacts) <= {each.id for each in found.artifacts}


def test_a_newer_engine_is_asked_in_the_newest_api_that_is_known(home: Path) -> None:
    with fake.engine(small() | {"/version": {"Version": "40.0", "ApiVersion": "1.99"}}) as (path, asked):
        look(f"unix://{path}")
    assert asked[1] == "/v1.53/info"


def test_nothing_but_questions_is_sent(home: Path) -> None:
    with fake.engine(small()) as (path, asked):
        assert isinstance(look(f"unix://{path}"), Engine)
    assert set(asked) == set(small())


def test_an_engine_without_a_version(home: Path) -> None:
    with fake.engine({"/version": {"Version": "1", "ApiVersion": "new"}}) as (path, _):
        refused = look(f"unix://{path}")
    assert isinstance(refused, Problem)
    assert refused.code == "strange-engine"
