"""What small files beside a model tell of it: its name, what it was made for, and where it came from."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from modelyard.problem import Problem
from modelyard.stores.json import parsed
from modelyard.walk.text import shown

NOTE_CAP = 4 << 20
SHA256 = re.compile(r"[0-9a-f]{64}")


class Card(Struct, frozen=True):
    """What is known of a model; empty where nothing is."""

    name: str = ""
    base: str = ""
    source: str = ""
    sha256: str = ""


class Hashes(msgspec.Struct):
    """The part of a list of digests that names a file's content."""

    sha256: str | None = msgspec.field(default=None, name="SHA256")


class CivitaiModel(msgspec.Struct):
    """The model that a version belongs to."""

    name: str | None = None


class CivitaiVersion(msgspec.Struct):
    """A version of a model as Civitai describes it, which `.civitai.info` files repeat."""

    id: int | None = None
    model_id: int | None = msgspec.field(default=None, name="modelId")
    name: str | None = None
    base: str | None = msgspec.field(default=None, name="baseModel")
    model: CivitaiModel | None = None
    url: str | None = msgspec.field(default=None, name="downloadUrl")


class LoraManager(msgspec.Struct):
    """What the LoRA Manager of ComfyUI notes in `.metadata.json`."""

    name: str | None = msgspec.field(default=None, name="model_name")
    base: str | None = msgspec.field(default=None, name="base_model")
    sha256: str | None = None
    civitai: CivitaiVersion | None = None


class Connected(msgspec.Struct, rename="pascal"):
    """What StabilityMatrix notes in `.cm-info.json`."""

    model_id: int | None = None
    model_name: str | None = None
    version_id: int | None = None
    version_name: str | None = None
    base_model: str | None = None
    hashes: Hashes | None = None
    source: str | int | None = None


def card(notes: Iterable[tuple[bytes, bytes | Problem]], path: str) -> Card | Problem:
    """What the notes in a folder tell of one model, those that know where it came from first.

    A Problem where none of them can be understood.
    """
    known: list[Card] = []
    trouble: Problem | None = None
    for name, text in notes:
        found = text if isinstance(text, Problem) else _one(name, text)
        if isinstance(found, Card):
            known.append(found)
            continue
        words = " ".join((found.message if isinstance(found, Problem) else str(found)).split())[:200]
        message = f"a note beside a model that is not understood: {words}"
        trouble = Problem(f"{path}/{shown(name)}", "unreadable-note", message, "the model counts as one of a kind")
    if trouble and not known:
        return trouble
    return max(known, key=lambda each: (bool(each.source), bool(each.name)), default=Card())


def _one(name: bytes, text: bytes) -> Card | ValueError:
    if name.endswith(b".cm-info.json"):
        noted = parsed(text, Connected)
        return noted if isinstance(noted, ValueError) else _of_connected(noted)
    if name.endswith(b".metadata.json"):
        managed = parsed(text, LoraManager)
        return managed if isinstance(managed, ValueError) else _of_manager(managed)
    version = parsed(text, CivitaiVersion)
    return version if isinstance(version, ValueError) else _of_version(version)


def _of_version(version: CivitaiVersion) -> Card:
    name = (version.model.name if version.model else None, version.name)
    return Card(_joined(name), shown(version.base or ""), _civitai(version.model_id, version.id))


def _of_manager(noted: LoraManager) -> Card:
    source = _civitai(noted.civitai.model_id, noted.civitai.id) if noted.civitai else ""
    return Card(shown(noted.name or ""), shown(noted.base or ""), source, _digest(noted.sha256))


def _of_connected(noted: Connected) -> Card:
    source = _civitai(noted.model_id, noted.version_id)
    if not source and noted.source == "OpenModelDb" and noted.model_name:
        source = f"OpenModelDB {shown(noted.model_name)}"
    digest = _digest(noted.hashes.sha256 if noted.hashes else None)
    return Card(_joined((noted.model_name, noted.version_name)), shown(noted.base_model or ""), source, digest)


def _joined(names: Iterable[str | None]) -> str:
    return shown(" ".join(name for name in names if name))


def _civitai(model: int | None, version: int | None) -> str:
    if not model and not version:
        return ""
    return f"Civitai model {model or '?'}" + (f", version {version}" if version else "")


def _digest(text: str | None) -> str:
    return text.lower() if text and SHA256.fullmatch(text.lower()) else ""
