"""What a test may rely on when it watches a worker: here a stand-in, whose answers are the test's."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from lab import processes
from lab.impact import Impact
from lab.waiting import wait_until
from lab.worker import Unanswered, Worker

FULL = {"blocked": ["outbox"], "in_flight_bytes": 1040000}


@pytest.fixture
def worker(tmp_path):
    """A process that does nothing and says nothing."""
    config = {"cdc": {}, "kafka": {"maxInFlightBytes": "1mb"}}
    worker = Worker(Path("/bin/true"), tmp_path, config, prefix=["sh", "-c", "exec sleep 100"]).start()
    yield worker
    worker.end()


@pytest.fixture
def answer(worker):
    """answer(body...): from now on, each request to its port is answered by the next of these, the last one
    for ever."""
    servers = []

    def start(*bodies: dict) -> None:
        left = list(bodies)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(left.pop(0) if len(left) > 1 else left[0]).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        servers.append(HTTPServer(("127.0.0.1", worker.port), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_who_does_not_answer_is_asked_again(worker, answer):
    with pytest.raises(Unanswered):
        worker.status()
    asked = threading.Event()

    def streaming() -> bool:
        asked.set()
        return worker.status()["state"] == "streaming"

    later = threading.Thread(target=lambda: asked.wait() and answer({"state": "streaming"}))
    later.start()
    assert worker.wait(streaming, "it streams")
    later.join()


def test_who_has_ended_is_not_waited_for(worker):
    worker.kill()
    with pytest.raises(AssertionError, match="ended with -9 before: state streaming"):
        worker.wait_streaming()


def test_blocked_by_a_first_record_is_not_full(worker, answer):
    answer({"blocked": ["outbox"], "in_flight_bytes": 400}, {"blocked": [], "in_flight_bytes": 1040000}, FULL)
    assert worker.wait_full() == FULL


def test_a_strike_that_nobody_can_tell_of_hit_nothing(worker):
    impact = Impact("some test")
    assert impact.strike(worker, "a blow").records_unconfirmed == 0
    with pytest.raises(AssertionError, match="proved nothing"):
        impact.prove()


def test_a_strike_waits_for_records_unconfirmed(worker, answer):
    seen = {"in_flight_records": 7, "transaction_open": True, "records_acked": 3}
    answer({**seen, "in_flight_records": 0}, seen)
    impact = Impact("some test")
    assert impact.strike(worker, "a blow").records_unconfirmed == 7
    impact.prove()
    assert impact.cuts == 1


def test_the_dead_are_judged_by_what_they_left(worker):
    impact = Impact("some test")
    worker.kill()
    impact.death(worker, "a death", lambda: 0)
    with pytest.raises(AssertionError, match="proved nothing"):
        impact.prove()
    impact.death(worker, "another", lambda: 5)
    impact.prove()


def test_frozen(worker):
    with processes.frozen(worker.pid):
        assert processes.stands_still(worker.pid)
        worker.wait_frozen()
    wait_until(lambda: not processes.stands_still(worker.pid), "it goes on")
    with processes.frozen(worker.pid):
        worker.kill()
    assert not worker.alive()
