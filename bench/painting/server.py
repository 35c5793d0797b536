"""The server of the page: it answers this machine alone, and writes nothing to the disk."""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from bench.core.errors import UserError, is_out_of_memory
from bench.painting import uploads
from bench.painting.fillers import Fillers

log = logging.getLogger(__name__)
HOST = "127.0.0.1"
NAMES = {HOST, "localhost"}
"""Names by which a browser on this machine, or at the other end of a tunnel, may ask.

A page from elsewhere can have a name of its own point to this machine (DNS rebinding), but the
browser then sends that name.
"""
MOST_BYTES = 64 * 10**6
"""Bytes of the longest request: a picture with its mask."""
SILENCE = 60.0
"""Seconds after which a connection that says nothing is closed."""
GONE = (ConnectionError, TimeoutError)
"""Errors of a connection whose page was closed, or says nothing any more: nobody is to be told."""
FILES = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/board.js": ("board.js", "text/javascript"),
    "/strokes.js": ("strokes.js", "text/javascript"),
    "/fillings.js": ("fillings.js", "text/javascript"),
    "/requests.js": ("requests.js", "text/javascript"),
}
"""File and type of each part of the page, by its path."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""Headers of every answer: the page fetches from here alone, and no other page shows it."""


class Answer(NamedTuple):
    """The content of an answer, its type, and a header that only this kind has."""

    content: bytes
    type: str
    extra: tuple[str, str] | None = None


class RefusedError(Exception):
    """A request that is not answered, with a status of HTTP and one line that says why."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


class Server(ThreadingHTTPServer):
    """The page's server, with a thread for each request; the fillers themselves work in one."""

    daemon_threads = True

    def __init__(self, port: int, fillers: Fillers) -> None:
        try:
            super().__init__((HOST, port), Handler)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise UserError(
                f"port {port} is in use, maybe by another `paint`; choose one by --port"
            ) from error
        self.fillers = fillers

    @property
    def address(self) -> str:
        """The page's address."""
        return f"http://{HOST}:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    """The answers to one connection.

    GET `/` and the other `FILES` are the page. GET `/methods` is a JSON object of what can fill.
    POST `/picture` takes an image file and answers with the PNG that every method gets. POST
    `/fill?method=NAME&mask=BYTES` takes the mask's file, of so many bytes, and right behind it the
    picture's, and answers with the filled picture as PNG; its header `Server-Timing` has the
    milliseconds. An error is a JSON object with one line, `error`.
    """

    server: Server
    timeout = SILENCE
    server_version, sys_version = "lbam-bench", ""

    def do_GET(self) -> None:
        """Answer with a file of the page, or with the methods."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Answer with a picture that the body was made into."""
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Tell nothing of requests, which succeed or say on the page why not."""

    def _answer(self, make: Callable[[], Answer]) -> None:
        """Send what `make` returns, or one line that says why there is nothing."""
        try:
            self._check_sender()
            status, answer = HTTPStatus.OK, make()
        except RefusedError as error:
            status, answer = error.status, _error(str(error))
        except UserError as error:
            status, answer = HTTPStatus.BAD_REQUEST, _error(str(error))
        except GONE:
            return
        except Exception as error:
            status, answer = HTTPStatus.INTERNAL_SERVER_ERROR, self._failure(error)
        with suppress(*GONE):
            self._send(status, answer)

    def _check_sender(self) -> None:
        """Refuse what another site's page sends; a page's own posts always name their origin."""
        host = self.headers.get("Host", "")
        if host.partition(":")[0] not in NAMES:
            raise RefusedError(HTTPStatus.FORBIDDEN, f"this page is at {self.server.address} alone")
        origin = self.headers.get("Origin", "" if self.command == "POST" else f"http://{host}")
        if origin != f"http://{host}":
            raise RefusedError(HTTPStatus.FORBIDDEN, "only the page itself may ask this server")

    def _get(self) -> Answer:
        if self.path == "/methods":
            fillers, problems = self.server.fillers.found()
            limits = {"mostBytes": MOST_BYTES, "mostPixels": uploads.MOST_PIXELS}
            return _json({"methods": [*map(asdict, fillers)], "problems": problems, **limits})
        if self.path not in FILES:
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such page")
        name, kind = FILES[self.path]
        content = resources.files(__package__).joinpath(name).read_bytes()
        return Answer(content, f"{kind}; charset=utf-8")

    def _post(self) -> Answer:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path == "/picture":
            picture = uploads.decode(self._body(), "the file")
            return Answer(uploads.encode(picture), "image/png")
        if path != "/fill":
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such page")
        try:
            (name,), length = query["method"], int(query["mask"][0])
        except (KeyError, ValueError):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "say method=NAME and mask=BYTES") from None
        body = self._body()
        filled = self.server.fillers.fill(name, body[length:], body[:length])
        timing = ("Server-Timing", f"fill;dur={1000 * filled.seconds:.1f}")
        return Answer(filled.content, "image/png", timing)

    def _body(self) -> bytes:
        text = self.headers.get("Content-Length", "")
        if not (text.isascii() and text.isdigit()):
            raise RefusedError(
                HTTPStatus.LENGTH_REQUIRED, "the request does not say how long it is"
            )
        if int(text) > MOST_BYTES:
            raise RefusedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"picture and mask are larger than {MOST_BYTES // 10**6} MB together",
            )
        body = self.rfile.read(int(text))
        if len(body) < int(text):
            raise ConnectionError("the page was closed while it sent")
        return body

    def _failure(self, error: Exception) -> Answer:
        if is_out_of_memory(error):
            return _error("out of memory; use a smaller picture")
        log.error("%s", self.path, exc_info=error)
        return _error(f"this failed, and the terminal says where: {error!r}")

    def _send(self, status: HTTPStatus, answer: Answer) -> None:
        self.send_response(status)
        own = {"Content-Type": answer.type, "Content-Length": str(len(answer.content))}
        extra = [answer.extra] if answer.extra else []
        for name, value in [*own.items(), *HEADERS.items(), *extra]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.content)


def _json(value: Any) -> Answer:
    return Answer(json.dumps(value).encode(), "application/json")


def _error(text: str) -> Answer:
    return _json({"error": " ".join(text.split())})
