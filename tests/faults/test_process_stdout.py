"""--sink stdout, and who reads it stands still: the line waits for it as it waits for Kafka."""

import json
import os
import threading
import time

import pytest

from lab.checker import judge, parse_event
from lab.topics import Record
from lab.workload import read_history, read_rows

PATIENCE_SECONDS = 3


class Reader:
    """The end of a pipe: read from go() on."""

    def __init__(self, path):
        os.mkfifo(path)
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._parts: list[bytes] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def go(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                self._parts.append(os.read(self._fd, 1 << 20))
            except BlockingIOError:
                if self._stop.wait(0.01):
                    return

    def finish(self) -> bytes:
        """Everything, up to what is there now."""
        self._stop.set()
        self._thread.join()
        return b"".join(self._parts)

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        os.close(self._fd)


@pytest.fixture
def reader(tmp_path):
    reader = Reader(tmp_path / "records")
    yield reader
    reader.close()


def writing_to(path) -> list[str]:
    """A prefix for standard output."""
    return ["sh", "-c", 'file=$1; shift; exec "$@" >"$file"', "sh", str(path)]


def record(line: str) -> Record:
    told = json.loads(line)
    return Record(key=told["key"].encode(), value=told["value"] and told["value"].encode())


@pytest.mark.sanitize("thread")
def test_a_reader_that_stands_still(line, reader, full, say, impact):
    """For longer than PostgreSQL waits for an answer."""
    worker = line.streaming(
        prefix=writing_to(reader.path),
        arguments=["--sink", "stdout"],
        cdc={"walSenderTimeout": f"{PATIENCE_SECONDS}s"},
    )
    pid = line.walsender()
    with line.writers():
        worker.wait(lambda: worker.status()["blocked"] == ["outbox"], "it reads no more", timeout=60)
        strike = impact.strike(worker, "nobody reads standard output")
        before = worker.status()
        time.sleep(PATIENCE_SECONDS * (20 if full else 4))  # how long it stands still
        assert worker.get("/livez")[0] == worker.get("/readyz")[0] == 200
        after = worker.status()
        assert after["state"] == "streaming" and line.walsender() == pid, "PostgreSQL is answered all the time"
        assert after["confirmed_lsn"] == before["confirmed_lsn"], "nothing is confirmed meanwhile"
        reader.go()
        strike.over(worker)
    line.scenario.settle(worker, timeout=60)
    impact.prove()
    assert worker.metrics()["pqcdc_stream_starts_total"] == 1
    assert worker.terminate() == 0
    records = map(record, reader.finish().decode().splitlines())
    with line.scenario.connect() as connection:
        verdicts = judge(
            read_history(connection), read_rows(connection), filter(None, map(parse_event, records))
        )
    say(str(verdicts))
    assert verdicts.loss_free and verdicts.ordered and verdicts.settled, str(verdicts)
    assert verdicts.duplicates == 0 and verdicts.changes > 0
