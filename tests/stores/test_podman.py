"""Podman's places; what its service says is tested in `containers`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import makers
from modelyard import api
from modelyard.problem import Problem
from modelyard.stores import podman


def make(home: Path) -> None:
    """A user's own storage while no service runs, and a virtual machine with what it was made from."""
    storage = home / ".local" / "share" / "containers" / "storage"
    makers.write(storage / "overlay-images" / "images.json", "[]")
    makers.write(storage / "overlay" / "abc" / "diff" / "model.bin", b"m" * 9000)
    machine = home / ".local" / "share" / "containers" / "podman" / "machine"
    disk = makers.write(machine / "qemu" / "podman-machine-default.qcow2", b"d" * 8192)
    os.truncate(disk, 1 << 30)
    makers.write(machine / "qemu" / "cache" / "fedora-coreos.qcow2.xz", b"c" * 5000)


def test_precedence_of_what_moves_it(home: Path) -> None:
    connections = {
        "Connection": {"Default": "far", "Connections": {"far": {"URI": "ssh://core@10.0.0.7:22/run/p.sock"}}}
    }
    makers.write(home / ".config" / "containers" / "podman-connections.json", json.dumps(connections))
    env = {"CONTAINER_HOST": "unix:///c.sock", "XDG_RUNTIME_DIR": "/run/user/7"}
    found = makers.named(podman, home, "linux", **env, DOCKER_HOST="unix:///run/podman-api.sock")
    assert [(root.path, root.found_by, root.remote) for root in found if root.endpoint] == [
        ("/c.sock", "CONTAINER_HOST", False),
        ("ssh://core@10.0.0.7:22/run/p.sock", "context far", True),
        ("/run/podman-api.sock", "DOCKER_HOST", False),
        ("/run/podman/podman.sock", "default", False),
        ("/run/user/7/podman/podman.sock", "default", False),
    ]
    plain = [path for path, _ in makers.places(podman, home, DOCKER_HOST="unix:///run/docker.sock")]
    assert "/run/docker.sock" not in plain


def test_places_on_every_platform(home: Path) -> None:
    machine = "~/.local/share/containers/podman/machine"
    assert makers.places(podman, home)[-2:] == [
        ("~/.local/share/containers/storage", "default"),
        (machine, "virtual machines"),
    ]
    assert makers.places(podman, home, "macos") == [
        (f"{machine}/podman.sock", "default"),
        (machine, "virtual machines"),
    ]
    assert makers.places(podman, home, "windows")[0] == ("//./pipe/podman-machine-default", "default")


def test_the_folder_moves_with_the_storage_settings(home: Path) -> None:
    settings = makers.write(home / ".config" / "containers" / "storage.conf", '[storage]\ngraphroot = "$HOME/big"\n')
    assert ("~/big", "storage.conf graphroot") in makers.places(podman, home)
    for damaged in ("[storage", "storage = 7", "[storage]\ngraphroot = 7"):
        settings.write_text(damaged)
        found = list(podman.roots({}, home, "linux"))
        assert [each.code for each in found if isinstance(each, Problem)] == ["unreadable-settings"]


def test_a_silent_service_is_one_thing_and_machines_are_disks(home: Path) -> None:
    make(home)
    found = {each.id: each for each in api.survey({}, home, "linux", system=False).artifacts}
    assert {name: each.recovery for name, each in found.items()} == {
        "podman:data/.local/share/containers/storage": "none",
        "podman:machine/qemu/podman-machine-default.qcow2": "none",
        "podman:qemu/cache": "re-get",
    }
    assert found["podman:machine/qemu/podman-machine-default.qcow2"].sizes.allocated == 8192


def test_a_folder_called_storage_that_is_none(home: Path) -> None:
    makers.write(home / ".local" / "share" / "containers" / "storage" / "notes.txt", "mine")
    assert not makers.artifacts(home)
