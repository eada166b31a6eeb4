"""libpqcdc as a C programmer uses it: the example of examples/, and what is installed."""

import json
import os
import shutil
import signal
import subprocess
from contextlib import contextmanager

import pytest

from conftest import ROOT
from lab.servers import free_port
from lab.waiting import wait_until

AWAY = """
cdc:
  host: 127.0.0.1
  port: 1
  username: nobody
  database: nowhere
  metric: {address: 127.0.0.1, port: %d}
  publication: {name: away, tables: [{name: users}]}
  slot: {name: away}
kafka:
  brokers: [127.0.0.1:1]
  topicTemplate: away
"""


@pytest.fixture
def build(program):
    return program.parent.parent


USERS = "create table users (id serial primary key, name text not null, created_on timestamptz)"


@contextmanager
def running(build, config_file, log):
    """handler-flat, once it is ready; it must end well."""
    example = subprocess.Popen(
        [build / "bin/handler-flat", config_file], stdout=subprocess.PIPE, stderr=log.open("wb"), text=True
    )
    try:
        assert example.stdout.readline() == "ready\n", log.read_text()
        yield example
        example.send_signal(signal.SIGTERM)
        assert example.wait(30) == 0, log.read_text()
    finally:
        if example.poll() is None:
            example.kill()


@pytest.mark.sanitize("address")
def test_the_readme_program_writes_what_the_ancestor_wrote(scenario, build):
    """Byte for byte: the row as it is after INSERT and UPDATE, and as it was before DELETE."""
    scenario.transaction(USERS, "alter table users replica identity full")
    worker = scenario.worker()  # writes the configuration, creates publication and slot
    worker.wait_streaming()
    assert worker.terminate() == 0

    with running(build, worker.config_file, scenario.directory / "example.log"):
        scenario.transaction(
            "insert into users (name) values ('Oyleli1'), ('Oyleli2')",
            "update users set name = 'A \"b\" <ü>', created_on = '2024-05-06 07:08:09.5+00' where id = 1",
            "delete from users where id = 1",
        )
        wait_until(lambda: len(scenario.records()) == 4, "four records")
        counted = worker.metrics()
    records = [(record.key, record.value, record.headers) for record in scenario.records()]
    assert records == [
        (b"1", b'{"created_on":null,"id":1,"name":"Oyleli1","operation":"INSERT"}', {}),
        (b"2", b'{"created_on":null,"id":2,"name":"Oyleli2","operation":"INSERT"}', {}),
        (
            b"1",
            '{"created_on":"2024-05-06T07:08:09.5Z","id":1,"name":"A \\"b\\" <ü>","operation":"UPDATE"}'.encode(),
            {},
        ),
        (
            b"1",
            '{"created_on":"2024-05-06T07:08:09.5Z","id":1,"name":"A \\"b\\" <ü>","operation":"DELETE"}'.encode(),
            {},
        ),
    ]
    # The library serves what the worker serves, and the program's own metrics with it.
    assert (counted["example_delivered_total"], counted["example_refused_total"]) == (4, 0)
    # All of it was confirmed: nothing is left for the next reader.
    assert scenario.slot_row()["active"] is False


def run_example(build, config_file, log, ended_by=None):
    """Its status and what it said; ended_by is sent once its log has a line."""
    with log.open("wb") as err:
        example = subprocess.Popen(
            [build / "bin/handler-flat", config_file], stdout=subprocess.PIPE, stderr=err, text=True
        )
    try:
        if ended_by is not None:
            wait_until(lambda: log.stat().st_size > 0, "a line of its log")
            example.send_signal(ended_by)
        out, _ = example.communicate(timeout=25)
    finally:
        if example.poll() is None:
            example.kill()
    return example.returncode, out, log.read_text()


def test_example_is_not_ready(scenario, build, tmp_path):
    away = scenario.config(cdc={"port": 1, "metric": {"address": "127.0.0.1", "port": free_port()}})
    file = tmp_path / "away.yaml"
    file.write_text(json.dumps(away))
    # A stop is noticed while it is not ready yet.
    status, out, said = run_example(build, file, tmp_path / "stopped.log", signal.SIGTERM)
    assert (status, out) == (0, ""), said

    # One that halts says why, and does not wait for the whole time.
    missing = scenario.config(
        cdc={"metric": {"address": "127.0.0.1", "port": free_port()}}, tables=("there_is_no_such_table",)
    )
    file.write_text(json.dumps(missing))
    status, out, said = run_example(build, file, tmp_path / "halted.log")
    assert (status, out) == (69, "")
    assert "there_is_no_such_table" in said.splitlines()[-1]


@pytest.mark.unsanitized("an installed library is linked into a program of another compiler")
@pytest.mark.parametrize("how", ["shared", "static"])
def test_installed_files_build_a_program(how, build, tmp_path):
    root = tmp_path / "root"
    subprocess.run(["cmake", "--install", build, "--prefix", root], check=True, capture_output=True)
    (library,) = {path.parent for path in root.rglob("libpqcdc.a")}
    for file in ("bin/pqcdc", "include/pqcdc/pqcdc.h", "share/man/man1/pqcdc.1"):
        assert (root / file).is_file(), file

    def pkg_config(*arguments: str) -> list[str]:
        return subprocess.run(
            ["pkg-config", *arguments, "pqcdc"],
            env={**os.environ, "PKG_CONFIG_PATH": str(library / "pkgconfig")},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()

    if how == "shared":
        options = pkg_config("--cflags", "--libs")
    else:
        needed = pkg_config("--print-requires-private")
        theirs = subprocess.run(["pkg-config", "--libs", *needed], check=True, capture_output=True, text=True)
        options = [*pkg_config("--cflags-only-I"), library / "libpqcdc.a", *theirs.stdout.split(), "-pthread"]
    # Its limit is shortened: with nobody to connect to it says that it did not get ready.
    text = (ROOT / "examples/handler-flat.c").read_text()
    assert "READY_LIMIT_MS = 30000" in text
    source = tmp_path / "example.c"
    source.write_text(text.replace("READY_LIMIT_MS = 30000", "READY_LIMIT_MS = 1000"))
    target = tmp_path / "example"
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", source, *options, "-o", target], check=True)

    def run(file) -> subprocess.CompletedProcess:
        environment = {**os.environ, "LD_LIBRARY_PATH": str(library)}
        return subprocess.run([target, file], env=environment, capture_output=True, text=True, timeout=25)

    done = run(tmp_path / "missing.yaml")
    assert done.returncode == 78
    assert "missing.yaml" in done.stderr
    away = tmp_path / "away.yaml"
    away.write_text(AWAY % free_port())
    done = run(away)
    assert (done.returncode, done.stdout) == (69, ""), done.stderr
    assert done.stderr.splitlines()[-1] == "not ready within 1 s; the log says why"


@pytest.mark.parametrize("directory", ["lib", "lib/x86_64-linux-gnu"])
def test_the_pkg_config_file_finds_what_stands_beside_it(directory, tmp_path):
    configured = tmp_path / "build"
    options = [f"-DCMAKE_INSTALL_LIBDIR={directory}", "-DCMAKE_INSTALL_PREFIX=/configured/elsewhere", "-DTESTS=OFF"]
    subprocess.run(["cmake", "-G", "Ninja", "-S", ROOT, "-B", configured, *options], check=True, capture_output=True)
    place = tmp_path / "moved" / directory / "pkgconfig"
    place.mkdir(parents=True)
    shutil.copy(configured / "pqcdc.pc", place)
    found = {}
    for variable in ("prefix", "libdir", "includedir"):
        found[variable] = subprocess.run(
            ["pkg-config", f"--variable={variable}", "pqcdc"],
            env={**os.environ, "PKG_CONFIG_PATH": str(place)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
    moved = tmp_path / "moved"
    assert {name: os.path.normpath(path) for name, path in found.items()} == {
        "prefix": str(moved),
        "libdir": str(moved / directory),
        "includedir": str(moved / "include"),
    }


def test_only_the_public_functions_are_exported(build):
    symbols = subprocess.run(
        ["nm", "-D", "--defined-only", build / "lib/libpqcdc.so"], check=True, capture_output=True, text=True
    ).stdout
    exported = sorted(line.split()[-1].split("@")[0] for line in symbols.splitlines())
    assert exported == sorted(
        f"pqcdc_{name}"
        for name in ("close", "emit", "emit_default", "new", "port", "start", "stop", "version", "wait_until_ready")
    )
    static = subprocess.run(
        ["nm", "-g", "--defined-only", build / "lib/libpqcdc.a"], check=True, capture_output=True, text=True
    ).stdout
    assert sorted(line.split()[-1] for line in static.splitlines() if " T " in line) == exported
