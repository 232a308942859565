"""The application: health, metadata, predictions, the inference protocol, measures, and the page that describes it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from modelyard.serve import predicting, protocol
from modelyard.serve.limits import Door, error
from modelyard.serve.measures import TEXT
from modelyard.serve.page import PAGE, POLICY
from modelyard.serve.service import Service

PARAMETER = re.compile(r"\{(\w+)")


def application(service: Service) -> FastAPI:
    """Everything that one model answers, as an ASGI application."""

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        try:
            yield
        finally:
            await service.stop()

    app = FastAPI(
        title=f"{service.name} {service.version}",
        description="A model served by modelyard.",
        version=service.version,
        lifespan=running,
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(Door, service=service)
    app.add_exception_handler(HTTPException, _nowhere)
    app.include_router(predicting.routes(service))
    app.include_router(protocol.routes(service))
    _about(app, service)
    _name(app.openapi(), {"name": service.name, "version": service.version})
    return app


async def _nowhere(_: Request, wrong: Exception) -> Response:
    """A path or verb that does not exist, told in the shape of all errors."""
    assert isinstance(wrong, HTTPException)
    return error(wrong.status_code, str(wrong.detail))


def _name(document: dict[str, Any], known: Mapping[str, str]) -> None:
    """Says in the document which model and version can be asked for."""
    for path, verbs in document["paths"].items():
        told = [
            {"name": each, "in": "path", "required": True, "schema": {"type": "string", "enum": [known[each]]}}
            for each in PARAMETER.findall(path)
        ]
        for verb in verbs.values():
            verb |= {"parameters": told} if told else {}


def _about(app: FastAPI, service: Service) -> None:
    @app.get("/health", summary="Whether the model can be asked", responses={503: {"description": "Stopping."}})
    async def health() -> Response:
        told = {"status": "ok" if service.ready else "stopping", "model": service.name, "version": service.version}
        return JSONResponse(told, 200 if service.ready else 503)

    @app.get("/metadata", summary="What was saved with the model")
    async def metadata() -> dict[str, Any]:
        return dict(service.metadata)

    @app.get("/metrics", summary="What was counted, for Prometheus", response_class=Response)
    async def metrics() -> Response:
        return Response(service.measures.text(), media_type=TEXT)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(PAGE, headers={"Content-Security-Policy": POLICY})
