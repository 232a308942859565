"""Variables that do nothing any more, contradict each other, or hold what their tools cannot use."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from modelyard.doctor.assignments import Assignment
from modelyard.doctor.complaint import Complaint
from modelyard.doctor.examination import Examination
from modelyard.doctor.shell import disable_in_file, rename_in_file, set_variable, unset_variable
from modelyard.stores.places import expand
from modelyard.units import size
from modelyard.walk.text import shown

HUB = "HF_HUB_CACHE"
DEAD = {
    "TRANSFORMERS_CACHE": ("transformers 5 ignores it", HUB),
    "PYTORCH_TRANSFORMERS_CACHE": ("transformers 5 ignores it", ""),
    "PYTORCH_PRETRAINED_BERT_CACHE": ("transformers 5 ignores it", ""),
    "DIFFUSERS_CACHE": ("diffusers 0.14 and later ignores it", HUB),
    "TORCH_MODEL_ZOO": ("torch warns and ignores it; TORCH_HOME moves its downloads", ""),
}
PATHS = re.compile(r"_(HOME|CACHE|DIRS?|PATH|ROOT|PREFIX|MODELS|DATA|BASE)$")
MORE = ("HF_ASSETS_CACHE", "HF_MODULES_CACHE", "HF_DATASETS_CACHE", "POETRY_CACHE_DIR", "PIXI_HOME", "UV_TOOL_DIR")
LISTS = ("NLTK_DATA", "CONDA_ENVS_DIRS", "CONDA_ENVS_PATH", "CONDA_PKGS_DIRS")
EXPANDS_HOME = ("HF_HOME", "HF_HUB_CACHE", "TORCH_HOME", "TFDS_DATA_DIR")
TRIMS = ("OLLAMA_MODELS",)


def names(examination: Examination) -> frozenset[str]:
    """Variables that hold the path of a store."""
    declared = {name for holding in examination.inventory.holdings for name in holding.store.variables}
    return frozenset(name for name in (*declared, *MORE) if re.fullmatch(r"[A-Z_]+", name) and PATHS.search(name))


def place(examination: Examination, each: Assignment) -> str:
    """Where a variable is set, as text."""
    return f"{each.name} in {examination.label(each.file)}, line {each.line}" if each.file else each.name


def dead(examination: Examination) -> Iterator[Complaint]:
    """Variables that their tools stopped reading."""
    for name, (why, instead) in DEAD.items():
        for each in examination.set_values(name):
            held = _held(examination, each.value)
            holds = f"; {size(held)} lie there" if held else ""
            taken = examination.set_values(HUB) or examination.set_values("HF_HOME")
            yield Complaint(
                "dead-variable",
                "fault",
                place(examination, each),
                f"{place(examination, each)} does nothing any more: {why}",
                f"new downloads go to the default place and not to {shown(each.value)}{holds}",
                *_instead(examination, each, "" if taken else instead),
            )


def deprecated(examination: Examination) -> Iterator[Complaint]:
    """The old name of the hub's variable, which huggingface_hub still reads and some tools do not."""
    for each in examination.set_values("HUGGINGFACE_HUB_CACHE"):
        if not examination.set_values(HUB):
            message = f"{place(examination, each)} is the old name of {HUB}"
            after = "tools that know the new name only keep a second hub cache"
            yield Complaint(
                "deprecated-variable",
                "note",
                place(examination, each),
                message,
                after,
                *_instead(examination, each, HUB),
            )


def _held(examination: Examination, value: str) -> int:
    row = examination.tree.find(os.path.realpath(expand(value, examination.env, examination.home)))
    return 0 if row is None else examination.allocated([row])


def _instead(examination: Examination, each: Assignment, instead: str) -> tuple[str, str]:
    """The command that gives a variable its new name or takes it away, and what to know about it."""
    platform = examination.platform
    if each.file:
        kept = f"keeps the old file as {examination.label(each.file)}.bak; open shells keep the old value"
        if instead:
            return rename_in_file(each.file, each.name, instead, platform), kept
        return disable_in_file(each.file, each.name, platform), kept
    gone = unset_variable(each.name, platform)
    added = "; " + set_variable(instead, each.value, platform) if instead else ""
    return gone + added, "" if platform == "windows" else "for this shell; nothing in its start files sets it"


def conda_twice(examination: Examination) -> Iterator[Complaint]:
    """Both names of one variable at once."""
    old, new = (examination.set_values(name) for name in ("CONDA_ENVS_PATH", "CONDA_ENVS_DIRS"))
    for each in old if new else ():
        yield Complaint(
            "conda-variables",
            "fault",
            place(examination, each),
            "CONDA_ENVS_PATH and CONDA_ENVS_DIRS are both set",
            "conda and mamba stop with an error",
            *_instead(examination, each, ""),
        )


def malformed(examination: Examination) -> Iterator[Complaint]:
    """Values with quotes, blanks or `~` in them, or relative ones."""
    for name in sorted(names(examination)):
        for each in examination.set_values(name):
            where = place(examination, each)
            for wrong, after, right in _flaws(examination, each):
                command = set_variable(name, right, examination.platform)
                caution = f"put this in place of line {each.line}" if each.file else ""
                yield Complaint("malformed-variable", "fault", where, f"{where} {wrong}", after, command, caution)


def _flaws(examination: Examination, each: Assignment) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a value, what comes of it, and the value that was meant; the first flaw of each."""
    value, plain = each.value, each.value.strip().strip("\"'")
    if "://" in value:
        return
    right = _meant(examination, each.name, plain)
    told = f"`{shown(value)}`"
    if value.strip() != plain and each.name not in TRIMS:
        yield f"has quotes in its value {told}", "the quotes become part of a folder's name", right
    elif value.strip() != value and each.name not in TRIMS:
        yield f"begins or ends with a blank: {told}", "the blank becomes part of a folder's name", right
    elif plain.startswith("~") and each.name not in EXPANDS_HOME:
        after = "only a shell replaces `~`; tools make a folder of that name wherever they are started"
        yield f"has a literal `~` in its value {told}", after, right
    elif not all(_absolute(part) for part in _parts(examination, each.name, plain)):
        yield f"is a relative path: {told}", "every folder that a program starts in gets a cache of its own", right


def _absolute(path: str) -> bool:
    return path.startswith(("/", "~", "\\\\", "$", "%")) or bool(re.match(r"[A-Za-z]:[\\/]", path))


def _parts(examination: Examination, name: str, value: str) -> list[str]:
    between = "[;,]" if examination.platform == "windows" else "[:,]"
    return [part for part in (re.split(between, value) if name in LISTS else [value]) if part.strip()]


def _meant(examination: Examination, name: str, value: str) -> str:
    parts = (expand(part, examination.env, examination.home) for part in _parts(examination, name, value))
    return (":" if examination.platform != "windows" else ";").join(parts)


def not_loaded(examination: Examination) -> Iterator[Complaint]:
    """What a start file sets and this shell does not have: two shells, two caches."""
    if not examination.env:
        return
    known = names(examination)
    for each in examination.assignments:
        if each.file and each.name in known and each.name not in examination.env and each.name not in DEAD:
            yield Complaint(
                "variable-not-loaded",
                "note",
                place(examination, each),
                f"{place(examination, each)} is not set in this shell",
                f"programs started here do not look into {shown(each.value)}",
                examination.words(".", each.file),
            )
