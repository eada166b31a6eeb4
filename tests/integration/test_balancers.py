"""The partition of each record is the one that kafka-go's balancer of that name chooses."""

import json
from collections import defaultdict
from pathlib import Path

import pytest

# Recorded from the original: balancer -> number of partitions -> key -> partition.
VECTORS: dict[str, dict[int, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
DATA = Path(__file__).resolve().parents[1] / "data" / "kafka-go-partitions.tsv"
for line in DATA.read_text().splitlines():
    if not line.startswith("#"):
        name, partitions, key, partition = line.split("\t")
        VECTORS[name][int(partitions)][key] = int(partition)

SPREAD = 60  # rows without a key


@pytest.fixture
def spread(scenario):
    """spread(balancer, columns, counts) -> a worker, with a table and a topic of each number of partitions, which
    are made once."""
    made = set()

    def start(balancer: str, columns: str, counts):
        for count in set(counts) - made:
            scenario.execute(f"create table p{count} ({columns})")
            scenario.create_topic(f"p{count}", count)
            made.add(count)
        kafka = {"balancer": balancer, "tableTopicMapping": None, "topicTemplate": f"{scenario.name}.{{table}}"}
        cdc = {"publication": {"operations": ["INSERT"]}}
        return scenario.streaming(scenario.config([f"p{count}" for count in counts], kafka=kafka, cdc=cdc))

    return start


def records_of(scenario, count: int):
    return scenario.records(f"{scenario.name}.p{count}")


def test_every_line_of_the_vectors_is_there():
    assert sorted(VECTORS) == ["CRC32Balancer", "Hash", "Murmur2Balancer", "ReferenceHash"]
    assert {count for counts in VECTORS.values() for count in counts} == {1, 3, 7, 12, 100}
    assert sum(len(keys) for counts in VECTORS.values() for keys in counts.values()) == 280


def test_each_key_goes_where_the_original_sends_it(scenario, spread):
    """One balancer after the other, with the same topics: making them is what takes long."""
    for balancer, vectors in VECTORS.items():
        worker = spread(balancer, "k text primary key, balancer text", vectors)
        for count, keys in vectors.items():
            scenario.execute(f"insert into p{count} select unnest(%s::text[]), %s", (list(keys), balancer))
        scenario.settle(worker)
        assert worker.terminate() == 0
        for count in vectors:
            scenario.execute(f"truncate p{count}")
    found = defaultdict(lambda: defaultdict(dict))
    for count in VECTORS["Hash"]:
        for record in records_of(scenario, count):
            found[json.loads(record.value)["balancer"]][count][record.key.decode()] = record.partition
    assert found == VECTORS


def in_order(records):
    return sorted(records, key=lambda record: json.loads(record.value)["n"])


def insert(scenario, worker, count: int, value: str) -> None:
    """The first row alone: what comes before the client knows the partitions is not weighed one by one."""
    scenario.execute(f"insert into p{count} select 1, {value} from generate_series(1, 1) n")
    scenario.settle(worker)
    scenario.execute(f"insert into p{count} select n, {value} from generate_series(2, {SPREAD}) n")
    scenario.settle(worker)


def test_round_robin_takes_turns_whatever_the_key(scenario, spread):
    worker = spread("RoundRobin", "n int, k text primary key", (3, 7))
    for count in (3, 7):
        insert(scenario, worker, count, "md5(n::text)")
        found = [record.partition for record in in_order(records_of(scenario, count))]
        assert found == [turn % count for turn in range(SPREAD)]


def test_least_bytes_takes_the_partition_that_got_the_least(scenario, spread):
    worker = spread("LeastBytes", "n int, k text primary key", (3, 7))
    for count in (3, 7):
        insert(scenario, worker, count, "n || repeat('x', n * 37 % 101)")
        weights = [0] * count
        for record in in_order(records_of(scenario, count)):
            assert record.partition == weights.index(min(weights)), weights
            weights[record.partition] += len(record.key) + len(record.value)


@pytest.mark.parametrize("balancer", ["Hash", "ReferenceHash"])
def test_without_a_key_records_are_spread(scenario, spread, balancer):
    """In turns by Hash, by chance by the others, of which one is tried."""
    worker = spread(balancer, "n int, t text", (3,))
    insert(scenario, worker, 3, "'a'")
    records = in_order(records_of(scenario, 3))
    assert {record.key for record in records} == {None}
    found = [record.partition for record in records]
    turns = [turn % 3 for turn in range(SPREAD)]
    if balancer == "Hash":
        assert found == turns
    else:
        assert set(found) == {0, 1, 2} and found != turns
