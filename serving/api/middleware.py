"""What surrounds every request: a limit on what is read, refusal of foreign pages, security headers."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.errors import ImageTooLarge
from serving.api.deps import get_facade
from serving.api.errors import problem_response
from serving.problems import NotPermitted

ENVELOPE_BYTES = 64 * 1024  # multipart boundaries and form fields beside the images themselves

_STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
# Swagger UI sets style attributes and draws its icons from data: addresses.
_DOCS = _STRICT.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'").replace(
    "img-src 'self'", "img-src 'self' data:"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


_READS = ("GET", "HEAD", "OPTIONS")


class UploadLimit:
    """Stops reading a body once it exceeds the limit, whether or not its length was stated.

    An answer given before the body was read to its end closes the connection: else the server would go on reading
    what nobody wants.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes + ENVELOPE_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a counted body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(Headers(scope=scope), receive, send, max_bytes=self._max_bytes)
        if body.stated_bytes > self._max_bytes:
            error = ImageTooLarge("The upload is larger than the limit.", next_step="Send fewer images at a time.")
            await problem_response(error)(scope, receive, body.send)
            return
        await self._app(scope, body.receive, body.send)


class _Body:
    """One request's body while it is read."""

    def __init__(self, headers: Headers, receive: Receive, send: Send, *, max_bytes: int) -> None:
        stated = headers.get("content-length", "0")
        self.stated_bytes = int(stated) if stated.isdecimal() else 0
        self._complete = self.stated_bytes == 0 and "transfer-encoding" not in headers
        self._receive, self._send = receive, send
        self._left = max_bytes

    async def receive(self) -> Message:
        """The next part, as long as there is less than the limit."""
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._left < 0:
            raise HTTPException(413)  # the only kind that FastAPI's body parser lets through
        return message

    async def send(self, message: Message) -> None:
        """The answer, with the connection closed behind it where the body was not read to its end."""
        if message["type"] == "http.response.start" and not self._complete:
            MutableHeaders(scope=message)["Connection"] = "close"
        await self._send(message)


class RefuseForeignPages:
    """Refuses changes asked for by another site's page: browsers attach remembered basic credentials to those."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http" and scope["method"] not in _READS and _is_foreign(scope):
            refusal = NotPermitted("Another site's page asked for this.", next_step="Use the platform's own page.")
            request = Request(scope)
            await get_facade(request).refusals.record(request, refusal)
            await problem_response(refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _is_foreign(scope: Scope) -> bool:
    # Fetch Metadata; absent from programs, which carry no remembered credentials.
    return Headers(scope=scope).get("sec-fetch-site", "none") not in ("same-origin", "none")


class SecurityHeaders:
    """Adds the headers every answer carries."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and mark its answer."""

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                docs = scope["path"].startswith("/docs")
                headers["Content-Security-Policy"] = _DOCS if docs else _STRICT
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, marked if scope["type"] == "http" else send)
