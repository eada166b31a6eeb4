"""Memory is short: the worker needs little of it, and ends cleanly when it is refused."""

import json
import os
import signal
import subprocess
import time

import pytest

from lab.cgroup import MemoryGroup, resident_bytes

MIB = 1 << 20


@pytest.fixture
def small_memory():
    group = MemoryGroup(f"pqcdc-test-{os.getpid()}", 64 * MIB)
    yield group
    group.remove()


def fill(line, worker) -> None:
    """Large transactions, until as much is in flight as may be."""
    while worker.status()["in_flight_bytes"] < worker.in_flight_limit_bytes * 0.9:
        line.change(1, line.ids)
    worker.wait_full()


@pytest.mark.unsanitized("a sanitizer needs more memory than the worker itself may have")
def test_kafka_is_away_and_memory_is_small(
    small_memory, line, kafka, acquit, full, say, kafka_back, impact
):
    seconds = 60 if full else 5
    worker = line.streaming(prefix=small_memory.prefix)
    with line.writers(pause=0.05):
        worker.wait_delivery(more=500)
        strike = impact.strike(worker, "the broker is killed")
        kafka.kill()
        fill(line, worker)
        time.sleep(seconds)  # how long the outage lasts
        held = worker.status()
        now, peak = resident_bytes(worker.pid)
        kafka.start()
        strike.over(worker)
    line.scenario.settle(worker, timeout=180)
    _, peak = resident_bytes(worker.pid)
    say(
        f"after {seconds} s with {held['in_flight_records']} records ({held['in_flight_bytes'] / MIB:.1f} MiB "
        f"counted) held: {now / MIB:.1f} MiB resident; at the peak {peak / MIB:.1f} MiB; the group, sockets "
        f"and files among it, {small_memory.peak_bytes / MIB:.1f} of {small_memory.limit_bytes / MIB:.0f} MiB"
    )
    assert worker.alive() and small_memory.kills == 0
    assert peak <= 40 * MIB
    acquit(line)
    impact.prove()


@pytest.mark.unsanitized("a sanitizer needs terabytes of address space")
def test_a_refused_allocation_at_start(program, tmp_path, say):
    """Each limit between too little for the loader and enough: the process ends by SIGABRT."""
    tables = [{"name": f"t{number}"} for number in range(20000)]
    file = tmp_path / "large.yaml"
    cdc = {
        "host": "localhost",
        "username": "u",
        "database": "d",
        "publication": {"name": "p", "tables": tables},
        "slot": {"name": "s"},
    }
    file.write_text(json.dumps({"cdc": cdc, "kafka": {"brokers": ["localhost"], "topicTemplate": "t"}}))
    refused = 0
    for limit in range(16 * MIB, 160 * MIB, MIB):
        done = subprocess.run(
            ["prlimit", f"--as={limit}", program, "config", "--config", file], capture_output=True, text=True
        )
        if done.returncode == 0:
            break
        if done.returncode != 127:  # the loader's own words
            assert (done.returncode, done.stderr) == (-signal.SIGABRT, "pqcdc: out of memory\n"), limit
            refused += 1
    say(f"{refused} limits refused an allocation; {limit / MIB:.0f} MiB were enough")
    assert done.returncode == 0 and refused >= 5, "proved nothing"


@pytest.mark.unsanitized("a sanitizer needs terabytes of address space")
def test_a_refused_allocation_under_load(line, kafka, acquit, say, impact):
    """Kafka is silent, the queue grows, and the system gives no more memory: the process ends at once,
    and the next one repeats what was unconfirmed."""
    # One heap without reserves, so that the limit is met.
    worker = line.streaming({"MALLOC_ARENA_MAX": "1", "MALLOC_TOP_PAD_": "0"})
    with line.writers():
        worker.wait_delivery(more=500)
        with kafka.frozen():
            strike = impact.strike(worker, "no more memory")
            subprocess.run(["prlimit", "--pid", str(worker.pid), "--as=1"], check=True)
            assert worker.wait_exit(60) == -signal.SIGABRT
        say(worker.stderr().splitlines()[-1])
        worker = line.streaming()
        strike.over(worker)
    line.scenario.settle(worker, timeout=120)
    acquit(line)
    impact.prove()
