"""The JSON of the Docker Engine API and of Podman's own, as far as it is read; every field may be missing or null."""

from __future__ import annotations

import msgspec


class Reply(msgspec.Struct, frozen=True, rename="pascal"):
    """What all replies have in common: names with capital letters."""


class Component(Reply, frozen=True):
    """A part of the engine, by which Podman is told from Docker."""

    name: str | None = None


class Version(Reply, frozen=True):
    """GET /version"""

    version: str
    api_version: str
    components: list[Component] | None = None


class Info(Reply, frozen=True):
    """GET /info"""

    id: str | None = msgspec.field(default=None, name="ID")
    docker_root_dir: str | None = None
    operating_system: str | None = None
    name: str | None = None
    driver_status: list[list[str]] | None = None


class Origin(Reply, frozen=True):
    """How an image came here, told since API 1.53."""

    pull: list[msgspec.Raw] | None = None


class ListedImage(Reply, frozen=True):
    """An entry of GET /images/json and of Images or Items in GET /system/df"""

    id: str
    repo_tags: list[str] | None = None
    repo_digests: list[str] | None = None
    created: int | None = None
    size: int | None = None
    shared_size: int | None = None
    containers: int | None = None


class RootFS(Reply, frozen=True):
    """The layers of an image, lowest first."""

    layers: list[str] | None = None


class InspectedImage(Reply, frozen=True):
    """GET /images/{id}/json"""

    root_fs: RootFS | None = msgspec.field(default=None, name="RootFS")
    identity: Origin | None = None


class HistoryEntry(Reply, frozen=True):
    """An entry of GET /images/{id}/history, newest first"""

    created_by: str | None = None
    size: int | None = None


class Mount(Reply, frozen=True):
    """What a container sees at a path: a volume of the engine or a folder of the machine."""

    type: str | None = None
    name: str | None = None
    source: str | None = None
    destination: str | None = None


class ListedContainer(Reply, frozen=True):
    """An entry of GET /containers/json and of Containers or Items in GET /system/df"""

    id: str
    names: list[str] | None = None
    image: str | None = None
    image_id: str | None = msgspec.field(default=None, name="ImageID")
    state: str | None = None
    status: str | None = None
    created: int | None = None
    size_rw: int | None = None
    mounts: list[Mount] | None = None


class VolumeUsage(Reply, frozen=True):
    """How large a volume is and how many containers use it; -1 is unknown."""

    ref_count: int | None = None
    size: int | None = None


class ListedVolume(Reply, frozen=True):
    """An entry of GET /volumes and of Volumes or Items in GET /system/df"""

    name: str
    driver: str | None = None
    created_at: str | None = None
    labels: dict[str, str] | None = None
    anonymous: bool | None = None
    usage_data: VolumeUsage | None = None


class Volumes(Reply, frozen=True):
    """GET /volumes"""

    volumes: list[ListedVolume] | None = None


class ListedRecord(Reply, frozen=True):
    """A record of the build cache. Since API 1.42 the name of `Parents` begins with a blank, a slip in Docker."""

    id: str = msgspec.field(name="ID")
    type: str | None = None
    description: str | None = None
    size: int | None = None
    shared: bool | None = None
    in_use: bool | None = None
    parent: str | None = None
    parents: list[str] | None = None
    blank_parents: list[str] | None = msgspec.field(default=None, name=" Parents")
    last_used_at: str | None = None
    usage_count: int | None = None


class ImageUsage(Reply, frozen=True):
    """Images in GET /system/df since API 1.52"""

    reclaimable: int | None = None
    items: list[ListedImage] | None = None


class ContainerUsage(Reply, frozen=True):
    """Containers in GET /system/df since API 1.52"""

    reclaimable: int | None = None
    items: list[ListedContainer] | None = None


class VolumesUsage(Reply, frozen=True):
    """Volumes in GET /system/df since API 1.52"""

    reclaimable: int | None = None
    items: list[ListedVolume] | None = None


class CacheUsage(Reply, frozen=True):
    """The build cache in GET /system/df since API 1.52"""

    reclaimable: int | None = None
    items: list[ListedRecord] | None = None


class DiskUsage(Reply, frozen=True):
    """GET /system/df in its old shape and in that of API 1.52"""

    layers_size: int | None = None
    images: list[ListedImage] | None = None
    containers: list[ListedContainer] | None = None
    volumes: list[ListedVolume] | None = None
    build_cache: list[ListedRecord] | None = None
    image_usage: ImageUsage | None = None
    container_usage: ContainerUsage | None = None
    volume_usage: VolumesUsage | None = None
    build_cache_usage: CacheUsage | None = None


class PodmanImage(Reply, frozen=True):
    """An image in GET /libpod/system/df"""

    image_id: str = msgspec.field(name="ImageID")
    size: int | None = None
    shared_size: int | None = None
    unique_size: int | None = None
    containers: int | None = None


class PodmanContainer(Reply, frozen=True):
    """A container in GET /libpod/system/df"""

    container_id: str = msgspec.field(name="ContainerID")
    rw_size: int | None = msgspec.field(default=None, name="RWSize")
    status: str | None = None


class PodmanVolume(Reply, frozen=True):
    """A volume in GET /libpod/system/df"""

    volume_name: str
    links: int | None = None
    size: int | None = None
    reclaimable_size: int | None = None


class PodmanUsage(Reply, frozen=True):
    """GET /libpod/system/df; the sum over all layers is told since Podman 5"""

    images_size: int | None = None
    images: list[PodmanImage] | None = None
    containers: list[PodmanContainer] | None = None
    volumes: list[PodmanVolume] | None = None


class Pruned(Reply, frozen=True):
    """POST /build/prune"""

    caches_deleted: list[str] | None = None
    space_reclaimed: int | None = None


class Refusal(msgspec.Struct, frozen=True):
    """What every engine sends with a status that is no success."""

    message: str = ""
