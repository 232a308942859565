"""The documents of the verbs that read model files."""

from __future__ import annotations

import msgspec

from modelyard.cli.documents.looking import SCHEMA_VERSION, ProblemLine


class TensorLine(msgspec.Struct):
    """An array. `offset`: where its bytes begin in the file, or in `file`; null where they are no range of it."""

    name: str
    dtype: str
    shape: list[int]
    bytes: int
    offset: int | None
    member: str
    file: str
    strides: list[int] | None
    storage: str


class DtypeLine(msgspec.Struct):
    """The arrays of one dtype; `bits` that one element takes."""

    tensors: int
    elements: int
    bytes: int
    bits: float


class NeedLine(msgspec.Struct):
    """Another file that it needs. `exists` null: the name leads out of the folder and was not looked at."""

    path: str
    exists: bool | None
    why: str


class InsideLine(msgspec.Struct):
    """A model inside an archive."""

    member: str
    format: str
    parameters: int
    tensors: int


class InspectedLine(msgspec.Struct):
    """What a file says of itself. `tensors` counts them; `listed` names them when they were asked for.

    `parameters`, `bits` and `dtypes` are those of the model; `training` counts what is kept for the training alone.
    """

    path: str
    size: int | None
    format: str
    version: str
    complete: bool
    tensors: int
    parameters: int
    training: int
    bits: float
    dtypes: dict[str, DtypeLine]
    architecture: str
    framework: str
    metadata: dict[str, str]
    needs: list[NeedLine]
    loads: list[str]
    notes: list[str]
    inside: list[InsideLine]
    listed: list[TensorLine] | None


class Headers(msgspec.Struct):
    """What model files say of themselves, and the files that could not be read."""

    files: list[InspectedLine]
    problems: list[ProblemLine]
    schema_version: int = SCHEMA_VERSION
