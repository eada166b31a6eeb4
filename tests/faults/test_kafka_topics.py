"""A topic changes under the line: it is deleted and made again, or gets more partitions."""

import json
from collections import defaultdict

import pytest
from confluent_kafka import KafkaException

from lab.scenario import merge
from lab.topics import add_partitions, create_topic, delete_topic, partitions_of
from lab.waiting import wait_until


@pytest.mark.sanitize("address")
@pytest.mark.parametrize("moment", ["idle", "on their way"])
def test_topic_is_deleted_and_made_again(scenario, kafka, proxy, impact, moment):
    """What it held is gone with it; what was not yet acknowledged goes to the new one."""
    scenario.execute("create table users (id int primary key, name text)")
    soon = {"topic.metadata.propagation.max.ms": "500"}
    by_proxy = {"brokers": [kafka.proxied_bootstrap], "properties": soon}
    worker = scenario.streaming(scenario.config(cdc={"onHalt": "wait"}, kafka=by_proxy))
    scenario.execute("insert into users values (1, 'before')")
    scenario.settle(worker)
    if moment == "on their way":
        proxy.stall()
        scenario.execute("insert into users values (2, 'on its way')")
        worker.wait(lambda: worker.status()["in_flight_records"] == 1, "it is on its way")
        impact.strike(worker, "topic deleted")
    delete_topic(kafka.bootstrap, scenario.topic)
    wait_until(lambda: not partitions_of(kafka.bootstrap, scenario.topic), "the topic is gone")
    if moment == "idle":
        scenario.execute("insert into users values (2, 'while there is none')")
    proxy.go()
    reason = worker.wait_state("halted")["reason"]
    impact.told(worker, "topic gone")
    impact.prove(2 if moment == "on their way" else 1)
    assert reason["code"] in ("topic_missing", "_UNKNOWN_PARTITION")
    assert scenario.topic in reason["text"]
    assert "create" in reason["advice"].lower()
    create_topic(kafka.bootstrap, scenario.topic)
    worker.wait_streaming()
    scenario.execute("insert into users values (3, 'after')")
    scenario.settle(worker)
    assert [value["id"] for value in scenario.values()] == [2, 3]


def in_use(line, partition: int) -> bool:
    try:
        return line.scenario.reader.ends(line.topic).get(partition, 0) > 0
    except KafkaException:
        return False  # nobody leads it yet


def test_topic_gets_more_partitions_while_it_is_written(line, kafka, say, impact):
    """Nothing is lost, and each partition is in order; but keys move, as with every Kafka producer."""
    worker = line.scenario.streaming(merge(line.config(), {"kafka": {"metadataTTL": "1s"}}))
    with line.writers(largest=200, pause=0.002):
        worker.wait_delivery()
        impact.strike(worker, "partitions added")
        add_partitions(kafka.bootstrap, line.topic, 5)
        worker.wait(lambda: in_use(line, 4), "the new ones are used")
        worker.wait_delivery()
    line.scenario.settle(worker)
    impact.prove()
    assert line.verdicts().loss_free
    partitions, latest = defaultdict(set), defaultdict(int)
    for record in line.scenario.records(line.topic):
        value = json.loads(record.value)
        place = (value["id"], record.partition)
        partitions[value["id"]].add(record.partition)
        assert value["n"] >= latest[place], f"id {place[0]} goes back in partition {place[1]}"
        latest[place] = value["n"]
    moved = sum(len(numbers) > 1 for numbers in partitions.values())
    assert moved > 0, "proved nothing: every key stayed"
    assert all(len(numbers) <= 2 for numbers in partitions.values()), "a key moves once"
    say(f"{moved} of {len(partitions)} keys moved to another partition")
