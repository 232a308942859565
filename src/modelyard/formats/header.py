"""The nouns of a model file, frozen: a header, its tensors, and the files it needs. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from msgspec import Struct

from modelyard.formats.training import for_training


class Tensor(Struct, frozen=True):
    """One array of numbers: `bytes` are those of its elements, `offset` counts from the beginning of the file.

    `offset` is None where the elements are no byte range of the file: packed, written as text, or not stored at all.
    """

    name: str
    dtype: str
    """As safetensors and GGUF call them: F32, BF16, I64, Q4_K. A name of the file's own where they have none."""
    shape: tuple[int, ...]
    bytes: int
    offset: int | None
    member: str = ""
    """The member of an archive that holds it."""
    file: str = ""
    """The other file that holds it, relative to the folder of this one; `offset` then counts in that one."""
    strides: tuple[int, ...] | None = None
    """Steps between elements, counted in elements; None where the elements lie row after row."""
    storage: str = ""
    """What it shares bytes with: tensors of one storage are views of the same bytes."""

    @property
    def elements(self) -> int:
        """How many numbers it has."""
        return prod(self.shape)


class Need(Struct, frozen=True):
    """Another file that this one is no model without; `path` is relative to its folder, `why` a few words.

    `exists` is None for a name that leads out of the folder, which is not looked at.
    """

    path: str
    exists: bool | None
    why: str


class Share(Struct, frozen=True):
    """One dtype of a file: how many tensors, elements and bytes have it."""

    dtype: str
    tensors: int
    elements: int
    bytes: int

    @property
    def bits(self) -> float:
        """Bits that one element takes, the scales of quantised blocks included."""
        return 8 * self.bytes / self.elements if self.elements else 0.0


class Header(Struct, frozen=True):
    """What a file says of itself, without its tensors' elements."""

    format: str
    version: str = ""
    tensors: tuple[Tensor, ...] = ()
    complete: bool = True
    """False when the file ends before what its header promises."""
    architecture: str = ""
    framework: str = ""
    """What made it, with its version where the file tells."""
    metadata: tuple[tuple[str, str], ...] = ()
    needs: tuple[Need, ...] = ()
    loads: tuple[str, ...] = ()
    """Calls that load it."""
    notes: tuple[str, ...] = ()
    """What a reader should know: what was not followed, what is odd."""
    parts: tuple[tuple[str, Header], ...] = ()
    """Files inside it that are models themselves, by the name of the member."""
    counted: int | None = None
    """The parameters as the file itself counts them, where no tensors can be listed."""

    @property
    def weights(self) -> tuple[Tensor, ...]:
        """The tensors of the model itself: not what a checkpoint keeps for the training alone."""
        spare = for_training([each.name for each in self.tensors])
        return tuple(each for each, only in zip(self.tensors, spare, strict=True) if not only)

    @property
    def training(self) -> int:
        """Elements that are kept for the training alone."""
        return sum(each.elements for each in once(self.tensors)) - sum(each.elements for each in once(self.weights))

    @property
    def parameters(self) -> int:
        """Elements of the model's tensors, each storage once; as the file counts them where it lists none."""
        if self.counted is not None:
            return self.counted
        return sum(each.elements for each in once(self.weights))

    @property
    def dtypes(self) -> tuple[Share, ...]:
        """The mix of dtypes of the model's tensors, most bytes first, each storage once."""
        mix: dict[str, list[int]] = {}
        for tensor in once(self.weights):
            share = mix.setdefault(tensor.dtype, [0, 0, 0])
            share[0] += 1
            share[1] += tensor.elements
            share[2] += tensor.bytes
        return tuple(sorted((Share(name, *sums) for name, sums in mix.items()), key=lambda each: -each.bytes))

    @property
    def bits_per_weight(self) -> float:
        """Bits that one element of the model's tensors takes on average; 0 without any."""
        tensors = list(once(self.weights))
        elements = sum(each.elements for each in tensors)
        return 8 * sum(each.bytes for each in tensors) / elements if elements else 0.0


def once(tensors: Iterable[Tensor]) -> Iterable[Tensor]:
    """The tensors without those whose bytes another one shows too: the largest view of each storage."""
    largest: dict[str, Tensor] = {}
    for each in tensors:
        if not each.storage:
            yield each
        elif each.storage not in largest or each.elements > largest[each.storage].elements:
            largest[each.storage] = each
    yield from largest.values()
