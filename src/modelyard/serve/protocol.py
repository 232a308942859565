"""The Open Inference Protocol, version 2, over HTTP as KServe, Triton and MLServer speak it.

Source: github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec
import numpy
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from modelyard import __version__
from modelyard.serve.arrays import JSON, Arrays, FieldError, check_rows, field_error, fitting, to_lists
from modelyard.serve.limits import BodyError, body_of, error, media_of
from modelyard.serve.predicting import answered, answers, inlined
from modelyard.serve.service import Service
from modelyard.serve.signature import Signature, Spec, accepted, shape_text

DATATYPES: Mapping[str, str] = {
    "bool": "BOOL", "str": "BYTES", "float16": "FP16", "float32": "FP32", "float64": "FP64",
    "int8": "INT8", "int16": "INT16", "int32": "INT32", "int64": "INT64",
    "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64",
}  # fmt: skip
"""The protocol's names of numpy's dtypes."""
MOST_AXES = 32
Length = Annotated[int, msgspec.Meta(ge=0, le=2**40)]


class InferInput(msgspec.Struct):
    """One tensor of a request; `data` row after row, flat or nested."""

    name: str
    shape: Annotated[list[Length], msgspec.Meta(max_length=MOST_AXES)]
    datatype: str
    data: list[Any]
    parameters: dict[str, str | float | bool | None] = {}


class InferOutput(msgspec.Struct):
    """An output that is wanted."""

    name: str
    parameters: dict[str, str | float | bool | None] = {}


class InferRequest(msgspec.Struct):
    """The body of an inference; without `outputs` all are wanted."""

    inputs: Annotated[list[InferInput], msgspec.Meta(min_length=1)]
    id: str = ""
    outputs: list[InferOutput] = []
    parameters: dict[str, str | float | bool | None] = {}


def routes(service: Service) -> APIRouter:
    """The routes of the protocol."""
    router = APIRouter(prefix="/v2", tags=["Open Inference Protocol"], responses=answers())
    _health(router, service)
    extra = {"requestBody": {"required": True, "content": {JSON: {"schema": inlined(InferRequest)}}}}
    for path in ("/models/{name:path}/versions/{version}/infer", "/models/{name:path}/infer"):

        @router.post(path, summary="What the model says", response_class=Response, openapi_extra=extra)
        async def infer(request: Request) -> Response:
            return _stranger(service, request) or await _inferred(service, request)

    _about(router, service)  # last: a name may have slashes, so its routes fit everything
    return router


def _health(router: APIRouter, service: Service) -> None:
    @router.get("/health/live", summary="Whether the server lives")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @router.get("/health/ready", summary="Whether the model can be asked")
    async def ready() -> Response:
        return JSONResponse({"ready": service.ready}, 200 if service.ready else 503)

    for path in ("/models/{name:path}/versions/{version}/ready", "/models/{name:path}/ready"):

        @router.get(path, summary="Whether this model can be asked")
        async def model_ready(request: Request) -> Response:
            told = JSONResponse({"name": service.name, "ready": service.ready}, 200 if service.ready else 503)
            return _stranger(service, request) or told


def _about(router: APIRouter, service: Service) -> None:
    @router.get("", summary="The server")
    async def server() -> dict[str, Any]:
        return {"name": "modelyard", "version": __version__, "extensions": []}

    for path in ("/models/{name:path}/versions/{version}", "/models/{name:path}"):

        @router.get(path, summary="What a model takes and gives")
        async def model(request: Request) -> Response:
            return _stranger(service, request) or JSONResponse(_described(service))


def _described(service: Service) -> dict[str, Any]:
    def told(spec: Spec) -> dict[str, Any]:
        shape = [-1 if each is None else each for each in spec.shape]
        return {"name": spec.name, "datatype": DATATYPES[spec.dtype], "shape": shape}

    return {
        "name": service.name,
        "versions": [service.version],
        "platform": service.predictor.engine,
        "inputs": [told(each) for each in service.signature.inputs],
        "outputs": [told(each) for each in service.signature.outputs],
    }


def _stranger(service: Service, request: Request) -> JSONResponse | None:
    """The answer to somebody who asks for another model."""
    asked = request.path_params["name"], request.path_params.get("version", service.version)
    if asked == (service.name, service.version):
        return None
    return error(404, f"this server has {service.name}, version {service.version}, alone")


async def _inferred(service: Service, request: Request) -> Response:
    if media_of(request) != JSON:
        return error(415, f"send {JSON}")
    try:
        asked = msgspec.json.decode(await body_of(request, service), type=InferRequest)
        wanted = _wanted(service.signature, asked)
        inputs = _inputs(service.signature, asked)
    except BodyError as refused:
        return error(refused.status, str(refused))
    except msgspec.ValidationError as wrong:
        named = field_error(wrong)
        return error(422, str(named), named.field)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        return error(400, f"the body is no JSON: {wrong}")
    except FieldError as wrong:
        return error(422, str(wrong), wrong.field)
    outputs = await answered(service, inputs)
    if isinstance(outputs, JSONResponse):
        return outputs
    told = [_output(spec, outputs[spec.name]) for spec in wanted]
    body = {"model_name": service.name, "model_version": service.version, "outputs": told}
    return Response(msgspec.json.encode({**body, "id": asked.id} if asked.id else body), media_type=JSON)


def _wanted(signature: Signature, asked: InferRequest) -> list[Spec]:
    known = {each.name: each for each in signature.outputs}
    for at, each in enumerate(asked.outputs):
        if each.name not in known:
            raise FieldError(f"outputs[{at}].name", f"the model gives {', '.join(known)}")
    return [known[each.name] for each in asked.outputs] or list(signature.outputs)


def _inputs(signature: Signature, asked: InferRequest) -> Arrays:
    known = {each.name: each for each in signature.inputs}
    found: Arrays = {}
    for at, each in enumerate(asked.inputs):
        if each.name not in known or each.name in found:
            raise FieldError(f"inputs[{at}].name", f"the model takes {', '.join(known)}, each once")
        found[each.name] = _array(known[each.name], each, f"inputs[{at}]")
    for name in known:
        if name not in found:
            raise FieldError("inputs", f"{name} is missing")
    arrays = {name: found[name] for name in known}
    check_rows(signature, arrays)
    return arrays


def _array(spec: Spec, given: InferInput, field: str) -> numpy.ndarray[Any, Any]:
    if given.datatype != DATATYPES[spec.dtype]:
        raise FieldError(f"{field}.datatype", f"is {given.datatype}, expected {DATATYPES[spec.dtype]}")
    if not spec.fits(given.shape):
        raise FieldError(f"{field}.shape", f"is {shape_text(given.shape)}, expected {shape_text(spec.shape)}")
    flat = list(_flat(given.data, len(given.shape)))
    try:
        values = msgspec.convert(flat, list[accepted(spec.dtype)])  # type: ignore[misc]
        array = numpy.array(values, dtype=object if spec.dtype == "str" else spec.dtype)
        return fitting(spec, array.reshape(given.shape))
    except msgspec.ValidationError as wrong:
        raise FieldError(f"{field}.data", str(wrong)) from wrong
    except (ValueError, OverflowError) as wrong:
        raise FieldError(f"{field}.data", f"{len(flat)} elements do not fit the shape") from wrong


def _flat(data: list[Any], depth: int) -> Iterator[Any]:
    """The elements row after row."""
    if depth > 1 and data and isinstance(data[0], list):
        parts = (each if isinstance(each, list) else [each] for each in data)
        return itertools.chain.from_iterable(_flat(each, depth - 1) for each in parts)
    return iter(data)


def _output(spec: Spec, array: numpy.ndarray[Any, Any]) -> dict[str, Any]:
    return {
        "name": spec.name,
        "datatype": DATATYPES[spec.dtype],
        "shape": list(array.shape),
        "data": to_lists(array.reshape(-1)),
    }
