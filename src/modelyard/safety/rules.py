"""The rules for arguments: with what a vetted name may be called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from modelyard.safety.policy import Rule, Vetted, lookup
from modelyard.safety.values import (
    WALKED,
    Grouped,
    Long,
    Made,
    Mapped,
    Reference,
    Unknown,
    Value,
    all_plain,
    items_of,
    shown_value,
)

BASES = {"object", "dict", "list", "tuple", "set", "frozenset", "int", "float", "complex", "str", "bytes", "bytearray"}
DATA = ("array", "number", "type", "value", "enum", "encoder", "random", "compiled class", "unpickler", "maker",
        "table", "tensor", "rebuild", "ufunc", "container", "exception")  # fmt: skip
TABLES = ("pandas.core.arrays", "pandas.core.indexes", "pandas.core.dtypes", "pandas.arrays", "pandas.tseries",
          "pandas.core.internals", "scipy.sparse", "numpy.")  # fmt: skip
"""Where the classes of tables lie: columns, indexes and their types."""
LARGEST = 1 << 24
"""How many items a number alone may ask for."""


class Court(Protocol):
    """Whom a rule asks about what lies inside the arguments."""

    def call_inside(self, callee: Reference, arguments: Value) -> str:
        """What is wrong with a call that a vetted function makes; empty for nothing."""

    def pickle_inside(self, data: Value) -> str:
        """Notes bytes that are loaded in their turn."""


def objection(rule: Rule, made: Made, court: Court) -> str:
    """What is wrong with the arguments of a call; empty for nothing."""
    if rule == "any":
        return ""
    if rule == "never":
        return "it is not to be called"
    if isinstance(made.arguments, Unknown | Made):
        return "its arguments are not known"
    arguments = made.arguments if isinstance(made.arguments, tuple) else (made.arguments,)
    if made.named is not None and not (isinstance(made.named, Mapped) and not made.named.pairs):
        return "" if rule == "plain values" and _is_tame(made.named) else "it is given named arguments"
    return RULES[rule](arguments, court)


def _vetted(value: Value) -> Vetted | None:
    known = lookup(value.module, value.name) if isinstance(value, Reference) else None
    return known if isinstance(known, Vetted) else None


def _is_class(value: Value) -> bool:
    """Whether a value is a vetted class."""
    known = _vetted(value)
    return known is not None and bool(known.uses & {"new", "state", "enum"})


def _is_judged(value: Value) -> bool:
    """Whether a value is a name that is not vetted: it was found when it was looked up, and need not be again."""
    return isinstance(value, Reference) and _vetted(value) is None


def _nothing(arguments: tuple[Value, ...], court: Court) -> str:
    return "it is given arguments" if arguments else ""


def _one_plain(arguments: tuple[Value, ...], court: Court) -> str:
    return "" if len(arguments) == 1 and all_plain(arguments[0]) else "it is not given one plain value"


def _is_tame(value: Value) -> bool:
    """Plain data, vetted types as values, and made data: a time zone in a date, a type in a dtype, an array in a tree.

    Objects of other classes are not: to be counted through, compared or written out they run methods of their own,
    over attributes of the file.
    """
    waiting, seen = [value], 0
    while waiting and seen < WALKED:
        each = waiting.pop()
        seen += 1
        if isinstance(each, Made):
            if not _is_data(each):
                return False
        elif isinstance(each, Reference):
            known = _vetted(each)
            if known is None or not known.uses & {"name", "state"}:
                return False
        elif isinstance(each, Unknown):
            return False
        else:
            waiting += items_of(each)
    return not waiting


def _is_data(made: Made) -> bool:
    """Whether what a call gives is numbers, texts, dates or tables; its own arguments were judged when it was made."""
    known = _vetted(made.made_by)
    if known is None:
        return False
    if isinstance(made.arguments, tuple) and known.kind == "array" and len(made.arguments) == 2:
        return not isinstance(made.arguments[1], Made) or _is_data(made.arguments[1])  # numpy hands objects through
    homes = made.made_by is not None and made.made_by.module.startswith(TABLES)
    return known.kind in DATA or (known.kind == "class" and homes)


def _plain_values(arguments: tuple[Value, ...], court: Court) -> str:
    return "" if all(_is_tame(each) for each in arguments) else "it is given more than plain values"


def _plain_and_short(arguments: tuple[Value, ...], court: Court) -> str:
    if not all(_is_tame(each) for each in arguments):
        return "it is given more than plain values"
    large = any(isinstance(each, int) and not isinstance(each, bool) and each > LARGEST for each in arguments)
    return "it would take the memory away" if len(arguments) == 1 and large else ""


def _containers(arguments: tuple[Value, ...], court: Court) -> str:
    """What is handed over is counted through: only plain containers, whose counting runs nothing."""
    kinds = (tuple, list, Mapped, Grouped, str, bytes, int, Long)
    fine = all(each is None or isinstance(each, kinds) for each in arguments)
    return "" if fine else "it would count through an object"


def _factory(arguments: tuple[Value, ...], court: Court) -> str:
    if not arguments or arguments[0] is None:
        return ""
    factory = arguments[0]
    known = _vetted(factory)
    harmless = known is not None and "call" in known.uses and not known.guarded
    return "" if harmless or _is_class(factory) else f"its factory is {shown_value(factory)}"


def _reconstructor(arguments: tuple[Value, ...], court: Court) -> str:
    if len(arguments) != 3 or not isinstance(arguments[0], Reference) or not isinstance(arguments[1], Reference):
        return "it is not given a class, its base and a value"
    cls, base, value = arguments
    known = _vetted(cls)
    if known is not None and "new" not in known.uses and "state" not in known.uses:
        return f"{shown_value(cls)} is no vetted class"
    return "" if _is_base(base) and not isinstance(value, Reference | Made) else "its base is odd"


def _is_base(value: Value) -> bool:
    return isinstance(value, Reference) and value.module == "builtins" and value.name in BASES


def _new_object(arguments: tuple[Value, ...], court: Court) -> str:
    known = _vetted(arguments[0]) if arguments else None
    fine = known is not None and "new" in known.uses
    return "" if fine or (arguments and _is_judged(arguments[0])) else "it makes what is not vetted"


def _latin(arguments: tuple[Value, ...], court: Court) -> str:
    if len(arguments) == 2 and isinstance(arguments[0], str | Long) and arguments[1] in ("latin1", "latin-1"):
        return ""
    return "any encoding but latin1 can spell what is not in the file"


def _array(arguments: tuple[Value, ...], court: Court) -> str:
    known = _vetted(arguments[0]) if arguments else None
    if known is None or known.framework not in ("numpy", "pandas", "scikit-learn"):
        return "it makes what is no vetted array"
    return _plain_values(arguments[1:], court)


def _masked_array(arguments: tuple[Value, ...], court: Court) -> str:
    if len(arguments) < 2 or not all(_vetted(each) for each in arguments[:2]):
        return "it makes what is no vetted array"
    return _plain_values(arguments[2:], court)


def _random(arguments: tuple[Value, ...], court: Court) -> str:
    """A generator by its name, its class, or as it is: a class is made, so that it must be numpy's own."""
    for each in arguments:
        cls = each.made_by if isinstance(each, Made) else each
        own = isinstance(cls, Reference) and cls.module.startswith("numpy.random.") and _vetted(cls) is not None
        if not own and not all_plain(each):
            return "it makes what is no generator of numpy"
    return ""


def _class_first(arguments: tuple[Value, ...], court: Court) -> str:
    if not arguments or not (_is_class(arguments[0]) or _is_judged(arguments[0])):
        return "it makes what is not vetted"
    return _plain_values(arguments[1:], court)


def _rebuild(arguments: tuple[Value, ...], court: Court) -> str:
    if len(arguments) != 4 or not isinstance(arguments[0], Reference) or not isinstance(arguments[1], Reference):
        return "it is not given a function, a class, arguments and a state"
    function, cls, inner = arguments[0], arguments[1], arguments[2]
    if not _is_class(cls) and not _is_judged(cls):
        return f"{shown_value(cls)} is no vetted class"
    if not function.name.startswith("_rebuild"):
        return f"{shown_value(function)} does not rebuild tensors"
    return court.call_inside(function, inner)


def _pickle_inside(arguments: tuple[Value, ...], court: Court) -> str:
    return court.pickle_inside(arguments[0]) if len(arguments) == 1 else "it is not given bytes"


def is_own_attribute(made: Made) -> bool:
    """Whether getattr asks a class or an object of no dangerous kind for a name: how bound methods are written."""
    if not isinstance(made.arguments, tuple) or len(made.arguments) != 2:
        return False
    owner, name = made.arguments
    cls = owner.made_by if isinstance(owner, Made) else owner
    known = lookup(cls.module, cls.name) if isinstance(cls, Reference) else None
    harmless = isinstance(cls, Reference) and (known is None or _is_class(cls)) and cls.module != "builtins"
    return harmless and isinstance(name, str) and name.isidentifier() and not name.startswith("__")


def _enum_member(arguments: tuple[Value, ...], court: Court) -> str:
    """How Python 3.11 writes the members of enums."""
    if len(arguments) != 2 or not isinstance(arguments[1], str):
        return "it is not given an enum and a name"
    known = _vetted(arguments[0])
    name = arguments[1]
    plain = name.isidentifier() and not name.startswith("_") and name == name.upper()
    return "" if known is not None and "enum" in known.uses and plain else "it reaches attributes by name"


RULES: dict[Rule, Callable[[tuple[Value, ...], Court], str]] = {
    "nothing": _nothing,
    "one plain": _one_plain,
    "plain values": _plain_values,
    "plain and short": _plain_and_short,
    "containers": _containers,
    "factory": _factory,
    "reconstructor": _reconstructor,
    "new object": _new_object,
    "latin-1": _latin,
    "array": _array,
    "masked array": _masked_array,
    "random generator": _random,
    "vetted class first": _class_first,
    "rebuild by name": _rebuild,
    "pickle inside": _pickle_inside,
    "member of an enum": _enum_member,
}
