"""The verb convert: a safe copy of a model file, proven equal, and the original into the trash afterwards."""

from __future__ import annotations

import os
import platform as machine
import time
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.apply.disk import Disk
from modelyard.convert.copying import convert as _convert
from modelyard.convert.copying import silent
from modelyard.convert.deciding import Told
from modelyard.convert.weights import Agreement as Agreement
from modelyard.convert.weights import LeftOut as LeftOut
from modelyard.convert.weights import Receipt as Receipt
from modelyard.convert.weights import Wish as Wish
from modelyard.convert.weights import Written as Written
from modelyard.plan import Origin, Plan, Step, as_root
from modelyard.policies.clean import SLIMMED, UNPROVEN
from modelyard.problem import Problem
from modelyard.units import rfc3339
from modelyard.walk.text import shown

if TYPE_CHECKING:  # whoever replaces nothing needs no journal
    from modelyard.api.reclaim import Receipt as Made
    from modelyard.api.reclaim import Yard

TITLE = "convert"
NOT_PLAIN = "the original is a link or has other names: its bytes belong to others too"
SEVERAL = "the original is a set of several files"
TOLD = 4
"""Things that were left out which a plan names."""


SUFFIXES = {
    "safetensors": (".safetensors",), "torch": (".pt", ".pth", ".bin", ".ckpt"), "onnx": (".onnx",),
    "skops": (".skops",),
}  # fmt: skip
"""How files of each format are called; the first is what a name gets that has none of them."""


def target_of(source: Path, target: Path | None, to: str = "safetensors") -> Path:
    """Where the copy goes: beside the source, into a folder under the source's name, or exactly there."""
    known = SUFFIXES[to]
    stem = source.name.removesuffix(".index.json")
    stem = Path(stem).stem if "." in stem.lstrip(".") else stem
    if target is None:
        return source.with_name(stem + known[0])
    if target.is_dir():
        return target / (stem + known[0])
    return target if target.suffix in known else target.with_name(target.name + known[0])


def convert(source: Path, target: Path | None, wish: Wish, told: Told = silent) -> Receipt | Problem:
    """Writes a file's tensors anew and compares every one; the source stays as it is and is not loaded.

    `told` is told how many bytes of how many are done. A Problem where anything is in the way; nothing is left then.
    """
    place = target_of(source, target, wish.to)
    if not place.absolute().parent.is_dir():
        hint = "make it first, or name another target"
        return Problem(shown(str(place.parent)), "no-folder", "there is no such folder", hint)
    if wish.to == "onnx":
        from modelyard.convert import onnx_files  # late: few need it

        return onnx_files.convert(os.fspath(source), os.fspath(place), Disk())
    if wish.to == "skops":
        from modelyard.convert import skops_edge

        return skops_edge.convert(os.fspath(source), os.fspath(place), Disk(), told)
    return _convert(os.fspath(source), os.fspath(place), wish, Disk(), told)


def why_not_replaced(source: Path) -> str:
    """Why an original cannot be put away, before anything is done; empty when it can."""
    if source.name.endswith(".index.json"):
        return SEVERAL
    return NOT_PLAIN if source.is_symlink() or (source.is_file() and source.stat().st_nlink > 1) else ""


def replace(receipt: Receipt, yard: Yard, home: Path) -> Made:
    """Puts the original of a proven copy into the trash, as a plan of one step that `undo` takes back.

    Refused, with the reason in what it gives, when the original is not what was converted any more, or somebody has it
    open.
    """
    path, now = bytes(receipt.original), rfc3339(time.time_ns())
    origin = Origin(machine.node(), os.getuid(), as_root(str(home)), [as_root(os.path.dirname(path))], now)
    recovery, proof, words = _evidence(receipt)
    step = Step("remove", receipt.original, receipt.mark, shown(path), recovery, f"{proof}: {words}", receipt.bytes)
    return yard.apply(Plan(TITLE, now, origin, [step], [], receipt.bytes, True, proof, []).sealed())


def _evidence(receipt: Receipt) -> tuple[str, str, str]:
    """How the original would come back, the class of the proof, and what the copy holds of it and what it does not."""
    copies = f"{', '.join(each.path for each in receipt.written)}, sha256 {receipt.sha256}"
    if receipt.agreement is not None:
        return "none", UNPROVEN, f"within {receipt.agreement.largest:.3g} in {copies}: it does not come back"
    if not receipt.left_out:
        return "duplicate", "duplicate", f"equal in {copies}"
    told = [f"{shown(each.name) or 'the file'} ({shown(each.why)})" for each in receipt.left_out]
    more = f" and {len(told) - TOLD:,} more" if len(told) > TOLD else ""
    return "none", SLIMMED, f"left out were {', '.join(told[:TOLD])}{more}; the rest is equal in {copies}"
