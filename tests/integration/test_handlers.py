"""Handlers of a user's own: plug-ins of the worker, and a program with all that it may bring. What is
compiled here is so against the first header of this version of the interface (tests/abi), so that it
goes on as a program of that time does."""

import json
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from conftest import ROOT
from lab.sanitizers import compiler_of
from lab.servers import free_port
from lab.waiting import wait_until

CONFIG, HALTED = 78, 69
SOURCES = ROOT / "tests/integration/handlers"
NOWHERE = {
    "cdc": {
        "host": "127.0.0.1",
        "port": 1,
        "username": "nobody",
        "database": "nowhere",
        "publication": {"name": "away", "tables": [{"name": "users"}]},
        "slot": {"name": "away"},
    },
    "kafka": {"brokers": ["127.0.0.1:1"], "topicTemplate": "away"},
}


@pytest.fixture
def build(program):
    return program.resolve().parent.parent


@pytest.fixture
def compile_(program, build, tmp_path):
    """compile_(name, *options) -> the program or, with -shared, the shared object of handlers/NAME.c."""
    header = tmp_path / "header"
    header.mkdir()
    (version,) = re.findall(r"^#define PQCDC_API_VERSION (\d+)", (ROOT / "include/pqcdc/pqcdc.h").read_text(), re.M)
    shutil.copy(ROOT / f"tests/abi/pqcdc-{version}.h", header / "pqcdc.h")

    def run(name: str, *options: str) -> Path:
        target = tmp_path / f"{name}-{len(list(tmp_path.iterdir()))}.so"
        common = ["-std=gnu17", "-Wall", "-Wextra", "-Werror", f"-I{header}", SOURCES / f"{name}.c", "-o", target]
        subprocess.run([*compiler_of(program), *common, *options], check=True)
        return target

    return run


@pytest.fixture
def fussy(compile_):
    return lambda *options: compile_("fussy", "-shared", "-fPIC", *options)


def refused(scenario, handler: dict) -> str:
    """What the worker says of that handler before it connects to anything: nothing is there to connect to."""
    worker = scenario.worker({**NOWHERE, "handler": handler})
    assert worker.wait_exit() == CONFIG, worker.stderr()
    assert worker.find_log("pqcdc starts") is None, "it began before it knew that it cannot"
    return worker.last_log("cannot start")["error"]


def test_what_cannot_be_a_handler_is_refused_at_the_start(scenario, fussy, tmp_path):
    said = {}
    text = tmp_path / "text.so"
    text.write_text("no object")
    token = tmp_path / "token"
    token.write_text("wrong\n")
    whole = fussy()
    for what, handler in {
        "missing": {"path": str(tmp_path / "missing.so")},
        "name": {"path": "libc.so.6"},
        "text": {"path": str(text)},
        "no symbol": {"path": str(fussy("-DNO_SYMBOL"))},
        "version": {"path": str(fussy("-DOTHER_VERSION"))},
        "reserved": {"path": str(fussy("-DRESERVED"))},
        "no functions": {"path": str(fussy("-DNO_FUNCTIONS"))},
        "function": {"path": str(fussy("-DUNKNOWN_FUNCTION"))},
        "refuses": {"path": str(whole), "options": {"refuse": "not today"}},
        "token": {"path": str(whole), "optionFiles": {"token": str(token)}},
        "no file": {"path": str(whole), "optionFiles": {"token": str(tmp_path / "nothing")}},
    }.items():
        said[what] = refused(scenario, handler)
    expected = {
        "missing": ("missing.so cannot be loaded", "No such file"),
        "name": ("libc.so.6 is the name of a library, not the path of a file",),
        "text": ("text.so cannot be loaded", "file too short"),
        "no symbol": ("does not export pqcdc_plugin",),
        "version": ("was built for version 99", "this program has version 1"),
        "reserved": ("reserved members of pqcdc_plugin are set",),
        "no functions": ("neither a handler nor a responder",),
        "function": ("cannot be loaded", "undefined symbol: pqcdc_of_a_later_version"),
        "refuses": ("handler.path", "option refuse: not today"),
        "token": ("it does not start, and did not say why",),
        "no file": ("handler.optionFiles.token", "No such file"),
    }
    wrong = [f"{what}: {said[what]}" for what, words in expected.items() if not all(w in said[what] for w in words)]
    assert not wrong, "\n".join(wrong)
    assert "wrong" not in said["token"], "the value of a secret option is said"


@pytest.mark.sanitize("address")
def test_a_handler_that_fails_stops_the_line_and_loses_nothing(scenario, fussy, tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    handler = {"path": str(fussy()), "options": {"failAt": 4, "slowAt": 6}, "optionFiles": {"token": str(token)}}
    scenario.execute("create table users (id int primary key)")
    config = scenario.config(cdc={"onHalt": "wait"}, handler=handler)
    worker = scenario.streaming(config)
    opened = worker.find_log("fussy is open")
    assert (opened["failAt"], opened["sure"]) == (4, True)
    scenario.transaction("insert into users values (1)")
    scenario.settle(worker)
    before = scenario.execute("select pg_current_wal_insert_lsn()")[0][0]
    scenario.transaction("insert into users values (2), (3), (4), (5)")
    scenario.transaction("insert into users values (6)")

    # It says why and where; what is behind the row is not confirmed, and nothing behind it is sent.
    status = worker.wait_state("halted")
    assert status["reason"]["code"] == "handler_failed"
    assert status["reason"]["text"].startswith("insert of table public.users, transaction at ")
    assert status["reason"]["text"].endswith("the handler: row 4 is not to my taste")
    assert "s3cret" not in worker.log_text() + str(status)
    confirmed = scenario.slot_row()["confirmed_flush_lsn"]
    assert scenario.execute("select %s::pg_lsn <= %s::pg_lsn", (confirmed, before))[0][0], (confirmed, before)
    ids = [value["id"] for value in scenario.values()]
    assert ids and set(ids) <= {1, 2, 3}, ids

    # It is tried again, and fails again; then it is mended.
    worker.wait(lambda: worker.metrics()["pqcdc_stream_starts_total"] > 1, "it is tried again")
    assert worker.terminate() == 0
    assert worker.find_log("fussy is closed"), "close() was not called"
    del handler["options"]["failAt"]
    mended = scenario.streaming(scenario.config(handler=handler))
    scenario.settle(mended)
    ids = [value["id"] for value in scenario.values()]
    assert list(dict.fromkeys(ids)) == [1, 2, 3, 4, 5, 6], ids
    assert ids.count(1) == ids.count(6) == 1, "what was confirmed, or never sent, comes once"
    # The one call that took long.
    assert mended.metrics()["pqcdc_handler_slow_total"] == 1
    slow = mended.find_logs("a call of the handler was slow")
    assert [(line["call"], line["slow_calls"]) for line in slow] == [("handler", 1)]
    assert slow[0]["took_ms"] >= 150


@pytest.mark.sanitize("address")
def test_an_outbox(scenario, build):
    for topic in ("orders", "mail"):
        scenario.create_topic(topic)
    outbox = "create table outbox (id int primary key, topic text not null, key text, type text, payload jsonb)"
    scenario.transaction(outbox, "create table users (id int primary key, name text)")
    handler = {"path": str(build / "lib/handler-outbox.so"), "options": {"topicPrefix": f"{scenario.name}."}}
    kafka = {"tableTopicMapping": {"public.outbox": None}, "unmapped": "skip"}  # the handler names its topics
    worker = scenario.streaming(scenario.config(tables=("outbox", "users"), kafka=kafka, handler=handler))
    scenario.transaction(
        """insert into outbox values (1, 'orders', 'o-1', 'placed', '{"total": 12.50, "of": ["a"]}')""",
        "insert into users values (7, 'Ada')",
        "insert into outbox values (2, 'mail', null, null, null), (3, 'orders', 'o-1', 'paid', '1')",
        "delete from outbox where id <= 3",
    )
    scenario.settle(worker)

    def seen(topic):
        return [(r.key, r.value, r.headers) for r in scenario.records(topic)]

    assert seen(f"{scenario.name}.orders") == [
        (b"o-1", b'{"of": ["a"], "total": 12.50}', {"id": b"1", "type": b"placed"}),
        (b"o-1", b"1", {"id": b"3", "type": b"paid"}),
    ]
    assert seen(f"{scenario.name}.mail") == [(None, None, {"id": b"2", "type": None})]
    # Rows of other tables are the built-in handler's.
    assert seen(scenario.topic) == [(b"7", b'{"id":7,"name":"Ada","operation":"INSERT"}', {})]
    assert worker.metrics()['outbox_events_total{answer="delivered"}'] == 4
    assert worker.find_log("skipped") is None

    scenario.execute("insert into outbox values (4, 'orders', 'o-4', 'placed', '1')")
    scenario.execute("update outbox set payload = '2' where id = 4")
    assert worker.wait_exit() == HALTED
    halted = worker.last_log("halted: a person must act")
    assert "the handler: a row of the outbox was changed" in halted["error"]


def test_a_handler_is_tried_without_kafka(scenario, build):
    """What it would write is printed."""
    scenario.execute("create table outbox (id int primary key, topic text, key text, type text, payload jsonb)")
    config = scenario.config(
        tables=("outbox",),
        kafka={"brokers": [f"127.0.0.1:{free_port()}"]},
        handler={"path": str(build / "lib/handler-outbox.so")},
    )
    worker = scenario.streaming(config, ["--sink", "stdout"])
    scenario.execute("insert into outbox values (1, 'orders', 'o-1', 'placed', '[1]')")
    wait_until(lambda: worker.stdout().endswith(b"\n"), "a line")
    assert json.loads(worker.stdout()) == {
        "topic": "orders",
        "key": "o-1",
        "value": "[1]",
        "headers": {"id": "1", "type": "placed"},
    }


class Embedder:
    """handlers/embedder.c, as it runs; its lines are read as they come."""

    def __init__(self, program: Path, *words: str):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen([program, *words], text=True, **pipes)
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def starting_with(self, word: str) -> list[str]:
        return [line for line in self.lines if line.startswith(word)]

    def wait(self, word: str, count: int = 1) -> list[str]:
        """So many lines begin so."""
        wait_until(lambda: len(self.starting_with(word)) >= count, f"{count} of {word!r} among {self.lines}")
        return self.starting_with(word)

    def end(self) -> str:
        """Its last line."""
        self.process.stdin.close()
        assert self.process.wait(30) in (0, 1)
        self.reader.join(30)
        assert self.process.stderr.read() == "", "a logger takes the place of standard error"
        return self.lines[-1]


@pytest.fixture
def embed(compile_, build):
    target = compile_("embedder", f"-L{build}/lib", "-lpqcdc", f"-Wl,-rpath,{build}/lib", "-pthread")
    running: list[Embedder] = []

    def start(*words: str) -> Embedder:
        running.append(Embedder(target, *words))
        return running[-1]

    yield start
    for embedder in running:
        embedder.process.kill()
        embedder.process.wait()


@pytest.mark.sanitize
def test_a_program_is_told_what_became_of_each_record(scenario, embed):
    """Topic, partition, offset, key, value and headers as a consumer has them, and the change's position."""
    scenario.topic = scenario.create_topic("three", partitions=3)
    scenario.execute("create table users (id int primary key, name text)")
    config = scenario.config(format={"headers": ["pos"]})
    worker = scenario.streaming(config)
    assert worker.terminate() == 0
    embedder = embed(worker.config_file, "cdc.metric.port=0", "kafka.properties={message.max.bytes: 2000}")
    # Without HTTP, since port 0 means none.
    assert embedder.wait("ready ") == ["ready 0"]
    assert embedder.wait("again ") == ["again the connector was started already"]
    scenario.transaction(*(f"insert into users values ({n}, 'n{n}')" for n in range(1, 8)))
    scenario.transaction("update users set name = 'x' where id = 3", "delete from users where id = 1")
    wait_until(lambda: len(scenario.records()) == 9, "nine records")
    answers = embedder.wait("answer ", 9)
    expected = set()
    for record in scenario.records():
        text = f"{record.key.decode()}|{record.value.decode()} pos={record.headers['pos'].decode()}"
        position = record.headers["pos"].decode()
        expected.add(f"answer {scenario.topic} {record.partition} {record.offset} {text} {position} delivered")
    assert len(expected) == 9
    assert set(answers) == expected and len(answers) == 9

    # What can never be delivered is answered for as well, and halts the line.
    scenario.execute("insert into users values (9, repeat('x', 3000))")
    refused = embedder.wait("answer ", 10)[9]
    assert refused.startswith(f"answer {scenario.topic} -1 -1 9|") and refused.endswith(" record_too_large"), refused
    embedder.wait("log error halted")
    assert embedder.end().startswith("halted ") and "record_too_large" not in embedder.lines[-1]
    assert any(line.startswith("log info streaming before=starting") for line in embedder.lines)
    assert not any(line.startswith("log debug") for line in embedder.lines)


@pytest.mark.sanitize("address")
def test_a_program_whose_handler_fails_is_told_why(scenario, embed):
    scenario.execute("create table users (id int primary key)")
    worker = scenario.streaming()
    assert worker.terminate() == 0
    embedder = embed(worker.config_file, "fail=2", f"cdc.metric.port={free_port()}")
    embedder.wait("ready ")
    scenario.execute("insert into users values (1)")
    embedder.wait("answer ")
    scenario.execute("insert into users values (2)")
    embedder.wait("log error halted")
    ended = embedder.end()
    assert ended.startswith("halted insert of table public.users, transaction at ")
    assert ended.endswith("the handler: row 2 is refused")

    again = embed(worker.config_file)
    again.wait("ready ")
    (answer,) = again.wait("answer ")
    assert '2|{"id":2,"operation":"INSERT"}' in answer
    assert again.end() == "closed"
    assert [value["id"] for value in scenario.values()] == [1, 2]
    assert scenario.slot_row()["active"] is False


def test_a_program_may_load_a_plugin(scenario, embed, fussy):
    """What that calls is found in the library. Its own handler and responder are the program's or the plug-in's."""
    scenario.execute("create table users (id int primary key)")
    worker = scenario.streaming()
    assert worker.terminate() == 0
    path = f"handler.path={fussy()}"
    embedder = embed(worker.config_file, "no=handler", path, "handler.options={failAt: 2}")
    embedder.wait("ready ")
    assert "log info fussy is open failAt=2" in embedder.lines
    scenario.execute("insert into users values (1)")
    assert embedder.wait("answer ")[0].endswith(" delivered")
    scenario.execute("insert into users values (2)")
    embedder.wait("log error halted")
    assert embedder.end() == "log info fussy is closed"
    assert embedder.lines[-2].endswith("the handler: row 2 is not to my taste")
    (problem,) = embed(worker.config_file, path).wait("problem ")
    assert problem == "problem handler.path: the program has a handler of its own"


def test_a_configuration_may_be_built_in_code(scenario, embed):
    """All of it, without a file; a text is taken as it stands."""
    scenario.execute("create table users (id int primary key)")
    config = scenario.config(cdc={"metric": {"address": "127.0.0.1", "port": 0}})
    sets = [f"{section}={json.dumps(options)}" for section, options in config.items()]
    embedder = embed("-", *sets, "kafka.clientID=a: {b #c")
    assert embedder.wait("ready ") == ["ready 0"]
    scenario.execute("insert into users values (1)")
    embedder.wait("answer ")
    assert embedder.end() == "closed"
    assert scenario.values() == [{"id": 1, "operation": "INSERT"}]


def test_a_program_is_told_all_that_is_wrong_with_its_configuration(scenario, embed):
    away = scenario.directory / "away.yaml"
    away.parent.mkdir(parents=True, exist_ok=True)
    away.write_text("cdc: {hots: x}\n")
    embedder = embed(away, "kafka.compression=zip")
    embedder.end()
    said = "\n".join(embedder.lines)
    for word in ("problem ", "away.yaml:1", "cdc.hots", "cdc.host", "kafka.compression", "zip"):
        assert word in said, said
