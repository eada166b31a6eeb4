"""The judge: does a topic tell the table's own history?

    L  every committed change is present, and nothing else is (aborted, unknown or altered rows)
    O  per key, the first occurrences of its changes stand in commit order, in one partition
    D  how many events are there more than once
    S  the last event of each key equals the table

As a command it reads the tables of lab/workload.py and a topic:
    python -m lab.checker --dsn DSN --bootstrap HOST:PORT --topic TOPIC
It prints one line and what is wrong; exit status 1 when L, O or S is violated.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import psycopg

from lab.topics import Record, TopicReader
from lab.workload import ABORTED, Change, Row, expected_payload, read_history, read_rows

EXAMPLES = 5


class Event(NamedTuple):
    id: int
    change: Change
    payload: str
    partition: int


@dataclass
class Verdicts:
    changes: int = 0
    events: int = 0
    duplicates: int = 0
    missing: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)

    @property
    def loss_free(self) -> bool:
        return not self.missing and not self.foreign

    @property
    def ordered(self) -> bool:
        return not self.disordered

    @property
    def settled(self) -> bool:
        return not self.stale

    def __str__(self) -> str:
        def word(holds: bool) -> str:
            return "ok" if holds else "VIOLATED"

        lines = [
            f"verdicts: L={word(self.loss_free)} O={word(self.ordered)} D={self.duplicates} "
            f"S={word(self.settled)} (changes={self.changes}, events={self.events})"
        ]
        for name in ("missing", "foreign", "disordered", "stale"):
            found = getattr(self, name)
            if found:
                rest = f" and {len(found) - EXAMPLES} more" if len(found) > EXAMPLES else ""
                lines.append(f"  {name}: {'; '.join(found[:EXAMPLES])}{rest}")
        return "\n".join(lines)


def parse_event(record: Record) -> Event | None:
    """An event of the flat format; None for a tombstone."""
    if record.value is None:
        return None
    value = json.loads(record.value)
    if record.key is None or int(record.key) != value["id"]:
        raise ValueError(f"key {record.key!r} of the row with id {value['id']} at offset {record.offset}")
    return Event(
        value["id"], Change(value["operation"], value["n"]), value["payload"], record.partition
    )


def judge(
    history: Mapping[int, Sequence[Change]], rows: Mapping[int, Row], events: Iterable[Event]
) -> Verdicts:
    verdicts = Verdicts(changes=sum(map(len, history.values())))
    by_key: dict[int, list[Event]] = {}
    for event in events:
        verdicts.events += 1
        by_key.setdefault(event.id, []).append(event)
    for id_ in sorted(history.keys() | by_key.keys()):
        told = by_key.get(id_, [])
        _judge_content(id_, history.get(id_, ()), told, verdicts)
        _judge_order(id_, history.get(id_, ()), told, verdicts)
        _judge_end(id_, rows.get(id_), told, verdicts)
    return verdicts


def _judge_content(id_: int, changes: Sequence[Change], told: list[Event], verdicts: Verdicts) -> None:
    committed = set(changes)
    seen = {event.change for event in told}
    verdicts.duplicates += len(told) - len(seen)
    verdicts.missing += [f"id {id_}: {c.operation} n={c.n}" for c in changes if c not in seen]
    for event in told:
        what = f"id {id_}: {event.change.operation} n={event.change.n}"
        if event.payload == ABORTED:
            verdicts.foreign.append(f"{what} was rolled back")
        elif event.change not in committed:
            verdicts.foreign.append(f"{what} was never committed")
        elif event.payload != expected_payload(id_, event.change.n):
            verdicts.foreign.append(f"{what} carries another payload")


def _judge_order(id_: int, changes: Sequence[Change], told: list[Event], verdicts: Verdicts) -> None:
    place = {change: number for number, change in enumerate(changes)}
    first_occurrences = dict.fromkeys(event.change for event in told if event.change in place)
    latest = -1
    for change in first_occurrences:
        if place[change] < latest:
            verdicts.disordered.append(
                f"id {id_}: {change.operation} n={change.n} after n={changes[latest].n}"
            )
        latest = max(latest, place[change])
    if len({event.partition for event in told}) > 1:
        verdicts.disordered.append(f"id {id_} is in several partitions")


def _judge_end(id_: int, row: Row | None, told: list[Event], verdicts: Verdicts) -> None:
    last = told[-1] if told else None
    if last is None or last.change.operation == "DELETE":
        equal = row is None
    else:
        equal = row == Row(last.change.n, last.payload)
    if not equal:
        verdicts.stale.append(
            f"id {id_}: the topic ends with {last.change if last else None}, the table has {row}"
        )


def judge_topic(dsn: str, bootstrap: str, topic: str) -> Verdicts:
    reader = TopicReader(bootstrap)
    try:
        records = reader.read(topic)
    finally:
        reader.close()
    with psycopg.connect(dsn) as connection:
        history, rows = read_history(connection), read_rows(connection)
    return judge(history, rows, filter(None, map(parse_event, records)))


def main() -> int:
    parser = argparse.ArgumentParser(description="Judges a topic by the table's own history.")
    parser.add_argument("--dsn", required=True)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    options = parser.parse_args()
    verdicts = judge_topic(options.dsn, options.bootstrap, options.topic)
    print(verdicts)
    return 0 if verdicts.loss_free and verdicts.ordered and verdicts.settled else 1


if __name__ == "__main__":
    sys.exit(main())
