"""The judge on real servers: a faultless producer that copies the history into a topic, and one
that loses a change."""

import json

from confluent_kafka import Producer

from lab import workload
from lab.checker import judge_topic
from lab.waiting import wait_until
from lab.workload import Writers, expected_payload


def produce(scenario, history) -> None:
    producer = Producer({"bootstrap.servers": scenario.kafka.bootstrap, "enable.idempotence": True})
    for id_, changes in history.items():
        for operation, n in changes:
            value = {"id": id_, "n": n, "operation": operation, "payload": expected_payload(id_, n)}
            producer.produce(scenario.topic, json.dumps(value), str(id_))
            producer.poll(0)
    assert producer.flush(30) == 0


def written_history(scenario):
    with scenario.connect() as connection:
        workload.create(connection, ids=50)
        with Writers(scenario.dsn, ids=50) as writers:
            wait_until(lambda: writers.transactions >= 200, "200 transactions")
        return workload.read_history(connection)


def test_copied_history_is_acquitted(scenario):
    history = written_history(scenario)
    produce(scenario, history)
    verdicts = judge_topic(scenario.dsn, scenario.kafka.bootstrap, scenario.topic)
    count = sum(map(len, history.values()))
    assert str(verdicts) == f"verdicts: L=ok O=ok D=0 S=ok (changes={count}, events={count})"


def test_lost_change_is_found(scenario):
    history = written_history(scenario)
    id_, lost = next((id_, changes[1]) for id_, changes in history.items() if len(changes) > 2)
    produce(scenario, {**history, id_: [c for c in history[id_] if c != lost]})
    verdicts = judge_topic(scenario.dsn, scenario.kafka.bootstrap, scenario.topic)
    assert not verdicts.loss_free
    assert verdicts.missing == [f"id {id_}: {lost.operation} n={lost.n}"]
