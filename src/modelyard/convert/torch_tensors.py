"""The tensors of one part of a torch pickle under the names that `state_dict` gives them; nothing is built.

The functions that rebuild tensors: torch's `_utils.py`; modules: `Module.state_dict` in `nn/modules/module.py`.
"""

from __future__ import annotations

from msgspec.structs import replace

from modelyard.convert.torch_parts import is_optimizer, last_pairs
from modelyard.convert.weights import MOST_TENSORS, LeftOut
from modelyard.formats.file import BrokenError
from modelyard.formats.header import Tensor
from modelyard.formats.pickles import Listed, Made, Mapping, Reference, Value
from modelyard.formats.torch_values import REBUILD, Tensors
from modelyard.formats.value_walk import INSIDE, LONGEST_NAME, arrays, pairs_of

MOST_VISITS = 1_000_000
DEEPEST = 100
PLAIN_TYPES = frozenset((
    "torch.Tensor", "torch._tensor.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer",
))  # fmt: skip
STORED = ("tensor", "tensor_v2", "tensor_v3")
REFUSED = {
    "qtensor": "is quantised: scales and zero points are not written; dequantise it in torch first",
    "sparse_tensor": "is sparse: dense tensors alone are written; `.to_dense()` in torch first",
    "sparse_csr_tensor": "is sparse: dense tensors alone are written; `.to_dense()` in torch first",
    "nested_tensor": "is a nested tensor, which is not written",
    "meta_tensor_no_storage": "is on the meta device: it has a shape and no elements",
}
"""Ways of rebuilding whose tensors are not converted, and why."""
CONTAINERS = ("collections.OrderedDict", "collections.defaultdict", "torch.nn.modules.container.ParameterDict")


class Walk:
    """Goes through one part of a pickle and collects tensors, and what is none."""

    def __init__(self, describe: Tensors) -> None:
        self.describe = describe
        self.tensors: list[Tensor] = []
        self.left_out: list[LeftOut] = []
        self._beside: list[tuple[str, Tensor]] = []
        """Tensors that have no name, or none in a `state_dict`, and where they hang."""
        self._visits = 0

    def unnamed(self) -> list[LeftOut]:
        """What was passed over because nothing names it; views of what was taken are not lost."""
        taken = {each.storage for each in self.tensors if each.storage}
        lost: dict[str, list[Tensor]] = {}
        for name, each in self._beside:
            if not each.storage or each.storage not in taken:
                lost.setdefault(name, []).append(each)
        sizes = {name: sum(each.bytes for each in found) for name, found in lost.items()}
        return [
            LeftOut(name or "?", f"tensors that no text names: {len(found):,} of {sizes[name]:,} bytes")
            for name, found in lost.items()
        ]

    def visit(self, name: str, value: Value, depth: int = 0) -> None:
        """Takes what lies below a value. BrokenError for a tensor that cannot be converted, and for cycles."""
        self._visits += 1
        if depth > DEEPEST or self._visits > MOST_VISITS:
            raise BrokenError("holds itself, or more values than are followed", "too-deep")
        if isinstance(value, Made):
            self._made(name, value, depth)
        elif name and isinstance(value, Mapping) and is_optimizer(value):
            count = len(arrays(value, self.describe))
            self.left_out.append(LeftOut(name, f"the state of an optimizer, {count:,} tensors"))
        elif isinstance(value, Mapping):
            self._pairs(name, value, depth)
        elif isinstance(value, Listed | tuple):
            for at, each in enumerate(value.items if isinstance(value, Listed) else value):
                self.visit(_joined(name, str(at)), each, depth + 1)

    def _pairs(self, name: str, value: Value, depth: int) -> None:
        for key, each in last_pairs(value).items():
            self.visit(_joined(name, key), each, depth + 1)
        for odd, each in pairs_of(value):
            if not isinstance(odd, str | int | float | bool):
                self._beside += [(name, found) for found in arrays(each, self.describe)]

    def _made(self, name: str, made: Made, depth: int) -> None:
        if _rebuilds(made):
            self._tensor(name, made)
            return
        state = made.state
        if isinstance(state, Mapping) and isinstance(state.get("_modules"), Mapping | Made):
            self._module(name, state, depth)
            return
        before = len(self.tensors)
        if made.pairs:
            self._pairs(name, made, depth)
        for at, each in enumerate(made.items):
            self.visit(_joined(name, str(at)), each, depth + 1)
        if not (made.what in CONTAINERS or made.what.endswith("NumpyArrayWrapper")):
            self.visit(name, state, depth + 1)
            self.visit(name, made.args, depth + 1)
            if len(self.tensors) == before and not made.what.startswith(("torch.", "collections.")):
                self.left_out.append(LeftOut(name, f"an object of {made.what[:80]}"))

    def _module(self, name: str, state: Mapping, depth: int) -> None:
        """What `state_dict` has of a module: parameters, buffers that persist, and the same of modules inside."""
        passing = _texts(state.get("_non_persistent_buffers_set"))
        for kind in ("_parameters", "_buffers"):
            for key, each in last_pairs(state.get(kind)).items():
                if kind == "_buffers" and key in passing:
                    self.left_out.append(LeftOut(_joined(name, key), "a buffer that does not persist"))
                else:
                    self.visit(_joined(name, key), each, depth + 1)
        for key, each in last_pairs(state.get("_modules")).items():
            self.visit(_joined(name, key), each, depth + 1)
        for key, each in last_pairs(state).items():
            if isinstance(each, Made) and _rebuilds(each):
                self.left_out.append(LeftOut(_joined(name, key), "a tensor that is no parameter and no buffer"))
            elif key not in INSIDE:
                self._beside += [(_joined(name, key), found) for found in arrays(each, self.describe)]

    def _tensor(self, name: str, made: Made) -> None:
        if len(name) >= LONGEST_NAME:
            raise BrokenError(f"has a name of more than {LONGEST_NAME} letters: {name[:80]!r}", "too-large")
        if len(self.tensors) >= MOST_TENSORS:
            raise BrokenError(f"has more than {MOST_TENSORS:,} tensors", "too-large")
        _check(name, made)
        found = self.describe(made, name)
        if not found:
            raise BrokenError(f"has a tensor {name[:80]!r} that {made.what[:60]} makes, which is not known", "odd")
        self.tensors += [replace(each, name=name) for each in found]


def _rebuilds(made: Made) -> bool:
    return made.what.startswith((REBUILD, "torch._tensor._rebuild_")) or made.what == "torch.nn.parameter.Parameter"


def _check(name: str, made: Made) -> None:
    """BrokenError for a tensor that is more than elements in a shape."""
    args = made.args if isinstance(made.args, tuple) else ()
    if made.state is not None or made.items or made.pairs:
        raise BrokenError(f"has a tensor {name[:80]!r} that the pickle changes after it was made", "odd")
    if made.what == "torch._tensor._rebuild_from_type_v2":
        func, kind, inner = (*args, None, None, None)[:3]
        if not isinstance(kind, Reference) or kind.name not in PLAIN_TYPES or not isinstance(func, Reference):
            what = kind.name if isinstance(kind, Reference) else "?"
            raise BrokenError(f"has a tensor {name[:80]!r} of the type {what[:80]}, a kind of its own", "odd")
        _check(name, Made(func.name, inner))
        return
    how = made.what.removeprefix(REBUILD)
    if (how.startswith("parameter") or made.what == "torch.nn.parameter.Parameter") and args:
        if isinstance(args[0], Made):
            _check(name, args[0])
            return
    elif how in STORED:
        extra = args[{"tensor_v2": 6, "tensor_v3": 7}.get(how, len(args)) :]
        if any(isinstance(each, Mapping) and each.pairs for each in extra):
            raise BrokenError(f"has a tensor {name[:80]!r} that is conjugated or negated on reading", "odd")
        return
    why = REFUSED.get(how, f"is rebuilt by {made.what[:60]}, which is not known")
    raise BrokenError(f"has a tensor {name[:80]!r} that {why}", "unsupported")


def _texts(value: Value) -> frozenset[str]:
    """The texts in a set, which protocol 2 writes as a call with a list."""
    if isinstance(value, Made) and value.what.endswith(".set") and isinstance(value.args, tuple) and value.args:
        value = value.args[0]
    items = value.items if isinstance(value, Listed) else ()
    return frozenset(each for each in items if isinstance(each, str))


def _joined(name: str, key: str) -> str:
    return f"{name}.{key}" if name and key else name or key
