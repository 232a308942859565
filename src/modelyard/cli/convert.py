"""`modelyard convert`: a safe copy of a model file, with nothing in it that could run, proven equal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelyard.cli import as_json, documents
from modelyard.cli.errors import ERROR, OK, PARTLY, REFUSED, HelpfulError
from modelyard.cli.looking import ProgressLine, place
from modelyard.cli.options import Request, with_place
from modelyard.cli.output import console, line
from modelyard.problem import Problem
from modelyard.units import parse_size, size
from modelyard.walk.text import shown

if TYPE_CHECKING:
    from modelyard.api import reclaim
    from modelyard.api.converting import Receipt, Wish
    from modelyard.convert.deciding import Told

FORMATS = ["safetensors", "torch", "onnx", "skops"]
DTYPES = {"bf16": "BF16", "fp16": "F16"}
"""What can be rounded to, as people type it, and as headers call it."""
SHOWN = 12
"""Things that were left out which are listed on the screen."""


@click.command("convert")
@click.argument("source", metavar="SRC", type=click.Path(path_type=Path))
@click.argument("target", metavar="[DST]", required=False, type=click.Path(path_type=Path))
@click.option("--to", type=click.Choice(FORMATS), default="safetensors", help="The format of the copy.")
@click.option("--part", default="", metavar="NAME", help="Take this part of a checkpoint: `state_dict`; `.` for all.")
@click.option("--strip", default="", metavar="PREFIX", help="Take this away from the beginning of names: `module.`")
@click.option("--max-shard-size", metavar="SIZE", help="Several files of at most this size each, and an index.")
@click.option("--dtype", type=click.Choice(list(DTYPES)), help="Round floats to 16 bits; integers stay.")
@click.option("--allow-lossy", is_flag=True, help="Let --dtype lose bits.")
@click.option("--copy-tied", is_flag=True, help="Write tied tensors once under each of their names.")
@click.option("--replace", is_flag=True, help="Put the original into the trash once the copy is proven.")
@with_place
def command(
    request: Request,
    source: Path,
    target: Path | None,
    to: str,
    part: str,
    strip: str,
    max_shard_size: str | None,
    dtype: str | None,
    allow_lossy: bool,
    copy_tied: bool,
    replace: bool,
) -> int:
    """A safe copy of a model file, proven equal to it before it gets its name.

    --to safetensors, --to torch: the tensors, as safetensors or as a state dict that torch.load(weights_only=True)
    reads. The source is never loaded: bytes go from file to file and are compared. What is not in the copy (optimizers,
    objects, code) is listed. SRC: what torch.save wrote, today's or before 1.6, and TorchScript; safetensors; an index
    of several files; numpy, pickle and joblib; HDF5 and Keras; Flax; GGUF. What is packed, quantised or sparse is
    refused.

    --to skops: a scikit-learn model from pickle or joblib, whose code is never run.

    --to onnx: from a .pt2 of torch.export or a .skops file. It is scanned first, then loaded in a process of its own;
    the copy is compared with it on generated inputs.

    DST: a file or a folder; beside SRC without it.
    """
    from modelyard.api import converting  # late: it knows every format

    wish = _wish(to, dtype, part, strip, max_shard_size, copy_tied)
    if dtype and not allow_lossy:
        raise HelpfulError(f"rounding to {dtype} loses bits for good", "--allow-lossy lets it", REFUSED)
    if allow_lossy and not dtype:
        raise click.UsageError("--allow-lossy is about --dtype: nothing else here loses anything")
    if replace and (why := converting.why_not_replaced(source)):
        raise HelpfulError(f"{shown(str(source))}: {why}", "leave --replace away", REFUSED)
    with ExitStack() as held:  # whoever cannot have the trash hears it before the work
        yard = held.enter_context(_yard(request)) if replace else None
        with _progress(request) as told:
            found = converting.convert(source, target, wish, told)
        if isinstance(found, Problem):
            code = REFUSED if found.code in ("exists", "dangerous") else ERROR
            raise HelpfulError(f"{found.path}: {found.message}", found.hint or "`modelyard inspect` tells more", code)
        made = converting.replace(found, yard, place(request)[1]) if yard else None
    if request.json:
        as_json.emit(document(found, made))
    else:
        _print(found, made)
    return PARTLY if made and not made.done else OK


def _wish(to: str, dtype: str | None, part: str, strip: str, max_shard_size: str | None, copy_tied: bool) -> Wish:
    """What is wanted, where the options go together."""
    from modelyard.api.converting import Wish  # late, as above

    given = {"--part": part, "--strip": strip, "--dtype": dtype, "--copy-tied": copy_tied}
    if to in ("onnx", "skops") and (odd := next((name for name, each in given.items() if each), None)):
        raise click.UsageError(f"{odd} is about tensors: --to safetensors or --to torch")
    if max_shard_size is not None and to != "safetensors":
        raise click.UsageError("--max-shard-size makes several files of safetensors and of nothing else")
    return Wish(to, DTYPES.get(dtype or "", ""), part, strip, _bytes(max_shard_size), copy_tied)


def _yard(request: Request) -> AbstractContextManager[reclaim.Yard]:
    """The trash, for us alone."""
    from modelyard.cli.yards import opened  # late: it knows every verb that changes something

    return opened(request)


def _bytes(text: str | None) -> int:
    if text is None:
        return 0
    try:
        found = parse_size(text)
    except ValueError as error:
        raise click.UsageError(f"--max-shard-size: {error}") from error
    if not found:
        raise click.UsageError("--max-shard-size: a file has to hold something")
    return found


@contextmanager
def _progress(request: Request) -> Iterator[Told]:
    """One line on a terminal: how much is written and compared."""
    if not request.progress or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    drawn = ProgressLine()
    try:
        yield lambda done, total: drawn.draw(f"{done / max(total, 1):>5.0%}  of {size(total)} written and compared")
    finally:
        drawn.clear()


def document(found: Receipt, made: reclaim.Receipt | None) -> documents.Converted:
    """A receipt as JSON."""
    return documents.Converted(
        found.source,
        found.format,
        found.bytes,
        found.sha256,
        [documents.WrittenLine(each.path, each.bytes, each.sha256, each.tensors) for each in found.written],
        found.index,
        found.tensors,
        found.tensor_bytes,
        dict(found.tied),
        dict(found.metadata),
        [documents.LeftOutLine(each.name, each.why) for each in found.left_out],
        list(found.notes),
        found.at,
        made.journal if made and made.done else None,
        [documents.WrittenLine(each.path, each.bytes, each.sha256, each.tensors) for each in found.others],
        _agreement(found),
    )


def _agreement(found: Receipt) -> documents.AgreementLine | None:
    told = found.agreement
    if told is None:
        return None
    return documents.AgreementLine(
        told.how, told.compared, told.tolerance, told.largest, told.overflowed, list(told.seeds), list(told.sizes)
    )


def _proven(found: Receipt) -> list[str]:
    """What was compared, in words."""
    told = found.agreement
    if told is None:
        return [f"proven: {found.tensors:,} tensors, {size(found.tensor_bytes)}, equal byte for byte"]
    lines = [f"proven: {told.compared:,} numbers, the largest difference is {told.largest:.3g}"]
    lines.append(f"  {told.how}; allowed: {told.tolerance}")
    if told.seeds:
        samples = ", ".join(map(str, told.sizes))
        lines.append(f"  seeds {', '.join(map(str, told.seeds))}; inputs of {samples} samples")
    if told.overflowed:
        lines.append(f"  too large for it, so that they became infinite: {told.overflowed:,}")
    return lines


def _print(found: Receipt, made: reclaim.Receipt | None) -> None:
    out = console()
    for each in found.written:
        line(out, each.path)
    if found.index:
        line(out, found.index)
    first, *more = _proven(found)
    line(out, first, "bold")
    for words in more:
        line(out, words)
    line(out, f"sha256 {found.sha256}  {found.source}")
    for each in (*found.others, *found.written):
        line(out, f"sha256 {each.sha256}  {each.path}")
    if found.tied:
        line(out, f"tied, written once: {', '.join(f'{name} = {kept}' for name, kept in list(found.tied.items())[:4])}")
    for note in found.notes:
        line(out, f"note: {shown(note)}")
    if found.left_out:
        line(out, f"left out: {len(found.left_out):,}", "bold")
    for left in found.left_out[:SHOWN]:
        line(out, f"  {shown(left.name) or 'the file'}: {shown(left.why)}")
    if len(found.left_out) > SHOWN:
        line(out, f"  and {len(found.left_out) - SHOWN:,} more: --json lists them")
    if made and made.done:
        line(out, f"the original is in the trash: `modelyard undo {made.journal}` brings it back")
    for path, why in (*made.skipped, *made.failed) if made else ():
        line(out, f"the original stays, {path}: {why}")
