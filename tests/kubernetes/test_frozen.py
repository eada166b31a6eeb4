"""Replicas that stand still and wake up again, alone or beside one that has gone on meanwhile."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.waiting import wait_until

LOAD = {"largest": 200, "pause": 0.02}
SOON = {"walSenderTimeout": "1s"}
LEFT_AT_ONCE = 75


def freeze(replica) -> None:
    replica.worker.signal(signal.SIGSTOP)
    replica.worker.wait_frozen()


def thaw(replica) -> None:
    replica.worker.signal(signal.SIGCONT)


def test_frozen_for_less_than_postgresql_waits(line, crew, acquit, full, impact):
    freezes = 5 if full else 2
    leader, other = crew.pair()
    with line.writers(**LOAD):
        leader.worker.wait_delivery(more=500)
        with crew.undisturbed(leader):
            for _ in range(freezes):
                strike = impact.strike(leader.worker, "SIGSTOP for less than wal_sender_timeout")
                freeze(leader)
                time.sleep(1.5)  # how long it stands still; PostgreSQL waits for 5 s from its last word
                thaw(leader)
                strike.over(leader.worker)
    line.scenario.settle(leader.worker)
    impact.prove()
    assert acquit(line).duplicates == 0
    assert other.worker.status()["lease"]["terms"] == 0


def held(replica) -> int:
    """Records that it may send no more of before some are acknowledged."""
    status = replica.worker.status()
    return status["in_flight_records"] if status["blocked"] else 0


@pytest.mark.sanitize("thread")
@pytest.mark.parametrize("longer_than", ["wal_sender_timeout", "leaseDuration"])
def test_frozen_while_another_takes_over(
    line, crew, kafka, lease, acquit_returned, impact, brief, say, longer_than
):
    """The zombie wakes with a queue full of old news, and in the belief that it leads."""
    election = brief if longer_than == "leaseDuration" else {}
    # Small batches, so that the five requests on the wire are a small part of what it holds.
    kafka_options = {"maxInFlightBytes": "1mb", "producerBatchSize": 100}
    leader, other = crew.pair(cdc=SOON, election=election, kafka=kafka_options)
    with line.writers(**LOAD), lease.recorded() as history:
        leader.worker.wait_delivery(more=500)
        with kafka.frozen():
            leader.worker.wait(lambda: held(leader) > 1000, "it holds as much as it may")
            strike = impact.strike(leader.worker, f"SIGSTOP for more than {longer_than}")
            freeze(leader)
        other.worker.wait_streaming()
        strike.over(other.worker)
    line.scenario.settle(other.worker, timeout=60)
    if longer_than == "leaseDuration":
        time.sleep(max(0, 5 - (time.monotonic() - strike.began)))  # how long it stands still
    assert len(history.holders) == 2
    written = line.verdicts().events
    with crew.undisturbed(other):
        thaw(leader)
        crew.wait_standby(leader)
        verdicts = acquit_returned(line)
        late = verdicts.events - written
        say(
            f"{strike.records_unconfirmed} records were unconfirmed when it froze; it wrote {late} of them late"
        )
        sent = leader.worker.status()["records_sent"]
        with line.writers(**LOAD):
            other.worker.wait_delivery(more=500)
    line.scenario.settle(other.worker)
    impact.prove()
    assert late < strike.records_unconfirmed / 2, "what is on the wire may arrive, the queue is dropped"
    status = leader.worker.status()
    assert status["in_flight_records"] == 0 and status["records_sent"] == sent
    assert not status["lease"]["leads"] and status["lease"]["holder"] == lease.holder
    acquit_returned(line)


@pytest.mark.parametrize("longer_than", ["wal_sender_timeout", "leaseDuration"])
def test_frozen_alone(line, crew, lease, acquit, impact, brief, longer_than):
    """Nobody else is there: it goes on, in a stream of its own that is another one."""
    election = brief if longer_than == "leaseDuration" else {}
    only = crew.leader(cdc=SOON, election=election)
    with line.writers(**LOAD), lease.recorded() as history:
        only.worker.wait_delivery(more=500)
        strike = impact.strike(only.worker, f"SIGSTOP for more than {longer_than}, alone")
        freeze(only)
        wait_until(lambda: not line.scenario.slot_row()["active"], "PostgreSQL gives it up")
        if longer_than == "leaseDuration":
            time.sleep(max(0, 5 - (time.monotonic() - strike.began)))  # how long it stands still
        thaw(only)
        only.worker.wait(lambda: line.scenario.slot_row()["active"], "it reads the slot again")
        strike.over(only.worker)
    line.scenario.settle(only.worker, timeout=60)
    impact.prove()
    acquit(line)
    assert len(history.holders) == 1


def test_standby_wakes_up_and_its_old_sight_does_not_count(line, crew, api_faults, lease, acquit, impact, brief):
    """What it saw last: a leader that has died meanwhile, and a Lease that did not change for long."""
    leader, other = crew.pair(election=brief)
    sleeper = crew.standby(faults=api_faults, election=brief)
    with line.writers(**LOAD), lease.recorded() as history:
        leader.worker.wait_delivery(more=500)
        freeze(sleeper)
        strike = impact.strike(leader.worker, "kill -9, and a standby is frozen")
        leader.worker.kill()
        other.worker.wait_streaming()
        strike.over(other.worker)
        time.sleep(5)  # how long it stands still: more than leaseDuration
        with crew.undisturbed(other):
            looks = api_faults.count("GET", "leases")
            thaw(sleeper)
            wait_until(lambda: api_faults.count("GET", "leases") > looks + 2, "it looks again")
            crew.wait_standby(sleeper)
            other.worker.wait_delivery(more=500)
        assert api_faults.count("PUT", "leases") == 0, "it did not even try"
    line.scenario.settle(other.worker)
    impact.prove()
    acquit(line)
    assert len(history.holders) == 2
    assert sleeper.worker.status()["lease"]["terms"] == 0


def test_standby_wakes_up_when_nobody_leads(line, crew, lease, acquit, impact, brief):
    """Then its new sight does count."""
    leader, sleeper = crew.pair(election=brief)
    with line.writers(**LOAD):
        leader.worker.wait_delivery(more=500)
        freeze(sleeper)
        strike = impact.strike(leader.worker, "kill -9, and the only standby is frozen")
        leader.worker.kill()
        time.sleep(2)  # how long it stands still
        thaw(sleeper)
        sleeper.worker.wait_streaming()
        strike.over(sleeper.worker)
    line.scenario.settle(sleeper.worker)
    impact.prove()
    acquit(line)


# Stops one thread of a process, tells so, and holds it until it is killed itself.
HOLD_THREAD = """
import ctypes, os, sys, time
ptrace = ctypes.CDLL(None, use_errno=True).ptrace
ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
SEIZE, INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000
thread = int(sys.argv[1])
for request in SEIZE, INTERRUPT:
    if ptrace(request, thread, None, None) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
os.waitpid(thread, WALL)
print("held", flush=True)
time.sleep(600)
"""


def thread_named(pid: int, name: str) -> int:
    for comm in Path(f"/proc/{pid}/task").glob("*/comm"):
        if comm.read_text().strip() == name:
            return int(comm.parent.name)
    raise AssertionError(f"process {pid} has no thread {name}")


def test_pipeline_is_stuck_for_good(line, crew, lease, acquit_returned, impact):
    """The thread of the stream stands still, that of the Lease does not: once another leads, the process
    must not live on with a producer that may still write."""
    leader, other = crew.pair(cdc=SOON)
    with line.writers(**LOAD), lease.recorded() as history:
        leader.worker.wait_delivery(more=500)
        strike = impact.strike(leader.worker, "the pipeline's thread is stopped")
        thread = thread_named(leader.worker.pid, "pipeline")
        holder = subprocess.Popen([sys.executable, "-c", HOLD_THREAD, str(thread)], stdout=subprocess.PIPE)
        try:
            assert holder.stdout.readline() == b"held\n"
            other.worker.wait_streaming()
            strike.over(other.worker)
            leader.worker.wait_log("did not end in time")
        finally:
            holder.kill()  # a thread that is held cannot even end
            holder.communicate()
        assert leader.worker.wait_exit() == LEFT_AT_ONCE
        other.worker.wait_delivery(more=500)
    line.scenario.settle(other.worker)
    impact.prove()
    acquit_returned(line)
    assert len(history.holders) == 2
