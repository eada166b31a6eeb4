"""A proxy before the API server that can answer in its place, late, in part, or too much.

    with ApiFaults(api) as faults:
        ...speak to https://127.0.0.1:faults.port, by the API server's authority and with a token...
        faults.answer("PUT", "leases", status=409, times=3)
        faults.answer("GET", status=429, retry_after=2)
        faults.delay("PUT", 5)                    # the request reaches the server late
        faults.delay("PUT", 5, carried_out=True)  # the server has done it, its answer is late
        faults.lose("PUT", "leases", times=1)     # the server has done it, the connection breaks instead
        faults.truncate("GET", "leases")          # breaks in the middle of the answer's body
        faults.huge("GET", 50_000_000)            # an answer of that many bytes, most of them blanks
        faults.clear()                            # of all this nothing is left; what was held up goes on

A verb is GET, PUT, POST, PATCH, DELETE or WATCH; a resource is a part of the path. The first rule that
matches is carried out, after every delay that matches. Faults of a WATCH are of its first event, but

        faults.say(gone())                        # a line in each watch that is open: an event
        faults.end_watches()

A server that is away, or stands still, is so through the proxy too. It ends TLS: a client's certificate
does not reach the server.
"""

import http.client
import json
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import NoReturn
from urllib.parse import parse_qs, urlsplit

from lab.kubernetes import ApiServer

# Of one hop: each side of the proxy has its own.
HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "content-length"}
REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


def status_object(code: int, message: str = "the lab says so") -> dict:
    """What the server says of a failure."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": REASONS.get(code, ""),
        "code": code,
    }


def gone() -> dict:
    """The event by which a watch says that its resourceVersion is too old."""
    return {"type": "ERROR", "object": status_object(410, "too old resource version: 1 (2)")}


class Kind(Enum):
    ANSWER = auto()
    DELAY = auto()
    LOSE = auto()
    TRUNCATE = auto()
    HUGE = auto()


@dataclass
class Fault:
    kind: Kind
    verb: str
    resource: str | None
    times: int | None  # how often still; None: always
    hits: int = 0
    seconds: float = 0
    carried_out: bool = False
    status: int = 0
    body: bytes = b""
    retry_after: int | None = None
    size: int = 0

    def takes(self, verb: str, path: str) -> bool:
        return (
            self.times != 0
            and self.verb == verb
            and (self.resource is None or self.resource in path.split("/"))
        )


@dataclass
class Request:
    at: float  # time.monotonic()
    verb: str
    path: str


class ApiFaults:
    def __init__(self, api: ApiServer, port: int = 0):
        self.api = api
        self.requests: list[Request] = []  # all that came, answered here or not
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._cleared = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._watches: set[_Watch] = set()
        self._server = _Server(("127.0.0.1", port), _Exchange)
        self._server.faults = self
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> "ApiFaults":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.clear()
        with self._lock:
            for one in self._sockets:
                _break(one)
        self._thread.join()

    # Rules

    def answer(
        self,
        verb: str,
        resource: str | None = None,
        status: int = 500,
        times: int | None = None,
        body: bytes | None = None,
        retry_after: int | None = None,
    ) -> Fault:
        """The server does not hear of it. body: in place of a Status object."""
        text = json.dumps(status_object(status)).encode() if body is None else body
        fault = Fault(Kind.ANSWER, verb, resource, times, status=status, body=text, retry_after=retry_after)
        return self._add(fault)

    def delay(
        self,
        verb: str,
        seconds: float,
        resource: str | None = None,
        times: int | None = None,
        carried_out: bool = False,
    ) -> Fault:
        fault = Fault(Kind.DELAY, verb, resource, times, seconds=seconds, carried_out=carried_out)
        return self._add(fault)

    def lose(self, verb: str, resource: str | None = None, times: int | None = None) -> Fault:
        return self._add(Fault(Kind.LOSE, verb, resource, times))

    def truncate(self, verb: str, resource: str | None = None, times: int | None = None) -> Fault:
        return self._add(Fault(Kind.TRUNCATE, verb, resource, times))

    def huge(self, verb: str, size: int, resource: str | None = None, times: int | None = None) -> Fault:
        return self._add(Fault(Kind.HUGE, verb, resource, times, size=size))

    def clear(self) -> None:
        with self._lock:
            self._faults = []
            self._cleared.set()
            self._cleared = threading.Event()

    def say(self, event: dict) -> int:
        """In how many watches it was said."""
        watches = self._open_watches()
        for watch in watches:
            watch.say(json.dumps(event).encode() + b"\n")
        return len(watches)

    def end_watches(self) -> int:
        """As the server ends them when their time is over."""
        watches = self._open_watches()
        for watch in watches:
            watch.end()
        return len(watches)

    @property
    def watches(self) -> int:
        """That are open."""
        return len(self._open_watches())

    def count(self, verb: str, resource: str | None = None) -> int:
        """Requests that came."""
        wanted = Fault(Kind.ANSWER, verb, resource, None)
        return sum(wanted.takes(request.verb, request.path) for request in list(self.requests))

    def _add(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

    # For the exchanges, each of which has a thread of its own

    def take(self, verb: str, path: str) -> list[Fault]:
        """What befalls a request: delays, and at most one other, which is the last."""
        taken: list[Fault] = []
        other: list[Fault] = []
        with self._lock:
            self.requests.append(Request(time.monotonic(), verb, path))
            for fault in self._faults:
                group = taken if fault.kind is Kind.DELAY else other
                if fault.takes(verb, path) and (group is taken or not other):
                    group.append(fault)
                    fault.hits += 1
                    fault.times = None if fault.times is None else fault.times - 1
        return taken + other

    def hold(self, seconds: float) -> None:
        with self._lock:
            cleared = self._cleared
        cleared.wait(seconds)

    def server_context(self) -> ssl.SSLContext:
        """Read anew for each connection: it may have been rotated."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.api.pki / "server.crt", self.api.pki / "server.key")
        return context

    @contextmanager
    def kept(self, one: socket.socket) -> Iterator[None]:
        """Broken when this proxy ends."""
        with self._lock:
            self._sockets.add(one)
        try:
            yield
        finally:
            with self._lock:
                self._sockets.discard(one)

    @contextmanager
    def open_watch(self, watch: "_Watch") -> Iterator[None]:
        with self._lock:
            self._watches.add(watch)
        try:
            yield
        finally:
            with self._lock:
                self._watches.discard(watch)

    def _open_watches(self) -> list["_Watch"]:
        with self._lock:
            return list(self._watches)


def _close(one: socket.socket) -> None:
    """The other side sees the end, without a word of TLS; who waits here wakes up."""
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


def _break(one: socket.socket) -> None:
    """The other side sees a reset."""
    with suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    _close(one)


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
    faults: ApiFaults

    def handle_error(self, request, client_address) -> None:
        """A client that went away, or does not trust the certificate, is nothing to report."""


class _Broken(Exception):
    """The connection ends here, whatever the client waits for."""


class _Exchange(BaseHTTPRequestHandler):
    """One connection of a client, and its requests one after the other."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        self.faults = self.server.faults
        self.request = self.faults.server_context().wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        with self.faults.kept(self.request), suppress(OSError, _Broken, http.client.HTTPException):
            super().handle()

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        self.request.close()

    def log_message(self, *_: object) -> None:
        pass

    def _exchange(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        is_watch = parse_qs(url.query).get("watch", [""])[0] in ("1", "true")
        faults = self.faults.take("WATCH" if is_watch else self.command, url.path)
        self._hold(faults, carried_out=False)
        fault = next((fault for fault in faults if fault.kind is not Kind.DELAY), None)
        if fault and fault.kind is Kind.ANSWER:
            self._answer_instead(fault)
            return
        with self._forwarded(body) as (response, upstream):
            self._hold(faults, carried_out=True)
            if fault and fault.kind is Kind.LOSE:
                self._end(_break)
            if is_watch and response.status == 200:
                self._stream(response, upstream, fault)
            else:
                self._pass(response, fault)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _exchange

    def _hold(self, faults: list[Fault], carried_out: bool) -> None:
        for fault in faults:
            if fault.kind is Kind.DELAY and fault.carried_out == carried_out:
                self.faults.hold(fault.seconds)

    def _answer_instead(self, fault: Fault) -> None:
        headers = {"Content-Type": "application/json"}
        if fault.retry_after is not None:
            headers["Retry-After"] = str(fault.retry_after)
        self._head(fault.status, headers, len(fault.body))
        self.wfile.write(fault.body)

    @contextmanager
    def _forwarded(self, body: bytes) -> Iterator[tuple[http.client.HTTPResponse, socket.socket]]:
        """The server's answer, and where it comes from. A server that breaks off breaks off here too."""
        context = ssl.create_default_context(cafile=self.faults.api.authority)
        connection = http.client.HTTPSConnection("127.0.0.1", self.faults.api.port, context=context)
        # Compressed answers could not be damaged in a way that is known.
        left_out = HOP_HEADERS | {"accept-encoding"}
        headers = {name: value for name, value in self.headers.items() if name.lower() not in left_out}
        try:
            connection.connect()
            upstream = connection.sock
            with self.faults.kept(upstream):
                connection.request(self.command, self.path, body or None, headers)
                yield connection.getresponse(), upstream
        except (OSError, http.client.HTTPException):
            _break(self.request)
            raise
        finally:
            connection.close()

    def _head(self, status: int, headers: dict[str, str], length: int | None) -> None:
        """length: None is chunks."""
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in HOP_HEADERS:
                self.send_header(name, value)
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _pass(self, response: http.client.HTTPResponse, fault: Fault | None) -> None:
        body = response.read()
        if fault and fault.kind is Kind.HUGE:
            body = _padded(body, fault.size)
        self._head(response.status, dict(response.headers), len(body))
        if fault and fault.kind is Kind.TRUNCATE:
            self.wfile.write(body[: len(body) // 2])
            self._end(_close)
        self.wfile.write(body)

    def _stream(
        self, response: http.client.HTTPResponse, upstream: socket.socket, fault: Fault | None
    ) -> None:
        self._head(200, dict(response.headers), None)
        watch = _Watch(self)
        try:
            with self.faults.open_watch(watch), _Guard(self.request, upstream, watch):
                for line in response:
                    if fault and fault.kind is Kind.TRUNCATE:
                        watch.say(line[: len(line) // 2])
                        self._end(_close)
                    watch.say(_padded(line, fault.size) if fault and fault.kind is Kind.HUGE else line)
                    fault = None
            watch.end()
        except (OSError, http.client.HTTPException):
            if not watch.ended:
                raise

    def _end(self, way: Callable[[socket.socket], None]) -> NoReturn:
        """In the middle of things: no answer, or no more of it."""
        way(self.request)
        raise _Broken


def _padded(text: bytes, size: int) -> bytes:
    """The same JSON with blanks before its last brace."""
    head, brace, tail = text.rpartition(b"}")
    return head + b" " * max(0, size - len(text)) + brace + tail


class _Watch:
    """The answer to a watch; lines are said by its own thread and by others."""

    def __init__(self, exchange: _Exchange):
        self._exchange = exchange
        self._lock = threading.Lock()
        self._ended = False

    def say(self, line: bytes) -> None:
        """Nothing is the end."""
        with self._lock:
            if not self._ended:
                self._ended = not line
                with suppress(OSError):
                    self._exchange.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))

    @property
    def ended(self) -> bool:
        return self._ended

    def end(self) -> None:
        self.say(b"")


class _Guard:
    """Ends what is read from the server when the client has gone, or was told the end."""

    def __init__(self, client: socket.socket, upstream: socket.socket, watch: _Watch):
        self._client = client
        self._upstream = upstream
        self._watch = watch
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._client.fileno(), select.POLLIN | select.POLLRDHUP)
        while not self._done.is_set():
            # A client says nothing while it watches: whatever comes is its end.
            if poll.poll(50) or self._watch.ended:
                _close(self._upstream)
                return
