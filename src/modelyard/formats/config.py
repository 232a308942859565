"""The settings beside the weights: `config.json` and its relatives of Transformers, PEFT and Diffusers."""

from __future__ import annotations

import re
from typing import Any

from modelyard.formats.file import File, told
from modelyard.formats.header import Header, Need
from modelyard.formats.json_text import decode
from modelyard.formats.sniffing import Head

TITLE = "configuration"
KEYS = (
    "model_type", "architectures", "_class_name", "peft_type", "tokenizer_class", "transformers_version", "auto_map",
    "feature_extractor_type", "image_processor_type", "processor_class", "modelId",
)  # fmt: skip
SIGN = re.compile(rb'"(?:' + "|".join(KEYS).encode() + rb')"\s*:')
LONGEST = 4 << 20


def sniff(head: Head) -> bool:
    """A JSON object with one of the keys that these libraries write."""
    return head.data.lstrip()[:1] == b"{" and bool(SIGN.search(head.data))


@told
def read(file: File) -> Header:
    """What model it is for, how it is quantised, and which code it asks for."""
    told_config = decode(file.whole(LONGEST), dict[str, Any])
    facts = [(name, str(value)) for name, value in told_config.items() if _short(value)]
    quantised = told_config.get("quantization_config")
    if isinstance(quantised, dict):
        facts += [(f"quantization_config.{name}", str(value)) for name, value in quantised.items() if _short(value)]
    base = told_config.get("base_model_name_or_path")
    library = next((name for key, name in LIBRARIES.items() if key in told_config), "Transformers")
    version = told_config.get("transformers_version", told_config.get("_diffusers_version", ""))
    return Header(
        TITLE,
        architecture=_architecture(told_config),
        framework=f"{library} {version}".strip()[:80] if isinstance(version, str) else library,
        metadata=tuple(facts[:64]),
        needs=_code(file, told_config.get("auto_map")),
        notes=(f"an adapter for {base}",) if isinstance(base, str) and "peft_type" in told_config else (),
    )


LIBRARIES = {"peft_type": "PEFT", "_diffusers_version": "Diffusers"}


def _short(value: object) -> bool:
    return isinstance(value, str | int | float | bool) and len(str(value)) <= 200


def _architecture(told_config: dict[str, Any]) -> str:
    listed = told_config.get("architectures")
    if isinstance(listed, list) and listed and isinstance(listed[0], str):
        return listed[0][:200]
    words = (told_config.get(key) for key in ("_class_name", "model_type", "peft_type", "tokenizer_class"))
    return next((each[:200] for each in words if isinstance(each, str)), "")


def _code(file: File, auto_map: object) -> tuple[Need, ...]:
    """The files with Python code that `trust_remote_code=True` would run; code of other repositories is not here."""
    if not isinstance(auto_map, dict):
        return ()
    names = {part.partition(".")[0] for value in auto_map.values() for part in _names(value) if "--" not in part}
    return tuple(Need(f"{name}.py", file.has(f"{name}.py"), "its own code") for name in sorted(names)[:16])


def _names(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
