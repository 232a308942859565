"""Exported programs of torch, `.pt2`: what loading one evaluates, looks up and unpickles.

`torch._export.serde.serialize` hands every `expr_str` to `sympy.sympify`, which evaluates it as Python, and looks up
the target of a node by its dotted name below `torch`, `operator` and `math`; `torch/export/pt2_archive/_package.py`
unpickles weights that say `use_pickle` and constants that are objects.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from modelyard.formats.file import File
from modelyard.formats.json_text import decode
from modelyard.formats.zips import Member, directory, opened
from modelyard.safety.finding import Finding
from modelyard.safety.values import clipped

GRAPH = re.compile(r"(^|/)(models/[^/]*\.json|serialized_exported_program\.json)$")
CONFIG = re.compile(r"(^|/)data/(weights|constants)/[^/]*_config\.json$")
LARGEST = 12 << 20
MOST_VALUES = 600_000
NATIVE = (".so", ".dll", ".dylib", ".cubin", ".hsaco", ".spv")
OPERATORS = ("torch.ops.aten.", "torch.ops.prims.", "torch.ops.higher_order.", "torch.ops.quantized_decomposed.")
FILES = ("torch.ops.aten.from_file",)
"""Operators that open files."""
SYMBOLS = re.compile(r"(_operator|math)\.[a-z_]{1,20}|torch\.sym_[a-z_]{1,20}|torch\._sym_sqrt")
CALLERS = frozenset(("_operator.attrgetter", "_operator.methodcaller", "_operator.itemgetter", "_operator.call"))
ARITHMETIC = (
    ast.Expression, ast.Call, ast.Name, ast.Load, ast.Constant, ast.keyword, ast.BinOp, ast.UnaryOp, ast.Compare,
    ast.operator, ast.unaryop, ast.cmpop, ast.Tuple,
)  # fmt: skip
FUNCTIONS = frozenset((
    "Symbol", "Integer", "Rational", "Float", "Add", "Mul", "Pow", "Mod", "Max", "Min", "Abs", "floor", "ceiling", "Eq",
    "Ne", "Lt", "Le", "Gt", "Ge", "Equality", "Unequality", "StrictLessThan", "LessThan", "StrictGreaterThan",
    "GreaterThan", "And", "Or", "Not", "Piecewise", "ExprCondPair", "FloorDiv", "ModularIndexing", "Where",
    "PythonMod", "CleanDiv", "CeilDiv", "CeilToInt", "FloorToInt", "TruncToInt", "TruncToFloat", "RoundToInt",
    "RoundDecimal", "ToFloat", "IntTrueDiv", "FloatTrueDiv", "IntPow", "PowByNatural", "FloatPow", "Identity", "Mean",
    "LShift", "RShift", "IsNonOverlappingAndDenseIndicator", "BitwiseFn_bitwise_and", "BitwiseFn_bitwise_or",
    "OpaqueUnaryFn_sqrt", "OpaqueUnaryFn_cos", "OpaqueUnaryFn_sin", "OpaqueUnaryFn_exp", "OpaqueUnaryFn_log",
    "OpaqueUnaryFn_log2", "sqrt", "exp", "log",
))  # fmt: skip
"""What sympy writes in expressions over sizes, and what torch adds to it."""
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")


def is_exported(names: tuple[str, ...]) -> bool:
    """Whether the members of an archive are those of an exported program."""
    return any(GRAPH.search(each) for each in names)


def scan_exported(file: File, member: str) -> list[Finding]:
    """What loading an exported program would run. BrokenError where its graph cannot be read."""
    findings: dict[Finding, None] = {}
    for each in directory(file).members:
        place = f"{member}!{each.name}" if member else each.name
        if each.name.endswith(NATIVE):
            findings[Finding("remote-code", "suspicious", "compiled code that runs when it is loaded", place)] = None
        elif GRAPH.search(each.name):
            findings |= dict.fromkeys(_graph(_json(file, each), place))
        elif CONFIG.search(each.name):
            findings |= dict.fromkeys(_config(_json(file, each), place))
    return list(findings)


def _json(file: File, member: Member) -> object:
    return decode(opened(file, member).whole(LARGEST), Any, MOST_VALUES)


def _nodes(whole: object) -> Iterator[dict[str, Any]]:
    waiting = [whole]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _graph(whole: object, place: str) -> Iterator[Finding]:
    for node in _nodes(whole):
        expression, target = node.get("expr_str"), node.get("target")
        if isinstance(expression, str) and not is_arithmetic(expression):
            what = f"evaluates the text {clipped(expression, 120)!r}"
            yield Finding("dangerous-call", "dangerous", what, place)
        if isinstance(target, str) and "inputs" in node:
            yield from _target(target, place)


def _target(target: str, place: str) -> Iterator[Finding]:
    if target.startswith(FILES):
        yield Finding("dangerous-name", "dangerous", f"{target}: opens a file", place)
    elif not target.startswith(OPERATORS) and (target in CALLERS or not SYMBOLS.fullmatch(target)):
        yield Finding("unvetted-name", "suspicious", clipped(target, 120), place)


def _config(whole: object, place: str) -> Iterator[Finding]:
    for node in _nodes(whole):
        path = node.get("path_name")
        if isinstance(path, str) and (node.get("use_pickle") is True or not path.startswith(("weight_", "tensor_"))):
            yield Finding("needs-pickle", "suspicious", f"{clipped(path, 80)} is unpickled without weights_only", place)


def is_arithmetic(expression: str) -> bool:
    """Whether a text is numbers, symbols and functions of them, and nothing that evaluating could run."""
    try:
        nodes = list(ast.walk(ast.parse(expression[:10_000], mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    if len(expression) > 10_000 or not all(isinstance(each, ARITHMETIC) for each in nodes):
        return False
    texts = [each.value for each in nodes if isinstance(each, ast.Constant) and isinstance(each.value, str | bytes)]
    calls = [each.func for each in nodes if isinstance(each, ast.Call)]
    names = {each.id for each in nodes if isinstance(each, ast.Name)} - FUNCTIONS
    return (
        all(isinstance(each, str) and NAME.fullmatch(each) for each in texts)
        and all(isinstance(each, ast.Name) and each.id in FUNCTIONS for each in calls)
        and all(re.fullmatch(r"_?[a-z]{1,12}[0-9]{0,9}|True|False|true|false|oo|int_oo", each) for each in names)
    )
