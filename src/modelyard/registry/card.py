"""The model card of a version, as Hugging Face has them: a `README.md` with facts in YAML, and sections for people.

Front matter: https://github.com/huggingface/hub-docs/blob/main/modelcard.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import yaml

from modelyard.registry.layout import CARD
from modelyard.registry.metadata import Dataset, Metadata, Port
from modelyard.units import size

LIBRARIES = {"scikit-learn": "sklearn", "PyTorch": "pytorch", "Transformers": "transformers"}
"""How the hub calls frameworks where that is not their name in small letters."""
LICENSES = frozenset((
    "apache-2.0", "mit", "openrail", "bigscience-openrail-m", "creativeml-openrail-m", "bigscience-bloom-rail-1.0",
    "bigcode-openrail-m", "afl-3.0", "artistic-2.0", "bsl-1.0", "bsd", "bsd-2-clause", "bsd-3-clause",
    "bsd-3-clause-clear", "c-uda", "cc", "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0",
    "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0",
    "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0",
    "cdla-sharing-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0", "wtfpl", "ecl-2.0", "epl-1.0", "epl-2.0",
    "etalab-2.0", "eupl-1.1", "eupl-1.2", "agpl-3.0", "gfdl", "gpl", "gpl-2.0", "gpl-3.0", "lgpl", "lgpl-2.1",
    "lgpl-3.0", "isc", "intel-research", "lppl-1.3c", "ms-pl", "apple-ascl", "apple-amlr", "mpl-2.0", "odc-by",
    "odbl", "openrail++", "osl-3.0", "postgresql", "ofl-1.1", "ncsa", "unlicense", "zlib", "pddl", "lgpl-lr",
    "llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "llama4", "gemma", "unknown", "other",
))  # fmt: skip
"""The licences that the hub knows; any other one is `other`, with its name beside."""
MEASURED = ("test", "eval", "evaluation", "validation")
"""Roles of datasets that metrics are measured on."""


def card(metadata: Metadata) -> str:
    """The text of the card."""
    facts = yaml.safe_dump(_facts(metadata), sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{facts}---\n\n" + "\n".join(_lines(metadata))


def _facts(metadata: Metadata) -> dict[str, object]:
    """What the hub reads; only what is known."""
    name = metadata.license.strip().lower()
    known = name in LICENSES
    found: dict[str, object] = {
        "license": (name if known else "other") if name else None,
        "license_name": re.sub(r"[^a-z0-9.+-]+", "-", name).strip("-") or None if name and not known else None,
        "library_name": LIBRARIES.get(metadata.framework, metadata.framework.lower().replace(" ", "-")) or None,
        "pipeline_tag": metadata.task or None,
        "tags": list(dict.fromkeys([*metadata.tags, "modelyard"])),
        "datasets": [each.uri.removeprefix("hf://datasets/").removeprefix("hf://") for each in _of_the_hub(metadata)],
        "metrics": list(metadata.metrics),
        "model-index": _results(metadata),
    }
    return {key: value for key, value in found.items() if value}


def _of_the_hub(metadata: Metadata) -> list[Dataset]:
    return [each for each in metadata.datasets if each.uri.startswith("hf://")]


def _results(metadata: Metadata) -> list[dict[str, object]]:
    """The metrics of a task on a dataset; the hub wants all three."""
    if not metadata.task or not metadata.metrics:
        return []
    on = next((each for each in metadata.datasets if each.role.lower() in MEASURED), None)
    on = on or next(iter(metadata.datasets), Dataset(name="unknown"))
    metrics = [{"type": name, "value": value, "name": name} for name, value in metadata.metrics.items()]
    result = {"task": {"type": metadata.task}, "dataset": {"name": on.name, "type": on.name}, "metrics": metrics}
    return [{"name": metadata.name, "results": [result]}]


def _lines(metadata: Metadata) -> Iterator[str]:
    yield f"# {_plain(metadata.name)} {_plain(metadata.version)}\n"
    made = f"{metadata.framework or 'Model'} files, saved {metadata.created[:10]} with modelyard {metadata.modelyard}."
    yield _plain(made) + "\n"
    yield from _table("Metrics", ("Metric", "Value"), [(name, f"{each:g}") for name, each in metadata.metrics.items()])
    yield from _table("Input", ("Name", "Type", "Shape"), map(_port, metadata.inputs))
    yield from _table("Output", ("Name", "Type", "Shape"), map(_port, metadata.outputs))
    rows = [(each.name, each.role, each.uri, each.digest) for each in metadata.datasets]
    yield from _table("Data", ("Name", "Role", "Where", "Digest"), rows)
    settings = [(name, str(value)) for name, value in metadata.training.items()]
    yield from _table("Training", ("Setting", "Value"), settings)
    yield from _table("Origin", ("What", "Value"), _origin(metadata))
    files = [(each.path, size(each.size), each.sha256) for each in metadata.files if each.path != CARD]
    yield from _table("Files", ("File", "Size", "SHA-256"), files)
    yield "`sha256sum -c SHA256SUMS` verifies them; `metadata.json` holds all of this for programs."
    yield ""


def _origin(metadata: Metadata) -> list[tuple[str, str]]:
    code = f"{metadata.git.commit}{', with changes' if metadata.git.dirty else ''}" if metadata.git else ""
    packages = ", ".join(f"{name} {version}" for name, version in metadata.packages.items())
    rows = [("made from", metadata.parent), ("code", code), ("packages", packages), ("Python", metadata.python)]
    return [each for each in rows if each[1]]


def _port(port: Port) -> tuple[str, str, str]:
    sides = ", ".join("n" if side is None else str(side) for side in port.shape)
    return port.name, port.dtype, f"[{sides}]"


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A section with a table, nothing without rows."""
    lines = ["| " + " | ".join(_plain(each) for each in row) + " |" for row in rows]
    if lines:
        yield from (f"## {title}\n", "| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads), *lines, "")


def _plain(text: str) -> str:
    """A text that is only itself in Markdown: no table, no markup, no second line."""
    printable = "".join(each if each.isprintable() else " " for each in text)
    return re.sub(r"([\\`*\[\]<>|#])", r"\\\1", printable)
