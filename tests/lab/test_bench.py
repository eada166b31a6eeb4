"""What measures, measured: content checks must see a wrong record, shares must add up."""

import json
import xml.dom.minidom
from collections import Counter

import pytest

from lab.bench.debezium import Debezium
from lab.bench.flame import Frame, svg, tree
from lab.bench.line import meets
from lab.bench.measure import percentile, spread
from lab.bench.profile import owners, read_stacks, step_of
from lab.bench.takeover import Arrival, Said, Tally, marks_of, parse_pos, widest
from lab.bench.workloads import WORKLOADS
from lab.topics import Record

USERS = WORKLOADS["users"]

PERF = """pipeline
\t    7f01 malloc+0x10 (/usr/lib/libc.so.6)
\t    7f02 [unknown] (/usr/lib/librdkafka.so.1)
\t    7f03 [unknown] (/usr/lib/librdkafka.so.1)
\t    5501 producer_send+0x20 (/bin/pqcdc)
\t    5502 turn.constprop.0+0x20 (/bin/pqcdc)
\t    7f04 start_thread (/usr/lib/libc.so.6)

rdk:broker1
\tffff81 tcp_sendmsg ([kernel.kallsyms])
\t    0 [unknown] ([unknown])
"""


def record(number: int, value: str | None = None) -> Record:
    text = USERS.value.replace("$", str(number)) if value is None else value
    return Record(key=str(number).encode(), value=text.encode())


def test_a_right_record_is_right():
    assert USERS.difference(7, record(7)) is None


@pytest.mark.parametrize(
    "wrong",
    [
        record(8),
        Record(key=b"8", value=record(7).value),
        Record(key=None, value=record(7).value),
        Record(key=b"7", value=None),
        record(7, record(7).value.decode() + " "),
    ],
)
def test_a_wrong_record_is_seen(wrong):
    assert "record 7 differs" in USERS.difference(7, wrong)


def test_every_workload_names_each_row():
    for workload in WORKLOADS.values():
        json.loads(workload.value.replace("$", "1"))
        assert workload.difference(2, Record(key=b"2", value=workload.value.replace("$", "1").encode()))


def test_the_envelope_of_debezium_is_flattened():
    envelope = {"before": None, "after": {"id": 7, "name": "Oyleli7", "created_on": None}, "op": "c"}
    flat = Debezium.flatten(Record(key=b'{"id":7}', value=json.dumps(envelope).encode()))
    assert USERS.difference(7, flat) is None
    deleted = Debezium.flatten(Record(key=b'{"id":7}', value=b'{"after":null,"op":"d"}'))
    assert USERS.difference(7, deleted)


def test_percentiles():
    values = list(range(1000, 0, -1))
    assert [percentile(values, percent) for percent in (50, 99, 99.9, 100)] == [500, 990, 999, 1000]
    assert percentile([3.5], 99.9) == 3.5
    assert spread([3, 1, 2], 1) == "2.0 (1.0..3.0)"
    assert spread([None], 1) == "-"


def test_aims():
    assert meets(1.5, ">= 1.50") and not meets(1.49, ">= 1.50")
    assert meets(0.4, "<= 0.40") and not meets(0.41, "<= 0.40")


def test_stacks_are_read():
    sender, broker = read_stacks(PERF)
    assert [frame.name for frame in sender] == ["pipeline", "turn", "producer_send", "(librdkafka)", "malloc"]
    assert [frame.owner for frame in sender[1:]] == ["pqcdc", "pqcdc", "librdkafka", "libc"]
    assert [frame.name for frame in broker] == ["rdk:broker", "tcp_sendmsg"]
    assert step_of(sender) == "hand to librdkafka"


def test_shares_add_up():
    stacks = dict(zip(read_stacks(PERF), (3, 1)))
    root = tree(stacks)
    assert root.samples == 4 == sum(child.samples for child in root.above.values())
    assert root.above[Frame("pipeline", "other")].samples == 3
    drawn = xml.dom.minidom.parseString(svg(stacks, "a < b"))
    titles = [node.firstChild.data for node in drawn.getElementsByTagName("title")]
    assert "producer_send: 75.0 %" in titles and "tcp_sendmsg: 25.0 %" in titles
    assert "| pipeline | libc | 75.0 % |" in owners(Counter(stacks))


def test_what_comes_once_more_does_not_end_a_gap():
    tally = Tally()
    for at, commit_lsn in ((1.0, 10), (1.1, 20), (3.0, 10), (3.1, 20), (3.2, 30)):
        tally.take(at, (commit_lsn, 0), commit_lsn)
    assert [arrival.is_new for arrival in tally.arrivals] == [True, True, False, False, True]
    assert tally.disordered == 0 and tally.ids == {10, 20, 30}
    assert widest(tally.since(2), 1.5, 3.1) == (1.1, 3.2)


def test_a_gap_elsewhere_is_not_the_fault_s():
    arrivals = [Arrival(at, True) for at in (0.0, 5.0, 5.1, 5.4, 5.5, 9.0)]
    assert widest(arrivals, 5.05, 5.45) == (5.1, 5.4)
    with pytest.raises(AssertionError):
        widest(arrivals, 9.5, 10)


def test_what_comes_too_late_for_its_place_is_seen():
    tally = Tally()
    for pos in (b"10/0", b"10/1", b"30/0", b"20/0", b"40/0"):
        tally.take(1.0, parse_pos(pos), 1)
    assert tally.disordered == 1


def test_the_steps_of_a_take_over_are_found():
    said = Said(
        by_server=[
            (1.01, "[7] pqcdc:a LOG:  disconnection: session time: 0:00:10.000"),
            (1.02, "[8] psql LOG:  disconnection: session time: 0:00:00.100"),
            (1.45, "[9] pqcdc:b LOG:  received replication command: START_REPLICATION SLOT s"),
            (9.00, "[9] pqcdc:b LOG:  received replication command: START_REPLICATION SLOT s"),
        ],
        by_leader=[(1.0, {"msg": "asked to stop"})],
        by_successor=[
            (1.2, {"msg": "nobody", "election": "acquiring", "before": "following"}),
            (1.3, {"msg": "ours", "election": "leading", "before": "acquiring"}),
            (1.3, {"msg": "starting", "before": "standby"}),
            (1.5, {"msg": "streaming", "before": "starting"}),
            (3.5, {"msg": "renewed", "election": "leading", "before": "leading"}),
        ],
    )
    steps = {"fault": 1.0, "freed": 1.01, "claim": 1.2, "lease": 1.3, "start": 1.3, "command": 1.45}
    assert marks_of(1.0, said, walsender=7) == {**steps, "stream": 1.5}
