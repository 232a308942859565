"""Objects of a pickle that skops writes in a way of their own: trees, losses, random numbers, masked and sparse arrays.

Nodes: skops' `_sklearn.py`, `_numpy.py` and `_scipy.py`; what the pickles hold: `__reduce__` of each class.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from modelyard.convert.skops_arrays import Array, descr_of, is_objects
from modelyard.convert.skops_tree import Node, Schema, class_of, refused, vetted
from modelyard.convert.stored_zip import Member, frame, placed, size_of
from modelyard.formats.numpy_values import shape_of
from modelyard.formats.pickles import Blob, Listed, Made, Mapping, Reference, Value

TREE = "sklearn.tree._tree.Tree"
LOSSES = ("sklearn._loss._loss.Cy", "sklearn.linear_model._sgd_fast.")
SPARSE = "scipy.sparse."
COMPRESSED = ("csr", "csc", "bsr")
SEEDS = "numpy.random.bit_generator.__pyx_unpickle_SeedSequence"
SEED_FIELDS = 5
"""What cython keeps of a SeedSequence, in the order of the alphabet: entropy, children, pool, its size, spawn key."""


def special(schema: Schema, made: Made, name: str) -> Node | None:
    """The node of an object that has a way of its own; None for any other object."""
    if (write := WAYS.get(made.what)) is not None:
        return write(schema, made, name)
    if made.what.startswith("sklearn._loss._loss.__pyx_unpickle_Cy"):
        return _unpickled_loss(schema, made, name)
    if made.what.startswith(LOSSES) and not made.new and made.state is None:
        return _loss(schema, made.what, made.args, Mapping(), name)
    if made.what.startswith(SPARSE) and made.new:
        return _sparse(schema, made, name)
    return None


def _args(made: Made) -> tuple[Value, ...]:
    return made.args if isinstance(made.args, tuple) else ()


def _dtype(schema: Schema, made: Made, name: str) -> Node:
    empty = Array(descr_of(made)[0], (0,), False, 0, 0, b"")
    return {
        **class_of("numpy.dtype", "DTypeNode"),
        "content": schema.numbered(schema.array(Made("dtype"), empty, name)),
    }


def _defaults(schema: Schema, made: Made, name: str) -> Node:
    main = schema.numbered(schema.pairs("builtins.dict", made.pairs, name))
    factory = schema.node(_args(made)[0] if _args(made) else None, name)
    content: Node = {"main": main, "default_factory": factory}
    return {**class_of("collections.defaultdict", "DefaultDictNode"), "content": content}


def _slice(schema: Schema, made: Made, name: str) -> Node:
    content: Node = {}
    for key, each in zip(("start", "stop", "step"), _args(made), strict=False):
        if each is not None and not isinstance(each, int):
            raise refused("a slice of other things than numbers", name)
        content[key] = each
    if len(content) != 3:
        raise refused("a slice without all of its ends", name)
    return {**class_of("builtins.slice", "SliceNode"), "content": content}


def _set(schema: Schema, made: Made, name: str) -> Node:
    items = _args(made)[0] if len(_args(made)) == 1 else None
    if not isinstance(items, Listed):
        raise refused("a set of no list", name)
    return {**class_of("builtins.set", "SetNode"), "content": schema.all(items.items, name)}


def _tree(schema: Schema, made: Made, name: str) -> Node:
    """A decision tree: what its constructor takes, and its nodes."""
    schema.classes[TREE] = None
    if not isinstance(made.state, Mapping):
        raise refused("a decision tree without nodes", name)
    reduced: Node = {"args": schema.node(made.args, name)}
    return {**class_of(TREE, "TreeNode"), "__reduce__": reduced, "content": schema.node(made.state, name)}


def _loss(schema: Schema, kind: str, args: Value, content: Value, name: str) -> Node:
    vetted(kind, name)
    schema.classes[kind] = None
    reduced: Node = {"args": schema.node(args, name)}
    return {**class_of(kind, "LossNode"), "__reduce__": reduced, "content": schema.node(content, name)}


def _unpickled_loss(schema: Schema, made: Made, name: str) -> Node:
    """A loss that cython's own function makes: class, checksum, and what is left of its state."""
    args = _args(made)
    kind = args[0].name if len(args) == 3 and isinstance(args[0], Reference) else ""
    module, _, loss = kind.rpartition(".")
    if made.what != f"{module}.__pyx_unpickle_{loss}":
        raise refused(f"what {made.what[:120]} gives when it is called", name)
    if isinstance(args[2], tuple):
        return _loss(schema, kind, args[2], Mapping(), name)
    return _loss(schema, kind, (), made.state if made.state is not None else Mapping(), name)


def _random_state(schema: Schema, made: Made, name: str) -> Node:
    """The older generator of random numbers: its state is a dict of numbers and one array."""
    if not isinstance(made.state, Mapping) or made.state.get("bit_generator") != "MT19937":
        raise refused("a generator of random numbers other than MT19937", name)
    kind = "numpy.random.mtrand.RandomState"
    return {**class_of(kind, "RandomStateNode"), "content": schema.node(made.state, name)}


def _generator(schema: Schema, made: Made, name: str) -> Node:
    """The newer one: the state of its bits, and the seeds that it came from."""
    bits = _args(made)[0] if _args(made) else None
    state = bits.state if isinstance(bits, Made) else None
    seeds = state[1] if isinstance(state, tuple) and len(state) == 2 else None
    known = seeds.state if isinstance(seeds, Made) and seeds.what == SEEDS else None
    if (
        not isinstance(state, tuple)
        or not isinstance(known, tuple)
        or len(known) != SEED_FIELDS
        or made.state is not None
    ):
        raise refused("a generator of random numbers in a form that is not known", name)
    fields = Mapping([("entropy", known[0]), ("spawn_key", known[4]), ("pool_size", known[3]),
                      ("n_children_spawned", known[1])])  # fmt: skip
    seed = Mapping([(key, each) for key, each in fields.pairs if each is not None])
    content: Node = {"bit_generator": schema.node(state[0], name), "seed_seq": schema.node(seed, name)}
    return {**class_of("numpy.random._generator.Generator", "RandomGeneratorNode"), "content": content}


def _masked(schema: Schema, made: Made, name: str) -> Node:
    """An array and a mask of the same sides; what stands in for masked elements is not kept, nor does skops."""
    state, args = made.state, _args(made)
    if not isinstance(state, tuple) or len(state) != 7 or not isinstance(state[3], bool) or len(args) != 4:
        raise refused("a masked array in a form that is not known", name)
    plain = Made("numpy._core.multiarray._reconstruct", (Reference("numpy.ndarray"), (0,), "b"), state[:5])
    code: tuple[Value, ...] = (3, "|", None, None, None, -1, -1, 0)
    truth = Made("numpy.dtype", ("b1", False, True), code)
    mask = Made(plain.what, plain.args, (state[0], state[1], truth, state[3], state[5]))
    if is_objects(state[2]) and not isinstance(state[4], Listed):
        raise refused("a masked array in a form that is not known", name)
    if isinstance(state[5], bytes | Blob):
        content: Node = {"data": schema.node(plain, name), "mask": schema.node(mask, name)}
        return {**class_of("numpy.ma.MaskedArray", "MaskedArrayNode"), "content": content}
    raise refused("a masked array without a mask", name)


def _sparse(schema: Schema, made: Made, name: str) -> Node:
    """A compressed sparse matrix or array, as `scipy.sparse.save_npz` writes it: an archive in the archive."""
    kind = made.what.rpartition(".")[2]
    vetted(made.what, name)
    state = made.state if isinstance(made.state, Mapping) else Mapping()
    parts = {key: state.get(key) for key in ("indices", "indptr", "data")}
    arrays = {key: schema.found(each) for key, each in parts.items() if isinstance(each, Made)}
    shape = state.get("_shape")
    if kind[:3] not in COMPRESSED or len(arrays) != 3 or not isinstance(shape, tuple):
        raise refused(f"a sparse array of the kind {kind[:40]}", name)
    sides = shape_of(shape)
    whole = {
        "indices": arrays["indices"], "indptr": arrays["indptr"],
        "format": Array("|S3", (), False, 0, 3, kind[:3].encode()),
        "shape": Array("<i8", (len(sides),), False, 0, 8 * len(sides), b"".join(
            each.to_bytes(8, "little") for each in sides)),
        "data": arrays["data"],
    }  # fmt: skip
    if kind.endswith("_array"):
        whole["_is_array"] = Array("|b1", (), False, 0, 1, b"\1")
    inner = placed([Member(f"{key}.npy", _npy(schema, each, name)) for key, each in whole.items()], 64)
    packed = bytearray(size_of(inner))
    for at, data in frame(inner, {}):
        packed[at : at + len(data)] = data
    file = f"{len(schema.members)}.npz"
    schema.members.append(Member(file, bytes(packed)))
    return {**class_of(made.what, "SparseMatrixNode"), "type": "scipy", "file": file}


def _npy(schema: Schema, array: Array | None, name: str) -> bytes:
    if array is None or prod(array.shape) < 0:
        raise refused("a sparse array without its parts", name)
    return array.head + schema.elements(array)


WAYS: dict[str, Callable[[Schema, Made, str], Node]] = {
    "numpy.dtype": _dtype, "collections.defaultdict": _defaults, "builtins.slice": _slice, "builtins.set": _set,
    TREE: _tree, "numpy.random._pickle.__randomstate_ctor": _random_state,
    "numpy.random._pickle.__generator_ctor": _generator, "numpy.ma.core._mareconstruct": _masked,
}  # fmt: skip
