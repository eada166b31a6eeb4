"""libpqcdc as a C programmer uses it: the example of examples/, and what is installed."""

import json
import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from conftest import ROOT
from lab.documents import blocks_run_in
from lab.servers import free_port
from lab.waiting import wait_until

@pytest.fixture
def build(program):
    return program.parent.parent


USERS = "create table users (id serial primary key, name text not null, created_on timestamptz)"


@contextmanager
def running(example_program, config_file, log, **environment):
    """handler-flat, once it is ready; it must end well."""
    example = subprocess.Popen(
        [example_program, config_file],
        stdout=subprocess.PIPE,
        stderr=log.open("wb"),
        text=True,
        env={**os.environ, **environment},
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

    with running(build / "bin/handler-flat", worker.config_file, scenario.directory / "example.log"):
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


@pytest.fixture(scope="session")
def installed(program, tmp_path_factory):
    """Where `cmake --install` put everything, which is not where it was configured for."""
    root = tmp_path_factory.mktemp("installed")
    build = program.parent.parent
    subprocess.run(["cmake", "--install", build, "--prefix", root], check=True, capture_output=True)
    files = {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}
    (library,) = {path.parent.relative_to(root) for path in root.rglob("libpqcdc.a")}
    wanted = {"bin/pqcdc", "bin/pqcdc-operator", "include/pqcdc/pqcdc.h", "share/man/man1/pqcdc.1"}
    wanted |= {f"{library}/{name}" for name in ("libpqcdc.so", "libpqcdc.so.1", "pkgconfig/pqcdc.pc")}
    wanted |= {f"{library}/cmake/pqcdc/{name}.cmake" for name in ("pqcdcConfig", "pqcdcConfigVersion")}
    assert wanted <= files, wanted - files
    return root, root / library


def run_quietly(*command, **environment) -> None:
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def build_examples(how: str, installed, target: Path) -> None:
    """Both, as examples/ says it; a warning is an error."""
    root, library = installed
    target.mkdir()
    if how == "make":
        options = [f"PKG_CONFIG_PATH={library}/pkgconfig", f"OUT={target}", "CFLAGS=-Wall -Wextra -Werror"]
        run_quietly("make", "-C", ROOT / "examples", *options)
        return
    options = [f"-DCMAKE_PREFIX_PATH={root}", "-DCMAKE_C_FLAGS=-Wall -Wextra -Werror", f"-DSTATIC={how == 'static'}"]
    run_quietly("cmake", "-G", "Ninja", "-S", ROOT / "examples", "-B", target, *options)
    run_quietly("cmake", "--build", target)


@pytest.mark.unsanitized("an installed library is linked into a program of another compiler")
def test_the_commands_of_the_manual(installed, tmp_path):
    """As they stand there, beside the sources of the examples."""
    _, library = installed
    blocks = blocks_run_in(ROOT / "docs/c-api.md", "test_the_commands_of_the_manual")
    for source in (ROOT / "examples").glob("*.c"):
        shutil.copy(source, tmp_path)
    for block in blocks:
        run_quietly("sh", "-ec", f"cd {tmp_path}; {block.text}", PKG_CONFIG_PATH=f"{library}/pkgconfig")
    assert {path.name for path in tmp_path.iterdir() if path.suffix != ".c"} == {"handler-flat", "handler-outbox.so"}


@pytest.mark.unsanitized("an installed library is linked into a program of another compiler")
@pytest.mark.parametrize("how", ["make", "shared", "static"])
def test_the_examples_are_built_with_what_is_installed(how, installed, scenario, tmp_path):
    """By pkg-config and make, and by find_package and CMake; the plug-in is run by the installed worker."""
    target = tmp_path / "built"
    build_examples(how, installed, target)
    linked = subprocess.run(["ldd", target / "handler-flat"], capture_output=True, text=True).stdout
    assert ("libpqcdc.so.1" in linked) == (how != "static"), linked
    scenario.program = installed[0] / "bin/pqcdc"
    scenario.transaction(
        "create table users (id serial primary key, name text)",
        "create table outbox (id int primary key, topic text, key text, type text, payload jsonb)",
    )
    handler = {"path": str(target / "handler-outbox.so")}
    worker = scenario.streaming(scenario.config(tables=("users", "outbox"), handler=handler))
    scenario.execute(f"insert into outbox values (1, '{scenario.topic}', 'k', 'made', '[1]')")
    wait_until(scenario.records, "the outbox's record")
    assert worker.terminate() == 0

    config = json.loads(worker.config_file.read_text())
    del config["handler"]
    file = tmp_path / "flat.yaml"
    file.write_text(json.dumps(config))
    with running(target / "handler-flat", file, tmp_path / "example.log", LD_LIBRARY_PATH=str(installed[1])):
        scenario.execute("insert into users (name) values ('Oyleli1')")
        wait_until(lambda: len(scenario.records()) == 2, "the program's record")
    assert [(r.key, r.value, r.headers) for r in scenario.records()] == [
        (b"k", b"[1]", {"id": b"1", "type": b"made"}),
        (b"1", b'{"id":1,"name":"Oyleli1","operation":"INSERT"}', {}),
    ]


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
    """By the archive, what the shared library exports, of which tests/style knows."""
    names = []
    for options, file in ((["-D"], "libpqcdc.so"), (["-g"], "libpqcdc.a")):
        command = ["nm", *options, "--defined-only", build / "lib" / file]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        names.append(sorted(line.split()[-1].split("@")[0] for line in output.splitlines() if " T " in line))
    assert names[0] == names[1]
    assert names[0] and all(name.startswith("pqcdc_") for name in names[0])
