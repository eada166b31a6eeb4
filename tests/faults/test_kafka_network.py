"""Between the line and Kafka (or PostgreSQL): silence, lost packets, latency, names that are gone."""

import time

import pytest

from lab.line import NARROW
from lab.network import Network
from lab.proxy import Proxy
from lab.scenario import merge
from lab.servers import Kafka

QUICK_TIMEOUTS = {"readTimeout": "2s", "writeTimeout": "2s"}


@pytest.fixture
def network():
    with Network() as network:
        yield network


@pytest.fixture
def ways(network, kafka, postgres):
    """Out of the namespace there is one way to Kafka and one to PostgreSQL."""
    with (
        Proxy(kafka.proxied_port, kafka.proxy_port, network) as to_kafka,
        Proxy(postgres.port, postgres.port, network) as to_postgres,
    ):
        yield {"kafka": to_kafka, "postgres": to_postgres}


def proxied(line, **changes) -> dict:
    """The line's configuration, by way of the proxy; little may be in flight."""
    bootstrap = line.scenario.kafka.proxied_bootstrap
    by_proxy = {"kafka": {"brokers": [bootstrap], **NARROW}}
    return merge(merge(line.config(), by_proxy), changes)


def stands_still(line, worker, seconds: float) -> None:
    """For that long nothing is confirmed, and the replication stream is the same one."""
    before, pid = worker.status(), line.walsender()
    assert before["in_flight_records"] > 0, "nothing waits: this proves nothing"
    time.sleep(seconds)  # how long the outage lasts
    after = worker.status()
    assert after["state"] == "streaming"
    assert after["confirmed_lsn"] == before["confirmed_lsn"]
    assert line.walsender() == pid, "PostgreSQL is answered all the time"


@pytest.mark.sanitize("thread")
def test_broker_accepts_and_never_answers(line, proxy, acquit_of_repeats, full, impact):
    """For longer than PostgreSQL waits for a silent reader, and than Kafka's client for an answer."""
    config = proxied(line, cdc={"walSenderTimeout": "4s"}, kafka=QUICK_TIMEOUTS)
    worker = line.scenario.streaming(config)
    with line.writers(largest=200, pause=0.002):
        worker.wait_delivery(more=500)
        strike = impact.strike(worker, "the broker does not answer any more")
        connections = proxy.accepted
        proxy.stall()
        worker.wait_full()
        stands_still(line, worker, 60 if full else 9)
        worker.wait(lambda: proxy.accepted > connections, "the client tried another connection")
        lost = worker.wait_log("brokers_lost")
        assert lost["level"] == "WARN" and lost["advice"]
        proxy.go()
        strike.over(worker)
        worker.wait_log("brokers_back")
    line.scenario.settle(worker, timeout=60)
    acquit_of_repeats(line, worker)
    impact.prove()


@pytest.mark.sanitize("address")
def test_connections_are_cut_again_and_again(line, proxy, acquit_of_repeats, full, impact):
    worker = line.scenario.streaming(proxied(line))
    cuts = 50 if full else 5
    with line.writers(largest=200, pause=0.002):
        for _ in range(cuts):
            worker.wait_delivery(more=500)
            strike = impact.strike(worker, "the connection is reset")
            proxy.cut()
            strike.over(worker)
    line.scenario.settle(worker, timeout=60)
    acquit_of_repeats(line, worker)  # what came twice was recognised by the broker
    impact.prove()
    told = [log for log in worker.logs() if log.get("code") in ("brokers_lost", "brokers_back")]
    assert len(told) < 2 * cuts, "brokers that come and go do not fill the log"


def test_latency_and_lost_packets(line, network, ways, acquit_of_repeats, full, say, impact):
    """A round trip of 200 ms to both, and one packet in a hundred is lost."""
    worker = line.scenario.worker(proxied(line), network=network)
    worker.wait_streaming()
    pid = line.walsender()
    for way in ways.values():
        way.delay(0.1)
    began = time.monotonic()
    enough, lost_enough = (200_000, 100) if full else (10_000, 20)
    with line.writers(largest=200, pause=0.005):
        worker.wait(lambda: worker.status()["in_flight_records"] > 0, "records are on their way")
        impact.strike(worker, "packets get lost")
        network.lose(0.01)
        worker.wait(lambda: network.dropped() > lost_enough, "packets are lost", timeout=300)
        worker.wait(lambda: worker.status()["records_acked"] > enough, "it goes on", timeout=300)
    line.scenario.settle(worker, timeout=120)
    records = worker.status()["records_acked"]
    say(f"{records} records in {time.monotonic() - began:.1f} s; {network.dropped()} packets were lost")
    acquit_of_repeats(line, worker)
    impact.prove()
    assert line.walsender() == pid, "no connection was given up"


@pytest.mark.sanitize("thread")
def test_half_open_connection_to_kafka(line, kafka, network, ways, acquit_of_repeats, full, impact):
    """Every packet is dropped and nobody is told, as by a firewall that forgot the connection."""
    worker = line.scenario.worker(proxied(line, kafka=QUICK_TIMEOUTS), network=network)
    worker.wait_streaming()
    with line.writers(largest=200, pause=0.002):
        worker.wait_delivery(more=500)
        strike = impact.strike(worker, "packets to and from Kafka are dropped")
        network.drop(kafka.proxy_port)
        worker.wait_full()
        stands_still(line, worker, 60 if full else 6)
        worker.wait_log("brokers_lost")
        network.heal()
        strike.over(worker)
        worker.wait_log("brokers_back")
    line.scenario.settle(worker, timeout=60)
    acquit_of_repeats(line, worker)
    impact.prove()


def test_connections_to_kafka_are_forgotten(line, kafka, network, ways, acquit_of_repeats, impact):
    """As by a firewall that was restarted: the old ones are dead without a word, new ones work."""
    worker = line.scenario.worker(proxied(line, kafka=QUICK_TIMEOUTS), network=network)
    worker.wait_streaming()
    with line.writers(largest=200, pause=0.002):
        worker.wait_delivery(more=500)
        strike = impact.strike(worker, "open connections to Kafka are dead")
        network.forget(kafka.proxy_port)
        worker.wait(lambda: worker.status()["in_flight_records"] > 100, "records wait for answers")
        strike.over(worker)
    line.scenario.settle(worker, timeout=60)
    assert network.dropped() > 0, "proved nothing"
    acquit_of_repeats(line, worker)
    impact.prove()


def test_half_open_connection_to_postgresql(line, postgres, network, ways, acquit, full, impact):
    """The server frees the slot after wal_sender_timeout; the line comes back by itself: at once when
    the way is free again, else (full) when TCP has given up."""
    config = proxied(line, cdc={"walSenderTimeout": "2s"})
    worker = line.scenario.worker(config, network=network)
    worker.wait_streaming()
    with line.writers(largest=200, pause=0.002):
        worker.wait_delivery(more=500)
        pid = line.walsender()
        strike = impact.strike(worker, "packets to and from PostgreSQL are dropped")
        network.forget(postgres.port) if full else network.drop(postgres.port)
        worker.wait(lambda: line.walsender() != pid, "the server gave the reader up")
        assert worker.get("/livez")[0] == 200
        assert worker.get("/status")[0] == 503, "it does not pretend to be well"
        if not full:
            network.heal()
        strike.over(worker, timeout=90)
    line.scenario.settle(worker, timeout=60)
    acquit(line)


# A file system of its own, in which the name's file takes the place of /etc/hosts.
OWN_HOSTS = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"')


@pytest.fixture
def hosts(tmp_path):
    file = tmp_path / "hosts"
    file.write_text("127.0.0.1 localhost\n")
    return file


def name(hosts, known: bool) -> None:
    # Written in place: the file is mounted.
    hosts.write_text("127.0.0.1 localhost\n" + ("127.0.0.1 kafka.pqcdc.test\n" if known else ""))


def named(line) -> dict:
    return merge(line.config(), {"kafka": {"brokers": [f"kafka.pqcdc.test:{line.scenario.kafka.port}"]}})


def test_bootstrap_name_is_gone_at_start(line, hosts, acquit):
    worker = line.scenario.worker(named(line), prefix=(*OWN_HOSTS, str(hosts)))
    note = worker.wait_log("kafka.pqcdc.test")
    assert note["level"] == "WARN"
    assert "resolve" in note["error"].lower()
    assert "kafka.brokers" in note["advice"]
    with line.writers(largest=200, pause=0.01):
        worker.wait(lambda: worker.status()["in_flight_records"] > 0, "records wait")
        name(hosts, known=True)
        worker.wait_delivery(more=500)
    assert worker.wait_log("brokers_back")
    line.scenario.settle(worker)
    assert acquit(line).duplicates == 0


def test_bootstrap_name_is_gone_while_it_runs(line, kafka, hosts, acquit, kafka_back, impact):
    """The brokers' own addresses are known by then: even their restart needs no name."""
    name(hosts, known=True)
    worker = line.scenario.worker(named(line), prefix=(*OWN_HOSTS, str(hosts)))
    worker.wait_streaming()
    with line.writers(largest=200, pause=0.01):
        worker.wait_delivery(more=500)
        name(hosts, known=False)
        strike = impact.strike(worker, "the bootstrap name is gone, the broker restarts")
        kafka.stop()
        worker.wait_log("brokers_lost")
        kafka.start()
        strike.over(worker)
    name(hosts, known=True)  # which a producer needs that takes the place of one that failed meanwhile
    line.scenario.settle(worker)
    acquit(line)
    impact.prove()


@pytest.fixture
def impatient_kafka(state, logs):
    """It closes what was idle for a second."""
    server = Kafka(state / "kafka-impatient", conf="connections.max.idle.ms=1000")
    server.start()
    yield server
    server.stop()
    server.remove(logs / "impatient-kafka")


def test_brokers_that_close_idle_connections_are_no_outage(scenario_on, postgres, impatient_kafka):
    """The client connects again each time, for longer than an outage may last that is not told."""
    scenario = scenario_on(postgres, kafka=impatient_kafka)
    scenario.execute("create table users (id int primary key)")
    with Proxy(impatient_kafka.proxied_port, impatient_kafka.proxy_port) as proxy:
        worker = scenario.streaming(scenario.config(kafka={"brokers": [impatient_kafka.proxied_bootstrap]}))
        worker.wait(lambda: worker.status()["kafka_connected"], "it is connected")
        accepted = proxy.accepted
        outages = []

        def closed_often() -> bool:
            outages.append(worker.status()["brokers"]["error"])
            return proxy.accepted >= accepted + 10

        worker.wait(closed_often, "it was closed and opened ten times", 120)
        assert set(map(str, outages)) == {"None"}
        proxy.refuse()
        worker.wait(lambda: worker.status()["brokers"]["error"], "now it is one")
