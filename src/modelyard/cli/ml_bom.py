"""What a scan found as a bill of materials: CycloneDX 1.6, models as components, findings as properties."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

import msgspec

from modelyard import __version__
from modelyard.api.scanning import Scanned
from modelyard.walk.text import shown


class Property(msgspec.Struct):
    """A name and its value."""

    name: str
    value: str


class Component(msgspec.Struct, rename={"kind": "type", "reference": "bom-ref"}):
    """One file that can be loaded."""

    kind: str
    reference: str
    name: str
    properties: list[Property]


class Tool(msgspec.Struct, rename={"kind": "type"}):
    """What made the document."""

    name: str
    version: str
    kind: str = "application"


class Tools(msgspec.Struct):
    """What made the document."""

    components: list[Tool]


class Metadata(msgspec.Struct):
    """About the document itself."""

    tools: Tools


class Bill(msgspec.Struct, rename={"format": "bomFormat", "spec": "specVersion"}):
    """A CycloneDX document."""

    metadata: Metadata
    components: list[Component]
    format: str = "CycloneDX"
    spec: str = "1.6"
    version: int = 1


def document(found: Sequence[Scanned]) -> Bill:
    """The files that a scan knows as models, with verdicts and findings."""
    return Bill(Metadata(Tools([Tool("modelyard", __version__)])), [_component(each) for each in found if each.format])


def _component(each: Scanned) -> Component:
    reference = hashlib.sha256(os.fsencode(os.path.abspath(each.path))).hexdigest()[:32]
    properties = [Property("modelyard:verdict", each.verdict), Property("modelyard:format", each.format)]
    properties += [Property("modelyard:loads", each.loads)] if each.loads else []
    properties += [
        Property(f"modelyard:finding:{own.code}", f"{own.where}: {own.runs}" if own.where else own.runs)
        for own in each.findings
    ]
    return Component("machine-learning-model", reference, shown(each.path), properties)
