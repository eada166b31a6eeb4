"""Profiles of a worker, as pprof fetches and reads them."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.servers import free_port
from lab.waiting import patient, wait_until

USERS = "create table users (id serial primary key, name text not null)"
LIBRARY = "libtcmalloc_and_profiler.so.4"
PASSWORD = "hunter2"
# Samples a second of CPU time, and bytes between two of the heap: so many that few rows do.
OFTEN = {"CPUPROFILE_FREQUENCY": "250", "TCMALLOC_SAMPLE_PARAMETER": "1024"}
LONG = 250  # seconds: nobody waits for them

unsanitized = pytest.mark.unsanitized("a sanitizer keeps its malloc, and so there are no profiles")


@pytest.fixture
def debugged(scenario):
    """debugged(...) -> a worker with cdc.debugMode that streams."""
    scenario.execute(USERS)

    def start(**keywords):
        return scenario.streaming(scenario.config(cdc={"debugMode": True}), **keywords)

    return start


def fetched(port: int, path: str) -> tuple[int, bytes] | None:
    """The answer's status and body; None = nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patient(30))
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except ConnectionError:
        return None
    finally:
        connection.close()


@contextmanager
def load(scenario):
    """Rows are inserted all the time."""
    over = threading.Event()

    def insert() -> None:
        with scenario.connect() as connection:
            while not over.is_set():
                connection.execute("insert into users (name) select 'name' || i from generate_series(1, 5000) i")

    thread = threading.Thread(target=insert)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def pprof(worker, page: str, directory: Path, *options: str) -> dict[str, float]:
    """Function -> per cent of the samples that it is in, as pprof prints them of what it fetches."""
    url = f"http://127.0.0.1:{worker.port}/debug/pprof/{page}"
    done = subprocess.run(
        ["google-pprof", "--text", *options, url],
        env={**os.environ, "PPROF_TMPDIR": str(directory)},
        capture_output=True,
        text=True,
        timeout=patient(60),
    )
    rows = re.findall(r"^ *[\d.]+ +[\d.]+% +[\d.]+% +[\d.]+ +([\d.]+)% (\S+)", done.stdout, re.M)
    assert done.returncode == 0 and rows, done.stdout + done.stderr
    return {name: float(share) for share, name in rows}


def profile_begins(worker) -> http.client.HTTPConnection:
    """One that lasts; returns when it is being taken, which a second one, that is refused, shows."""
    connection = http.client.HTTPConnection("127.0.0.1", worker.port, timeout=patient(30))
    connection.request("GET", f"/debug/pprof/profile?seconds={LONG}")
    worker.wait(lambda: "one is" in worker.get("/debug/pprof/profile?seconds=1")[1], "a profile is being taken")
    return connection


@unsanitized
def test_pprof_names_what_the_line_does(debugged, scenario, tmp_path):
    """Of CPU time and of memory: functions of ours, static ones too, and libraries, librdkafka's threads among them."""
    worker = debugged(environment=OFTEN)
    with load(scenario):
        worker.wait_delivery()
        cpu = pprof(worker, "profile", tmp_path, "--seconds=2")
        heap = pprof(worker, "heap", tmp_path)
    assert {"pipeline_run", "run", "[librdkafka.so.1]"} <= cpu.keys()
    assert cpu.keys() & {"pgoutput_decode", "source_next", "encode", "handle", "outbox_send", "loop_turn"}
    assert {"main", "memory_alloc", "connector_new", "rd_kafka_new"} <= heap.keys()
    assert not any(name.startswith("0x") for name in cpu.keys() | heap.keys())
    scenario.settle(worker)
    assert worker.find_log("debugMode is on") and not worker.find_log("no profiles")
    assert all(line.get("level") or line["msg"].startswith("PROFILE: ") for line in worker.logs())


@unsanitized
def test_every_thread_has_its_own_samples(debugged):
    """The signal that takes one goes to another thread where it is blocked."""
    worker = debugged()
    worker.get("/livez")
    threads = {}
    for task in Path(f"/proc/{worker.pid}/task").iterdir():
        status = dict(re.findall(r"^(\w+):\s*(\S+)", (task / "status").read_text(), re.M))
        threads[status["Name"]] = not int(status["SigBlk"], 16) & 1 << signal.SIGPROF - 1
    assert {"pqcdc", "pipeline", "watcher", "http", "rdk:main"} <= threads.keys()
    assert any(name.startswith("rdk:broker") for name in threads)
    assert all(threads.values()), threads


@unsanitized
def test_while_a_profile_is_taken_all_else_is_served(debugged, scenario):
    worker = debugged()
    with profile_begins(worker).sock as client:
        code, text = worker.get("/debug/pprof/profile?seconds=1")
        assert (code, text[:5]) == (503, "503: ")
        assert worker.get("/livez") == (200, "ok\n")
        scenario.execute("insert into users (name) values ('a')")
        scenario.settle(worker)
        client.shutdown(socket.SHUT_RDWR)
    # Its client has gone: it ends long before its time, and another one may be taken.
    code, profile = worker.wait(
        lambda: (answer := fetched(worker.port, "/debug/pprof/profile?seconds=1"))[0] == 200 and answer,
        "another one is taken",
    )
    assert profile[:8] == bytes(8) and b"/bin/pqcdc" in profile, "header of a CPU profile, and the map of the process"
    connection = profile_begins(worker)
    assert worker.terminate() == 0, "a profile does not hold up the stop"
    connection.close()


@unsanitized
def test_what_else_pprof_asks(debugged):
    worker = debugged(arguments=["--set", f"cdc.password={PASSWORD}", f"--set=cdc.password={PASSWORD}"])
    code, index = worker.get("/debug/pprof/")
    assert code == 200
    assert re.findall(r"^/debug/pprof/(\w+) ", index, re.M) == ["profile", "heap", "cmdline", "symbol"]
    words = worker.get("/debug/pprof/cmdline")[1].split("\0")
    assert words[1:3] == ["run", "--config"]
    stars = "*" * len(PASSWORD)
    assert words[-3:] == ["--set", f"cdc.password={stars}", f"--set=cdc.password={stars}"]
    assert PASSWORD not in Path(f"/proc/{worker.pid}/cmdline").read_text()
    assert worker.get("/debug/pprof/symbol") == (200, "num_symbols: 1\n")
    for seconds in ("0", "301", "-1", "x", ""):
        assert worker.get(f"/debug/pprof/profile?seconds={seconds}") == (400, "400: seconds: expected 1 to 300\n")


@unsanitized
def test_the_process_stays_what_it_was(debugged, tmp_path):
    """Begun anew it has the same PID, name, signals, descriptors and environment."""
    worker = debugged(environment={"LD_PRELOAD": "", "MINE": "1"}, prefix=["sh", "-c", 'exec "$@" 7</dev/null', "-"])
    process = Path(f"/proc/{worker.pid}")
    assert LIBRARY in (process / "maps").read_text()
    assert (process / "comm").read_text() == "pqcdc\n"
    assert os.readlink(process / "fd/7") == "/dev/null"
    plain = worker.command("config").stdout
    assert "debugMode: true" in plain
    status = dict(re.findall(r"^(\w+):\s*(\S+)", (process / "status").read_text(), re.M))
    assert int(status["SigBlk"], 16) == 1 << signal.SIGTERM - 1 | 1 << signal.SIGINT - 1
    assert worker.find_logs("pqcdc starts")[0]["pid"] == worker.pid and len(worker.find_logs("pqcdc starts")) == 1
    assert worker.terminate() == 0


@unsanitized
def test_as_first_process_of_a_container(debugged):
    """Orphans are reaped, and a signal is heard, however early it comes."""
    worker = debugged(prefix=["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", 'exec "$@"', "-"])
    assert worker.find_logs("pqcdc starts")[0]["pid"] == 1
    (inside,) = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
    assert LIBRARY in Path(f"/proc/{inside}/maps").read_text()
    os.kill(int(inside), signal.SIGTERM)
    assert worker.wait_exit() == 0


@pytest.mark.sanitize("thread")
def test_without_the_library_it_streams_all_the_same(debugged, scenario, tmp_path):
    """So it is with a sanitizer, whose malloc stays."""
    (tmp_path / LIBRARY).write_bytes(b"")
    worker = debugged(environment={"LD_LIBRARY_PATH": str(tmp_path)})
    assert worker.find_log("no profiles")["code"] == "no_profiles"
    for page in ("profile?seconds=1", "heap"):
        code, text = worker.get(f"/debug/pprof/{page}")
        assert code == 501 and "libgoogle-perftools4" in text
    scenario.execute("insert into users (name) values ('a')")
    scenario.settle(worker)
    assert [value["name"] for value in scenario.values()] == ["a"]


@unsanitized
@pytest.mark.parametrize("preload, code", [(LIBRARY, 200), ("", 501)])
def test_a_program_that_embeds_the_connector(program, tmp_path, preload, code):
    """It has profiles where it has gperftools; nothing is loaded into it."""
    port = free_port()
    cdc = {"host": "127.0.0.1", "port": 1, "username": "nobody", "database": "none", "debugMode": True}
    cdc |= {"slot": {"name": "s"}, "publication": {"name": "p", "tables": [{"name": "users"}]}}
    cdc |= {"metric": {"port": port, "address": "127.0.0.1"}}
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"cdc": cdc, "kafka": {"brokers": ["127.0.0.1:1"], "topicTemplate": "t"}}))
    example = subprocess.Popen(
        [program.parent / "handler-flat", config],
        env={**os.environ, "LD_PRELOAD": preload, **OFTEN},
        stderr=(tmp_path / "log").open("wb"),
    )
    try:
        wait_until(lambda: fetched(port, "/livez") or example.poll() is not None, "it serves")
        assert fetched(port, "/debug/pprof/profile?seconds=1")[0] == code
        heap = fetched(port, "/debug/pprof/heap")
        assert heap[0] == code and heap[1].startswith(b"heap profile: " if preload else b"501: ")
        assert fetched(port, "/debug/pprof/cmdline") == (200, f"{program.parent}/handler-flat\0{config}".encode())
    finally:
        example.kill()
        example.wait()


def test_profiles_are_not_there_unless_asked_for(scenario):
    scenario.execute(USERS)
    worker = scenario.streaming()
    for page in ("", "profile", "heap", "cmdline", "symbol"):
        code, text = worker.get(f"/debug/pprof/{page}")
        assert code == 404 and "pprof" not in text
    assert "libtcmalloc" not in Path(f"/proc/{worker.pid}/maps").read_text()
    assert not worker.find_log("debugMode")
