"""The upload page and the interactive documentation: local files only, nothing from another host."""

from pathlib import Path

import swagger_ui_bundle
from fastapi import APIRouter
from fastapi.responses import FileResponse

from domain.errors import NotFound

ROUTER = APIRouter(include_in_schema=False)
_PAGE = Path(__file__).parent.parent / "page"
_SWAGGER = Path(swagger_ui_bundle.swagger_ui_path)
# A fixed list: a name from the address never becomes a path.
_FILES = {
    **{file.name: file for file in _PAGE.iterdir() if file.is_file()},
    **{name: _SWAGGER / name for name in ("swagger-ui.css", "swagger-ui-bundle.js")},
}


@ROUTER.get("/")
def page() -> FileResponse:
    """The upload page."""
    return FileResponse(_FILES["index.html"])


@ROUTER.get("/docs")
def docs() -> FileResponse:
    """Interactive documentation."""
    return FileResponse(_FILES["docs.html"])


@ROUTER.get("/page/{name}")
def asset(name: str) -> FileResponse:
    """A style sheet, script or icon of the page."""
    if name not in _FILES:
        raise NotFound("There is no such file.")
    return FileResponse(_FILES[name], headers={"Cache-Control": "no-cache"})
