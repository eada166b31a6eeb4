"""Peers that cut, lie about sizes and talk nonsense: the worker says what is wrong, skips no row, stays small,
and goes on once the peer is a good one."""

import pytest

from lab import hostile
from lab.hostile import HostileKafka, HostilePostgres, once
from lab.scenario import merge
from lab.waiting import wait_until
from lab.worker import Worker

# What a peer may make a worker hold beyond what it has otherwise: a frame of 64 MiB is read before it
# proves to be cut, into a buffer of libpq's that doubles.
GROWTH_LIMIT_BYTES = 256 << 20
HALTED = 69


@pytest.fixture
def hostile_postgres(postgres):
    peer = HostilePostgres(postgres.port)
    yield peer
    peer.close()


@pytest.fixture
def hostile_kafka(kafka):
    peer = HostileKafka(kafka.port)
    yield peer
    peer.close()


def memory(worker: Worker) -> int:
    """The most that it ever held, in bytes; 0 when it has ended."""
    with open(f"/proc/{worker.pid}/status") as status:
        lines = [line for line in status if line.startswith("VmHWM:")]
    return int(lines[0].split()[1]) << 10 if lines else 0


def through(line, peer: HostilePostgres) -> Worker:
    worker = line.scenario.worker(merge(line.config(), {"cdc": {"port": peer.port}}))
    worker.wait_streaming()
    return worker


# What cannot be decoded stops the line for good: a person must look.
UNDECODABLE = {
    "truncated": (hostile.truncated, "ends too early"),
    "short_head": (hostile.short_head, "not what the replication protocol says"),
    "lying_size": (hostile.lying_size, "ends too early"),
    "unknown_row": (hostile.unknown_row, "'z'"),
    "unknown_copy_data": (hostile.unknown_copy_data, "not what the replication protocol says"),
    "begin_twice": (hostile.begin_twice, "begin message inside a transaction"),
    "commit_twice": (hostile.commit_twice, "commit message outside a transaction"),
}


def test_undecodable_bytes_halt_and_nothing_is_skipped(line, hostile_postgres, acquit, say):
    with line.writers(pause=0.005):
        for name, (mood, text) in UNDECODABLE.items():
            worker = through(line, hostile_postgres)
            worker.wait_delivery()
            before = memory(worker)
            hostile_postgres.mood = once(mood)
            peak = [before]
            wait_until(lambda: peak.append(memory(worker)) or peak[-1] == 0, f"{name}: the worker ends")
            assert max(peak) - before < GROWTH_LIMIT_BYTES, name
            assert worker.wait_exit() == HALTED, f"{name}: {worker.stderr()}"
            last = worker.find_log(text)
            assert last and last["level"] == "ERROR", f"{name}: {worker.stderr()}"
            assert "undecodable" in worker.log_text(), name
            say(f"{name}: halted, {last.get('error', last.get('msg'))}")
            hostile_postgres.mood = None
    assert hostile_postgres.damages == len(UNDECODABLE), "proved nothing: the peer was good"
    line.scenario.settle(through(line, hostile_postgres), timeout=60)
    acquit(line)


# What breaks the connection is begun anew.
BROKEN = {
    "huge_frame": hostile.huge_frame,
    "negative_frame": hostile.negative_frame,
    "unknown_frame": hostile.unknown_frame,
    "cut_frame": hostile.cut_frame,
    "error_response": hostile.error_response,
    "garbage": hostile.garbage,
}


SAID = "the disk speaks in tongues"


@pytest.mark.sanitize("address")
def test_broken_streams_begin_anew(line, hostile_postgres, acquit, impact, say):
    worker = through(line, hostile_postgres)
    with line.writers(pause=0.005):
        for name, mood in BROKEN.items():
            worker.wait_delivery()
            before, failures = memory(worker), worker.metrics()["pqcdc_failures_total"]
            damages = hostile_postgres.damages
            strike = impact.strike(worker, name)
            hostile_postgres.mood = once(mood)
            worker.wait(lambda: hostile_postgres.damages > damages, f"{name} was said")
            worker.wait(lambda: worker.metrics()["pqcdc_failures_total"] > failures, f"{name} is noticed")
            hostile_postgres.mood = None
            worker.wait_streaming(60)
            strike.over(worker)
            assert memory(worker) - before < GROWTH_LIMIT_BYTES, name
            say(f"{name}: streams again after {strike.recovery:.1f} s")
    assert worker.find_log(SAID), "what the server said is passed on"
    line.scenario.settle(worker, timeout=60)
    acquit(line)


def test_notices_without_end(line, hostile_postgres, acquit):
    worker = through(line, hostile_postgres)
    with line.writers():
        worker.wait_delivery()
        before = memory(worker)
        hostile_postgres.mood = once(hostile.notices)
        worker.wait(lambda: hostile_postgres.damages, "notices are sent")
        worker.wait_delivery()
        assert memory(worker) - before < GROWTH_LIMIT_BYTES
    line.scenario.settle(worker, timeout=60)
    assert worker.metrics()["pqcdc_failures_total"] == 0
    assert acquit(line).duplicates == 0


def test_garbage_after_login(line, hostile_postgres, acquit):
    hostile_postgres.mood = hostile.garbage_after_login
    worker = line.scenario.worker(merge(line.config(), {"cdc": {"port": hostile_postgres.port}}))
    with line.writers(pause=0.005):
        worker.wait(lambda: hostile_postgres.damages >= 3, "it tries again")
        assert worker.find_log(str(hostile_postgres.port))["level"] in ("WARN", "ERROR")
        assert worker.get("/livez")[0] == 200
        assert worker.status()["state"] == "starting"
        hostile_postgres.mood = None
        worker.wait_streaming(60)
        worker.wait_delivery()
    line.scenario.settle(worker, timeout=60)
    assert acquit(line).duplicates == 0


KAFKA = {
    "cut": hostile.kafka_cut,
    "huge_size": hostile.kafka_huge_size,
    "negative_size": hostile.kafka_negative_size,
    "other_correlation": hostile.kafka_other_correlation,
    "absurd": hostile.kafka_absurd,
    "noise": hostile.kafka_noise,
}


def kafka_through(line, peer: HostileKafka) -> dict:
    # Short time-outs: an answer that nobody understands is one that never comes.
    kafka = {"brokers": [f"127.0.0.1:{peer.port}"], "readTimeout": "2s", "writeTimeout": "2s"}
    return merge(line.config(), {"kafka": kafka})


@pytest.mark.sanitize("address")
def test_hostile_brokers_in_mid_stream(line, hostile_kafka, acquit, impact, say):
    worker = line.scenario.worker(kafka_through(line, hostile_kafka))
    worker.wait_streaming()
    with line.writers(pause=0.005):
        for name, mood in KAFKA.items():
            worker.wait_delivery()
            before, damages = memory(worker), hostile_kafka.damages
            strike = impact.strike(worker, name)
            hostile_kafka.mood = mood
            worker.wait(lambda: hostile_kafka.damages >= damages + 3, f"{name} was said")
            hostile_kafka.mood = None
            strike.over(worker)
            assert memory(worker) - before < GROWTH_LIMIT_BYTES, name
            assert worker.get("/livez")[0] == 200, name
            say(f"{name}: {strike.records_unconfirmed} unconfirmed, delivers after {strike.recovery:.1f} s")
    assert worker.find_log(str(hostile_kafka.port))["level"] in ("WARN", "ERROR")
    line.scenario.settle(worker, timeout=120)
    acquit(line)


@pytest.mark.parametrize("name", KAFKA)
def test_hostile_broker_at_start(line, hostile_kafka, acquit, name):
    hostile_kafka.mood = KAFKA[name]
    worker = line.scenario.worker(kafka_through(line, hostile_kafka))
    with line.writers(pause=0.005):
        worker.wait(lambda: hostile_kafka.damages >= 3, "the peer is hostile")
        assert worker.wait_log(str(hostile_kafka.port))["level"] in ("WARN", "ERROR")
        status = worker.status()
        assert status["records_acked"] == 0 and not status["kafka_connected"]
        hostile_kafka.mood = None
        worker.wait_delivery()
        assert memory(worker) < GROWTH_LIMIT_BYTES
    line.scenario.settle(worker, timeout=120)
    assert acquit(line).duplicates == 0
