"""The process that loads a file with its own framework, writes it as ONNX and proves it, away from everything else.

`python -P -m modelyard.convert.onnx_child FORMAT SOURCE TARGET`; one JSON document on stdout says what came of it.
"""

from __future__ import annotations

import sys

import msgspec

from modelyard.convert.weights import Agreement
from modelyard.formats.file import BrokenError


class Answer(msgspec.Struct):
    """What came of it: the agreement, or why there is none."""

    agreement: Agreement | None = None
    code: str = ""
    message: str = ""


def main(arguments: list[str]) -> None:
    """Answers on stdout; what frameworks print there goes to stderr."""
    out, sys.stdout = sys.stdout, sys.stderr
    kind, source, target = arguments
    try:
        found = Answer(_torch(source, target) if kind == "torch" else _skops(source, target))
    except BrokenError as error:
        found = Answer(None, error.code, str(error))
    out.write(msgspec.json.encode(found).decode())
    out.flush()


def _torch(source: str, target: str) -> Agreement:
    from modelyard.convert.onnx_torch import exported, program_in

    return exported(program_in(source), target, None)


def _skops(source: str, target: str) -> Agreement:
    from modelyard.convert.onnx_sklearn import exported
    from modelyard.convert.skops_loading import loaded

    return exported(loaded(source), target, None, None)


if __name__ == "__main__":
    main(sys.argv[1:])
