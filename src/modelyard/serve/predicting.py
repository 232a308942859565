"""`POST /predict`: JSON or NumPy arrays in, the same out."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from modelyard.serve.arrays import (
    JSON,
    NPY,
    NPZ,
    Arrays,
    FieldError,
    TooLargeError,
    as_npy,
    as_npz,
    outputs_type,
    to_lists,
)
from modelyard.serve.batching import BusyError, LateError
from modelyard.serve.limits import BodyError, body_of, error, media_of
from modelyard.serve.service import Service
from modelyard.serve.signature import body_of as request_of
from modelyard.serve.signature import fields_of

ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The body is no JSON, .npy or .npz at all, or the server was asked under a foreign name."},
    401: {"description": "The token is missing or wrong."},
    404: {"description": "The server has another model or version."},
    406: {"description": "The outputs cannot be sent as the kind of media that was asked for."},
    408: {"description": "The body did not arrive in time."},
    413: {"description": "The body is larger than the server takes."},
    415: {"description": "The body is of a kind of media that the server does not take."},
    422: {"description": "The inputs do not fit the model; `field` names which."},
    500: {"description": "The model failed."},
    503: {"description": "Too many requests wait."},
    504: {"description": "The model did not answer in time."},
}


def answers() -> dict[int | str, dict[str, Any]]:
    """The errors for the OpenAPI document, each with the shape of its body."""
    shape = {
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"type": "string"}, "field": {"type": ["string", "null"]}},
    }
    return {code: {**told, "content": {JSON: {"schema": shape}}} for code, told in ERRORS.items()}


async def answered(service: Service, inputs: Arrays) -> Arrays | JSONResponse:
    """What the model says, or why it says nothing."""
    if not service.ready:
        return error(503, "the server is stopping")
    try:
        return await service.batcher.predict(inputs)
    except BusyError as busy:
        return error(503, str(busy))
    except LateError as late:
        return error(504, str(late))
    except Exception as failed:  # noqa: BLE001 - whatever a model raises
        return error(500, f"the model failed: {type(failed).__name__}: {str(failed)[:500]}")


async def inputs_of(request: Request, service: Service) -> Arrays | JSONResponse:
    """The inputs in a request, or why there are none."""
    media = media_of(request)
    if media not in (JSON, NPY, NPZ):
        return error(415, f"send {JSON}, {NPY} or {NPZ}, not {media or 'a body without Content-Type'}", "")
    try:
        return service.reader.read(await body_of(request, service), media)
    except BodyError as refused:
        return error(refused.status, str(refused))
    except TooLargeError as large:
        return error(413, str(large))
    except FieldError as wrong:
        return error(422 if wrong.field else 400, str(wrong), wrong.field)


def schemas(service: Service) -> tuple[dict[str, Any], dict[str, Any]]:
    """The JSON Schemas of request and response, without references."""
    answer = msgspec.defstruct(
        "PredictResponse", [("model", str), ("version", str), ("outputs", outputs_type(service.signature.outputs))]
    )
    return inlined(request_of(fields_of(service.signature.inputs, "Inputs"))), inlined(answer)


def inlined(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema of a struct, each reference replaced by what it stands for."""
    (found,), parts = msgspec.json.schema_components([kind], ref_template="{name}")

    def resolved(node: Any) -> Any:
        if isinstance(node, dict):
            return (
                resolved(parts[node["$ref"]]) if "$ref" in node else {key: resolved(each) for key, each in node.items()}
            )
        return [resolved(each) for each in node] if isinstance(node, list) else node

    made = resolved(found)
    assert isinstance(made, dict)
    return made


def routes(service: Service) -> APIRouter:
    """The route of predictions."""
    router = APIRouter()
    taken, given = schemas(service)
    binary = {"schema": {"type": "string", "format": "binary"}}
    single = len(service.signature.inputs) == 1
    bodies = {JSON: {"schema": taken}, NPZ: binary, **({NPY: binary} if single else {})}
    told = answers()
    told[200] = {"description": "The outputs.", "content": {JSON: {"schema": given}, NPZ: binary}}

    @router.post(
        "/predict",
        summary="What the model says of these inputs",
        response_class=Response,
        responses=told,
        openapi_extra={"requestBody": {"required": True, "content": bodies}},
    )
    async def predict(request: Request) -> Response:
        inputs = await inputs_of(request, service)
        if isinstance(inputs, JSONResponse):
            return inputs
        outputs = await answered(service, inputs)
        return outputs if isinstance(outputs, JSONResponse) else _sent(service, outputs, request)

    return router


def _sent(service: Service, outputs: Arrays, request: Request) -> Response:
    """The outputs in the kind of media that was asked for, JSON when nothing was."""
    accepted = request.headers.get("accept", "")
    if NPZ in accepted:
        return Response(as_npz(outputs), media_type=NPZ)
    if NPY in accepted:
        if len(outputs) != 1:
            return error(406, f"the outputs {', '.join(outputs)} do not fit into one .npy: ask for {NPZ}")
        return Response(as_npy(next(iter(outputs.values()))), media_type=NPY)
    lists = {name: to_lists(array) for name, array in outputs.items()}
    body = {"model": service.name, "version": service.version, "outputs": lists}
    return Response(msgspec.json.encode(body), media_type=JSON)
