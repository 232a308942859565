"""The last look at a thing before an engine removes it: is it there, is it the same, does anything use it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from modelyard.owners import engine_replies as replies
from modelyard.owners.docker import LISTS, UNTAGGED, listed_containers, listed_volumes, plain
from modelyard.owners.docker_usage import usage_of
from modelyard.owners.engine import ACTIVE, Record
from modelyard.owners.engine_api import Api
from modelyard.owners.engine_line import Line
from modelyard.plan import Ask
from modelyard.problem import Problem
from modelyard.walk.text import shown

Look = Callable[[Line, Api, Ask], str | Problem | None]
"""Why a thing must not go now: empty when it may, None when it is not there."""

DIGEST = re.compile("[0-9a-f]{64}")
MARKS: Mapping[str, re.Pattern[str]] = {
    "image": DIGEST,
    "container": DIGEST,
    "volume": re.compile("[a-zA-Z0-9][a-zA-Z0-9_.-]*"),
    # Engines look for records that have this in their name, so it must be a whole one.
    "build cache": re.compile("[0-9a-z]{25}"),
    "model": re.compile("(?!)"),
}
"""What the name of each kind looks like; none may lead to another path of the API."""


def there(line: Line, api: Api, ask: Ask) -> bool | Problem:
    """Whether the engine has the thing."""
    found = LOOKS[ask.kind](line, api, ask)
    return found if isinstance(found, Problem) else found is not None


def _image(line: Line, api: Api, ask: Ask) -> str | Problem | None:
    # Podman has no clear word for an image that is not there, so the list tells.
    images = line.ask(f"{api.prefix}/images/json", list[replies.ListedImage], LISTS, all="1")
    if isinstance(images, Problem):
        return images
    found = [each for each in images if plain(each.id) == ask.name]
    if not found:
        return None
    tags = sorted({tag for each in found for tag in each.repo_tags or () if tag != UNTAGGED})
    if "\n".join(tags) != ask.seen:
        return f"its tags are other ones now: {shown(', '.join(tags)) or 'none'}"
    containers = listed_containers(line, api.prefix)
    if isinstance(containers, Problem):
        return containers
    users = [each for each in containers if plain(each.image_id or "") == ask.name]
    return f"{_named(users)} was made of it" if users else ""


def _container(line: Line, api: Api, ask: Ask) -> str | Problem | None:
    containers = listed_containers(line, api.prefix)
    if isinstance(containers, Problem):
        return containers
    found = [each for each in containers if each.id == ask.name]
    if not found:
        return None
    return "it runs" if (found[0].state or "").lower() in ACTIVE else ""


def _volume(line: Line, api: Api, ask: Ask) -> str | Problem | None:
    volumes = listed_volumes(line, api.prefix, api.podman)
    if isinstance(volumes, Problem):
        return volumes
    found = [each for each in volumes if each.name == ask.name]
    if not found:
        return None
    if (found[0].created_at or "") != ask.seen:
        return "another volume of this name was made since"
    containers = listed_containers(line, api.prefix)
    if isinstance(containers, Problem):
        return containers
    users = [each for each in containers if any(mount.name == ask.name for mount in each.mounts or ())]
    return f"{_named(users)} uses it" if users else ""


def _record(line: Line, api: Api, ask: Ask) -> str | Problem | None:
    usage = usage_of(line, api.prefix, api.spoken, ("build-cache",))
    if usage.records is None:
        return usage.problems[0] if usage.problems else line.problem("strange-engine", "no build cache is told")
    found = [each for each in usage.records if each.id == ask.name]
    return _of_record(found[0], usage.records) if found else None


def _of_record(record: Record, records: Iterable[Record]) -> str:
    if record.in_use:
        return "a build uses it now"
    if record.shared:
        return "it shares its layers with an image"
    above = next((each.id for each in records if record.id in each.parents), "")
    return f"the record {shown(above)} is built on it" if above else ""


def _named(containers: Iterable[replies.ListedContainer]) -> str:
    names = [(each.names or [each.id[:12]])[0].removeprefix("/") for each in containers]
    return f"the container {shown(names[0])}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")


LOOKS: Mapping[str, Look] = {
    "image": _image,
    "container": _container,
    "volume": _volume,
    "build cache": _record,
}
"""The look at each kind of thing."""
