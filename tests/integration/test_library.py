"""libpqcdc as a C programmer uses it: the example of examples/, and what is installed."""

import os
import shutil
import signal
import subprocess

import pytest

from conftest import ROOT
from lab.waiting import wait_until


@pytest.fixture
def build(program):
    return program.parent.parent


def test_example_handler(scenario, build):
    scenario.execute("create table users (id int primary key, name text)")
    worker = scenario.worker()  # writes the configuration, creates publication and slot
    worker.wait_streaming()
    assert worker.terminate() == 0

    example = subprocess.Popen(
        [build / "bin/example_handler", worker.config_file],
        stdout=subprocess.PIPE,
        stderr=(scenario.directory / "example.log").open("wb"),
        text=True,
    )
    try:
        assert example.stdout.readline() == "ready\n"
        scenario.transaction(
            "insert into users values (1, 'Ada'), (2, 'Grace')",
            "update users set name = 'Ada L.' where id = 1",
            "delete from users where id = 2",
        )
        wait_until(lambda: len(scenario.records()) == 4, "four records")
        example.send_signal(signal.SIGTERM)
        assert example.wait(30) == 0
    finally:
        if example.poll() is None:
            example.kill()
    records = [(record.key, record.value, record.headers) for record in scenario.records()]
    assert records == [
        (b"1", b"insert users 1", {"source": b"example"}),
        (b"2", b"insert users 2", {"source": b"example"}),
        (b"1", b"update users 1", {"source": b"example"}),
        (b"2", b'{"id":2,"operation":"DELETE"}', {}),
    ]
    # All of it was confirmed: nothing is left for the next reader.
    assert scenario.slot_row()["active"] is False


@pytest.mark.parametrize("how", ["shared", "static"])
def test_installed_files_build_a_program(how, build, tmp_path):
    root = tmp_path / "root"
    subprocess.run(["cmake", "--install", build, "--prefix", root], check=True, capture_output=True)
    (library,) = {path.parent for path in root.rglob("libpqcdc.a")}
    for file in ("bin/pqcdc", "include/pqcdc/pqcdc.h", "share/man/man1/pqcdc.1"):
        assert (root / file).is_file(), file

    def pkg_config(*arguments: str) -> list[str]:
        # The file says the configured prefix; the files stand elsewhere here, as with packagers.
        return subprocess.run(
            ["pkg-config", f"--define-variable=prefix={root}", *arguments, "pqcdc"],
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
    compiler = shutil.which("cc")
    target = tmp_path / "example"
    subprocess.run([compiler, ROOT / "examples/handler.c", *options, "-o", target], check=True)
    done = subprocess.run(
        [target, tmp_path / "missing.yaml"],
        env={**os.environ, "LD_LIBRARY_PATH": str(library)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 78
    assert "missing.yaml" in done.stderr


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
