"""One take-over: what arrived in the topic around it, and what the logs say of it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition

from lab.servers import Postgres
from lab.worker import Worker

# What happens between a fault and the first new record, in this order.
STEPS = {
    "fault": "the fault",
    "freed": "PostgreSQL frees the slot",
    "given": "the old leader has given the Lease back",
    "claim": "the candidate claims the Lease",
    "lease": "the Lease is its",
    "start": "its connector starts",
    "command": "START_REPLICATION arrives at PostgreSQL",
    "stream": "the stream is open",
    "read": "its first change is read",
    "first": "its first record is in the topic",
    "new": "the first record that was not there is in the topic",
}


class Arrival(NamedTuple):
    at: float  # seconds since 1970, as the broker appended it
    is_new: bool


class Tally:
    """What came of what was sent: each record once more is a duplicate; each must come behind all those
    whose pos is below its own."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.ids: set[int] = set()
        self.disordered = 0
        self._seen: set[tuple[int, int]] = set()
        self._last = (0, -1)

    def take(self, at: float, pos: tuple[int, int], id_: int) -> None:
        is_new = pos not in self._seen
        if is_new:
            self._seen.add(pos)
            self.disordered += pos < self._last
            self._last = max(self._last, pos)
        self.ids.add(id_)
        self.arrivals.append(Arrival(at, is_new))

    def since(self, count: int) -> list[Arrival]:
        """Without the first so many, but with the new one before."""
        start = count
        while start > 0 and (start == count or not self.arrivals[start].is_new):
            start -= 1
        return self.arrivals[start:]


def parse_pos(text: bytes) -> tuple[int, int]:
    commit_lsn, ordinal = text.decode().split("/")
    return int(commit_lsn), int(ordinal)


class Topic:
    """One partition, read on from where it was read to before."""

    def __init__(self, bootstrap: str, name: str):
        self.name = name
        self.tally = Tally()
        self._next = 0
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "pqcdc-bench",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 20,
                "log_level": 2,
            }
        )

    def close(self) -> None:
        self._consumer.close()

    def read_on(self) -> None:
        end = self._consumer.get_watermark_offsets(TopicPartition(self.name, 0), timeout=30)[1]
        self._consumer.assign([TopicPartition(self.name, 0, self._next)])
        try:
            while self._next < end:
                for message in self._consumer.consume(num_messages=10000, timeout=1):
                    if message.error() is not None:
                        raise KafkaException(message.error())
                    self._take(message)
        finally:
            self._consumer.unassign()

    def _take(self, message) -> None:
        if message.offset() < self._next:
            return
        self._next = message.offset() + 1
        pos = parse_pos(dict(message.headers())["pos"])
        self.tally.take(message.timestamp()[1] / 1000, pos, int(message.key()))


def widest(arrivals: Sequence[Arrival], begin: float, end: float) -> tuple[float, float]:
    """The two consecutive new ones that are furthest apart, of those that have anything between them of
    the time from begin to end."""
    times = [arrival.at for arrival in arrivals if arrival.is_new]
    pairs = [(a, b) for a, b in zip(times, times[1:]) if b >= begin and a <= end]
    assert pairs, "nothing new arrived"
    return max(pairs, key=lambda pair: pair[1] - pair[0])


class ServerLog:
    """PostgreSQL's: when a walsender ended, and when a stream was asked for."""

    SETTINGS = {
        "log_disconnections": "on",
        "log_line_prefix": "%n [%p] %a ",
        "log_replication_commands": "on",
    }

    def __init__(self, postgres: Postgres):
        self._file = postgres.state / "server.log"
        for name, value in self.SETTINGS.items():
            postgres.execute(f"alter system set {name} = '{value}'")
        postgres.execute("select pg_reload_conf()")

    def since(self, moment: float) -> Iterator[tuple[float, str]]:
        """When, and what behind that."""
        for line in self._file.read_text(errors="replace").splitlines():
            found = re.match(r"(\d+\.\d+) (\[\d+\] .*LOG:  .*)", line)
            if found and float(found[1]) >= moment:
                yield float(found[1]), found[2]


def said_since(worker: Worker, moment: float) -> Iterator[tuple[float, dict]]:
    for line in worker.logs():
        if "time" in line and (at := datetime.fromisoformat(line["time"]).timestamp()) >= moment:
            yield at, line


def streams_since(worker: Worker, moment: float) -> list[float]:
    """When it began to stream."""
    return [at for at, line in said_since(worker, moment) if line["msg"] == "streaming"]


@dataclass
class Said:
    """When, and what."""

    by_server: list[tuple[float, str]]
    by_leader: list[tuple[float, dict]]
    by_successor: list[tuple[float, dict]]


def marks_of(fault: float, said: Said, walsender: int) -> dict[str, float]:
    """Step -> when; but for those that the topic tells. walsender: the old leader's. Logs have whole
    milliseconds: what they say of the fault's own is of after it."""

    def first(lines: list[tuple[float, dict]], **values: str) -> float | None:
        return next((at for at, line in lines if values.items() <= line.items()), None)

    def last(until: float | None, **values: str) -> float | None:
        found = [at for at, line in said.by_successor if values.items() <= line.items()]
        return max((at for at in found if until and at <= until), default=None)

    def on_server(pattern: str, until: float = float("inf")) -> float | None:
        found = [at for at, text in said.by_server if at <= until and re.search(pattern, text)]
        return found[-1] if found else None

    stream = first(said.by_successor, msg="streaming")
    lease = first(said.by_successor, election="leading")
    marks = {
        "fault": fault,
        "freed": on_server(rf"^\[{walsender}\] .*disconnection: "),
        "given": first(said.by_leader, election="over", before="releasing"),
        "claim": last(lease, election="acquiring", before="following"),
        "lease": lease,
        "start": last(stream, msg="starting", before="standby"),
        "command": on_server("received replication command: START_REPLICATION", stream or 0),
        "stream": stream,
        "read": first(said.by_successor, msg="table found"),
    }
    return {step: max(at, fault) for step, at in marks.items() if at is not None}


@dataclass
class Fault:
    gap: float
    undisturbed: float  # the widest gap ahead of the fault
    marks: dict[str, float]
    duplicates: int
    again_bytes: int  # of WAL that PostgreSQL decodes once more: the slot's restart_lsn to where it stood
    taken_over: bool  # somebody began to stream

    def after(self, step: str) -> float | None:
        return self.marks[step] - self.marks["fault"] if step in self.marks else None
