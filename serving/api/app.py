"""The facade as one FastAPI application, built from its parts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pkgutil import iter_modules

import anyio.to_thread
from fastapi import APIRouter, FastAPI

from serving.api import routers
from serving.api.deps import Facade
from serving.api.errors import add_error_handlers
from serving.api.metrics import CountRequests
from serving.api.middleware import RefuseForeignPages, SecurityHeaders, UploadLimit
from serving.api.openapi import complete, problems

DESCRIPTION = """\
The clinical facade of Fiducial: send a study, read the prediction, walk it back to its data.

Every error is a problem document (RFC 9457) with a stable `code`. Identifiers are opaque. An answer with `demo: true`
comes from a demonstration model and says nothing about a patient.
"""
_THREADS = 100  # a request that waits for its answer holds one


def build_app(facade: Facade, *, version: str) -> FastAPI:
    """The application; ``facade`` holds everything it needs from the outside."""
    app = FastAPI(
        title="Fiducial",
        version=version,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=_lifespan,
    )
    app.state.facade = facade
    for router in _all_routers():
        app.include_router(router, responses=problems(422))
    complete(app)
    add_error_handlers(app)
    # The last one added is the outermost.
    app.add_middleware(UploadLimit, max_bytes=facade.max_upload_bytes)
    app.add_middleware(RefuseForeignPages)
    app.add_middleware(CountRequests, metrics=facade.metrics)
    app.add_middleware(SecurityHeaders)
    return app


def _all_routers() -> list[APIRouter]:
    names = sorted(module.name for module in iter_modules(routers.__path__))
    return [import_module(f"{routers.__name__}.{name}").ROUTER for name in names]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    yield
