"""The judge judged: each verdict must fail when it should, and only then."""

import json

import pytest

from lab.checker import Event, judge, parse_event
from lab.topics import Record
from lab.workload import ABORTED, Change, Row, expected_payload

HISTORY = {
    1: [Change("INSERT", 1), Change("UPDATE", 2), Change("DELETE", 2), Change("INSERT", 4)],
    2: [Change("INSERT", 1), Change("UPDATE", 2)],
}
ROWS = {1: Row(4, expected_payload(1, 4)), 2: Row(2, expected_payload(2, 2))}


def event(id_: int, operation: str, n: int, payload: str = "", partition: int = 0) -> Event:
    return Event(id_, Change(operation, n), payload or expected_payload(id_, n), partition)


@pytest.fixture
def events() -> list[Event]:
    """What a faultless line writes: both keys interleaved, each in its order."""
    return [
        event(1, "INSERT", 1),
        event(2, "INSERT", 1),
        event(1, "UPDATE", 2),
        event(1, "DELETE", 2),
        event(2, "UPDATE", 2),
        event(1, "INSERT", 4),
    ]


def verdicts(events, history=None, rows=None):
    judged = judge(HISTORY if history is None else history, ROWS if rows is None else rows, events)
    return judged.loss_free, judged.ordered, judged.duplicates, judged.settled


def test_faultless_line_is_acquitted(events):
    judged = judge(HISTORY, ROWS, events)
    assert str(judged) == "verdicts: L=ok O=ok D=0 S=ok (changes=6, events=6)"


def test_lost_change_violates_loss_alone(events):
    del events[2]
    assert verdicts(events) == (False, True, 0, True)


def test_lost_last_change_violates_loss_and_end(events):
    del events[-1]
    assert verdicts(events) == (False, True, 0, False)


def test_lost_key_is_named():
    judged = judge(HISTORY, ROWS, [])
    assert len(judged.missing) == 6
    assert "id 2: UPDATE n=2" in judged.missing
    assert not judged.settled


def test_rolled_back_row_violates_loss(events):
    events.insert(3, event(1, "UPDATE", 2, ABORTED))
    judged = judge(HISTORY, ROWS, events)
    assert judged.foreign == ["id 1: UPDATE n=2 was rolled back"]
    assert not judged.loss_free


def test_change_that_was_never_committed_violates_loss(events):
    events.insert(0, event(3, "INSERT", 1))
    judged = judge(HISTORY, {**ROWS, 3: Row(1, expected_payload(3, 1))}, events)
    assert judged.foreign == ["id 3: INSERT n=1 was never committed"]


def test_altered_payload_violates_loss(events):
    events[2] = event(1, "UPDATE", 2, "another")
    judged = judge(HISTORY, ROWS, events)
    assert judged.foreign == ["id 1: UPDATE n=2 carries another payload"]


def test_reordered_changes_violate_order_alone(events):
    events[2], events[3] = events[3], events[2]
    assert verdicts(events) == (True, False, 0, True)


def test_reordered_last_changes_violate_order_and_end(events):
    events[3], events[5] = events[5], events[3]
    assert verdicts(events) == (True, False, 0, False)


def test_order_between_keys_is_free(events):
    events[0], events[1] = events[1], events[0]
    assert verdicts(events) == (True, True, 0, True)


def test_key_in_two_partitions_violates_order(events):
    events[4] = event(2, "UPDATE", 2, partition=1)
    assert verdicts(events) == (True, False, 0, True)


def test_replayed_tail_counts_as_duplicates_and_keeps_order(events):
    assert verdicts(events + events[2:]) == (True, True, 4, True)


def test_replay_that_ends_early_violates_the_end(events):
    assert verdicts(events + events[2:3]) == (True, True, 1, False)


def test_deleted_row_that_lives_in_the_table_violates_the_end(events):
    del events[-1]
    history = {**HISTORY, 1: HISTORY[1][:-1]}
    assert verdicts(events, history) == (True, True, 0, False)
    assert verdicts(events, history, {2: ROWS[2]}) == (True, True, 0, True)


def test_examples_are_few_and_the_rest_is_counted():
    history = {1: [Change("INSERT", n) for n in range(1, 9)]}
    text = str(judge(history, {}, []))
    assert text.splitlines()[0] == "verdicts: L=VIOLATED O=ok D=0 S=ok (changes=8, events=0)"
    assert text.splitlines()[1].endswith("id 1: INSERT n=5 and 3 more")


def test_record_becomes_event():
    value = {"id": 7, "n": 3, "operation": "UPDATE", "payload": "p"}
    record = Record(b"7", json.dumps(value).encode(), partition=2)
    assert parse_event(record) == Event(7, Change("UPDATE", 3), "p", 2)


def test_tombstone_is_no_event():
    assert parse_event(Record(b"7", None)) is None


@pytest.mark.parametrize("key", [None, b"8"])
def test_wrong_key_is_not_read_past(key):
    value = {"id": 7, "n": 3, "operation": "UPDATE", "payload": "p"}
    with pytest.raises(ValueError, match="id 7"):
        parse_event(Record(key, json.dumps(value).encode()))
