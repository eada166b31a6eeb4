"""No descriptor is to be had: what is open goes on, what is lost comes back as soon as there is one."""

import os
import socket
import subprocess
import time

TOO_MANY = "Too many open files"


def limit_descriptors(worker, count: int) -> None:
    subprocess.run(["prlimit", "--pid", str(worker.pid), f"--nofile={count}:"], check=True)


def processor_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_no_descriptor_is_left(line, acquit, say, impact):
    worker = line.streaming()
    with line.writers():
        strike = impact.strike(worker, "no descriptor, and the stream is cut")
        limit_descriptors(worker, 12)  # below those that are open
        confirmed = line.scenario.slot_row()["confirmed_flush_lsn"]
        worker.wait(
            lambda: line.scenario.slot_row()["confirmed_flush_lsn"] != confirmed, "what is open goes on"
        )
        line.terminate_walsender()
        note = worker.wait_log(TOO_MANY)
        assert note["level"] == "WARN"
        waiting = socket.create_connection(("127.0.0.1", worker.port))  # nobody can accept it
        time.sleep(1)  # what was read before is delivered
        began, used = time.monotonic(), processor_seconds(worker.pid)
        time.sleep(2)  # how long the shortage lasts
        share = (processor_seconds(worker.pid) - used) / (time.monotonic() - began)
        limit_descriptors(worker, 1024)
        worker.wait_streaming()
        strike.over(worker)
    say(f"it said: {note['error']}; while nothing could be opened it used {share:.0%} of a processor")
    assert worker.get("/readyz")[0] == 200
    waiting.close()
    line.scenario.settle(worker, timeout=60)
    acquit(line)
    impact.prove()
    assert share < 0.2
