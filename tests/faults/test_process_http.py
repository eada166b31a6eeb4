"""Whatever connects to the HTTP port: probes are answered, and the stream does not notice."""

import resource
import socket
import threading
import time

import pytest

CROWD = 1000
# That many come, and then no more for so many seconds. Who connects and is kept from asking, as a probe may be
# on a busy machine, makes room when 64 others have come meanwhile: here that takes a tenth of a second.
BATCH, PAUSE_SECONDS = 10, 0.02
HEAD = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: "
SLOWER = "a server that is slowed down accepts less than the crowd comes and goes"
KINDS = (
    pytest.param("silent", marks=pytest.mark.unsanitized(SLOWER)),
    pytest.param("slow", marks=pytest.mark.sanitize("thread")),
    pytest.param("large", marks=pytest.mark.sanitize("thread")),
)


class Crowd:
    """Connections that are kept up while it stands: who is cut off comes again."""

    def __init__(self, port: int, kind: str):
        self.port = port
        self.kind = kind
        self.came = 0
        self._sockets: list[socket.socket] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Crowd":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for one in self._sockets:
            one.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._sockets = [one for one in self._sockets if self._speak(one)]
            missing = CROWD - len(self._sockets)
            self._sockets += [self._come() for _ in range(min(missing, BATCH))]
            self._stop.wait(PAUSE_SECONDS)

    def _come(self) -> socket.socket:
        one = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        one.setblocking(False)
        self.came += 1
        if self.kind != "silent":
            self._say(one, HEAD)
        return one

    def _speak(self, one: socket.socket) -> bool:
        """False: it was cut off."""
        if self.kind == "silent":
            try:
                return one.recv(1, socket.MSG_PEEK) != b""
            except BlockingIOError:
                return True
            except OSError:
                return False
        return self._say(one, b"x" if self.kind == "slow" else b"x" * 4096)

    def _say(self, one: socket.socket, text: bytes) -> bool:
        try:
            one.send(text)
        except BlockingIOError:
            return True
        except OSError:
            one.close()
            return False
        return True


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * CROWD)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("kind", KINDS)
def test_a_crowd_of_connections(line, acquit, full, say, kind, many_descriptors):
    requests = 300 if full else 30
    worker = line.streaming()
    slowest = 0.0
    with line.writers(pause=0.005), Crowd(worker.port, kind) as crowd:
        worker.wait(lambda: crowd.came >= CROWD, "the crowd is there")
        worker.wait_delivery()
        for number in range(requests):
            path = ("/livez", "/readyz", "/startupz", "/metrics", "/status")[number % 5]
            began = time.monotonic()
            code, _ = worker.get(path)
            slowest = max(slowest, time.monotonic() - began)
            if path == "/status" and code == 503:  # PostgreSQL's last answer was more than a second ago
                worker.wait(lambda: worker.get("/status")[0] == 200, "PostgreSQL answers")
            else:
                assert code == 200, path
        worker.wait_delivery()
        came = crowd.came
    say(f"{came} connections came; the slowest of {requests} answers took {slowest * 1000:.0f} ms")
    assert worker.metrics()["pqcdc_stream_starts_total"] == 1, "the stream did not notice"
    line.scenario.settle(worker)
    assert acquit(line).duplicates == 0
