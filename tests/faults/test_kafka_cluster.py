"""Three brokers, each partition on all of them: leaders and replicas come and go, the line goes on."""

import json
import time
from contextlib import ExitStack

import pytest

from lab.line import NARROW
from lab.proxy import Proxy
from lab.topics import create_topic, partitions_of, set_topic
from lab.waiting import wait_until

pytestmark = pytest.mark.xdist_group("cluster")  # one process, one cluster


@pytest.fixture
def kafka(cluster):
    """The line of this file writes to the cluster."""
    yield cluster
    cluster.mend()
    wait_until(lambda: cluster.whole(), "all brokers lead and follow again", timeout=60)


def start(line):
    return line.streaming(kafka=NARROW)


def stands_still(line, worker, seconds: float) -> None:
    """For that long nothing is confirmed and nothing breaks: PostgreSQL is answered all the time."""
    before, pid = worker.status(), line.walsender()
    time.sleep(seconds)  # how long the outage lasts
    after = worker.status()
    assert after["state"] == "streaming"
    assert after["confirmed_lsn"] == before["confirmed_lsn"]
    assert after["in_flight_bytes"] <= worker.in_flight_limit_bytes
    assert line.walsender() == pid


@pytest.mark.sanitize("thread")
def test_leader_is_killed_with_batches_in_flight(line, cluster, acquit_of_repeats, full, impact):
    rounds = 5 if full else 1
    worker = start(line)
    with line.writers(largest=200, pause=0.002):
        for _ in range(rounds):
            worker.wait_delivery(more=500)
            leader = cluster.leader(line.topic)
            cluster.brokers[leader].freeze()
            worker.wait(lambda: worker.status()["in_flight_records"] > 100, "batches wait for the leader")
            strike = impact.strike(worker, "the leader is killed")
            cluster.brokers[leader].kill()
            worker.wait(lambda: cluster.leader(line.topic) not in (leader, -1), "another leads")
            strike.over(worker)
            cluster.brokers[leader].start()
            worker.wait(lambda: cluster.whole(), "it follows again", timeout=60)
    line.scenario.settle(worker, timeout=60)
    acquit_of_repeats(line, worker)  # what came twice was recognised by the brokers
    impact.prove(rounds)


def test_too_few_replicas_in_sync(line, cluster, acquit_of_repeats, full, say, impact):
    set_topic(cluster.bootstrap, line.topic, **{"min.insync.replicas": "3"})
    worker = start(line)
    with line.writers(largest=200, pause=0.002):
        worker.wait_delivery(more=500)
        away = next(id_ for id_ in cluster.brokers if id_ != cluster.leader(line.topic))
        strike = impact.strike(worker, "a replica is away, all are asked for")
        cluster.brokers[away].stop()
        worker.wait(lambda: cluster.in_sync(line.topic) == set(cluster.brokers) - {away}, "ISR has shrunk")
        held = worker.wait_full()["in_flight_records"]
        stands_still(line, worker, 30 if full else 2)
        say(f"{held} records were held while two of three replicas were in sync")
        cluster.brokers[away].start()
        strike.over(worker)
    line.scenario.settle(worker, timeout=60)
    acquit_of_repeats(line, worker)
    assert held > 1000, "proved nothing: hardly a record had to wait"


def test_tries_are_used_up(line, cluster, acquit, impact):
    """The line begins anew with what is not confirmed, as often as it takes; nothing is dropped."""
    set_topic(cluster.bootstrap, line.topic, **{"min.insync.replicas": "3"})
    line.changes = {"kafka": {"producerMaxAttempts": 3}}
    worker = start(line)
    with line.writers(largest=200, pause=0.01):
        worker.wait_delivery()
        away = next(id_ for id_ in cluster.brokers if id_ != cluster.leader(line.topic))
        strike = impact.strike(worker, "a replica is away, all are asked for, three times")
        cluster.brokers[away].stop()
        worker.wait(lambda: len(worker.find_logs("^NOT_ENOUGH_REPLICAS")) >= 2, "it begins anew, and again")
        cluster.brokers[away].start()
        strike.over(worker)
    line.scenario.settle(worker, timeout=60)
    acquit(line)


def test_majority_of_the_brokers_is_away(line, cluster, acquit_of_repeats, full, impact):
    worker = start(line)
    with line.writers(largest=200, pause=0.002):
        worker.wait_delivery(more=500)
        strike = impact.strike(worker, "two of three brokers are killed")
        for id_ in (1, 2):
            cluster.brokers[id_].kill()
        worker.wait_full()
        stands_still(line, worker, 60 if full else 2)
        cluster.mend()
        strike.over(worker)
    line.scenario.settle(worker, timeout=60)
    acquit_of_repeats(line, worker)
    impact.prove()


def test_rolling_restart(line, cluster, acquit_of_repeats, full, say, impact):
    worker = start(line)
    with line.writers(largest=200, pause=0.005):
        for number in range(3 if full else 1):
            for id_, broker in cluster.brokers.items():
                worker.wait_delivery(more=500)
                led = [n for n, p in partitions_of(cluster.bootstrap, line.topic).items() if p.leader == id_]
                with broker.frozen():  # whether it leads or follows: nothing is acknowledged without it
                    worker.wait(lambda: worker.status()["in_flight_records"] > 100, f"broker {id_} is waited for")
                    strike = impact.strike(worker, f"broker {id_} restarts")
                broker.stop()
                strike.over(worker)
                worker.wait_delivery(more=500)  # while it is away
                broker.start()
                worker.wait(lambda: cluster.whole(), f"broker {id_} is in sync again", timeout=60)
                say(f"round {number + 1}: broker {id_} restarted, which led partitions {led}")
    line.scenario.settle(worker, timeout=60)
    acquit_of_repeats(line, worker)
    impact.prove(len(impact.strikes))
    assert worker.status()["state"] == "streaming"


@pytest.mark.parametrize("fault", ["kill", "freeze"])
def test_one_partition_without_a_leader(line, cluster, acquit_of_repeats, fault, say, impact):
    """The slot never passes what that partition has not got; the others go on until the line is full."""
    line.topic = f"{line.topic}.apart"
    settings = {"min.insync.replicas": "1"}
    create_topic(cluster.bootstrap, line.topic, replicas=[[1], [2], [3]], **settings)
    worker = start(line)
    change(line, range(1, 100))
    line.scenario.settle(worker)
    partition = {json.loads(r.value)["id"]: r.partition for r in line.scenario.records(line.topic)}
    stuck = [id_ for id_, number in partition.items() if number == 0]
    free = [id_ for id_, number in partition.items() if number != 0]
    acked = worker.status()["records_acked"]
    getattr(cluster.brokers[1], fault)()
    change(line, stuck[:1])
    committed = line.scenario.execute("select pg_current_wal_insert_lsn()")[0][0]
    for id_ in free:
        change(line, [id_])
    worker.wait(lambda: worker.status()["records_acked"] == acked + len(free), "the others are delivered")
    strike = impact.strike(worker, f"{fault} of the only replica of one partition")
    assert strike.records_unconfirmed == 1
    assert not passed(line, committed), "the slot has passed a record that Kafka has not got"
    with line.writers(largest=100, pause=0.002):
        held = worker.wait_full()
        stands_still(line, worker, 2)
        assert not passed(line, committed)
        say(f"{held['records_acked'] - acked} records passed by the one that waits, until the line was full")
        cluster.mend()
        strike.over(worker)
    line.scenario.settle(worker, timeout=60)
    acquit_of_repeats(line, worker)
    impact.prove()


@pytest.fixture
def ways(cluster):
    """The way to each broker, by its id."""
    with ExitStack() as stack:
        yield {
            id_: stack.enter_context(Proxy(broker.proxied_port, broker.proxy_port))
            for id_, broker in cluster.brokers.items()
        }


@pytest.mark.parametrize("end", ["mended", "killed"])
def test_one_partition_is_slow(line, cluster, ways, acquit, acquit_of_repeats, say, impact, end):
    """One of three partitions takes 40 kB a second. The line goes on at its pace: the others are ahead of it
    by as much as may be in flight, and who dies then repeats that."""
    line.topic = f"{line.topic}.apart"
    create_topic(cluster.bootstrap, line.topic, replicas=[[1], [2], [3]], **{"min.insync.replicas": "1"})
    brokers = [broker.proxied_bootstrap for broker in cluster.brokers.values()]
    line.changes = {"kafka": {"brokers": brokers, **NARROW}, "format": {"headers": ["pos"]}}
    worker = line.streaming()
    with line.writers(largest=200, pause=0.002):
        worker.wait_delivery(more=500)
        pid = line.walsender()
        ways[1].throttle(40_000)
        full = worker.wait_full()
        strike = impact.strike(worker, f"one partition is slow, {end}")
        slow = line.reader_ends()[0]
        worker.wait(lambda: worker.status()["confirmed_lsn"] != full["confirmed_lsn"], "the slot goes on")
        worker.wait(lambda: line.reader_ends()[0] > slow, "the slow partition goes on")
        worker.wait_full()
        assert worker.status()["state"] == "streaming" and line.walsender() == pid
        if end == "killed":
            worker.kill()
            ahead = line.left_behind()
            worker = line.streaming()
        ways[1].throttle(None)
        strike.over(worker)
    line.scenario.settle(worker, timeout=60)
    impact.prove()
    if end == "killed":
        say(f"{ahead} records were ahead of the slow partition")
        assert ahead > 1000, "proved nothing: hardly a record was ahead"
        assert acquit(line).duplicates >= ahead
    else:
        acquit_of_repeats(line, worker)


def change(line, ids) -> None:
    line.scenario.execute("select change_rows(%s)", (list(ids),))


def passed(line, lsn: str) -> bool:
    return line.scenario.execute(
        "select confirmed_flush_lsn > %s from pg_replication_slots where slot_name = %s",
        (lsn, line.scenario.slot),
    )[0][0]
