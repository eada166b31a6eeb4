"""Two connectors in one process: what befalls one does not touch the other."""

import copy
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import ROOT
from lab.line import Line
from lab.sanitizers import compiler_of
from lab.waiting import wait_until
from lab.worker import Worker


@pytest.fixture
def other(line):
    """A second line: the same table by another publication and slot to another topic."""
    scenario = copy.copy(line.scenario)
    scenario.slot = scenario.publication = f"{scenario.name}_other"
    scenario.execute(f"create publication {scenario.publication} for table t")
    scenario.execute(f"select pg_create_logical_replication_slot('{scenario.slot}', 'pgoutput')")
    yield replace(line, scenario=scenario, topic=scenario.create_topic("other", partitions=3))
    wait_until(lambda: not scenario.slot_row().get("active"), f"slot {scenario.slot} is free")


class Pair:
    """One process that runs the configurations of two lines."""

    def __init__(self, program: Path, lines: tuple[Line, Line], directory: Path):
        self.workers = [
            Worker(program, directory / name, line.config())
            for name, line in zip(("first", "second"), lines, strict=True)
        ]
        stderr = directory / "stderr"
        with open(stderr, "wb") as err:
            self.process = subprocess.Popen(
                [program, *(worker.config_file for worker in self.workers)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=err,
                text=True,
            )
        for worker in self.workers:
            worker.adopt(self.process, stderr)

    def hear(self) -> str:
        return self.process.stdout.readline().rstrip("\n")

    def say(self, text: str) -> str:
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return self.hear()


@pytest.fixture
def pair(line, other, program, tmp_path):
    build = program.resolve().parent.parent
    target = tmp_path / "two_connectors"
    options = ["-std=c17", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include", f"-L{build}/lib"]
    libraries = ["-lpqcdc", f"-Wl,-rpath,{build}/lib"]
    source = ROOT / "tests/faults/two_connectors.c"
    subprocess.run([*compiler_of(program), *options, source, *libraries, "-o", target], check=True)
    pair = Pair(target, (line, other), tmp_path)
    yield pair
    pair.process.kill()
    pair.process.wait()


def lose_slot(line) -> None:
    line.scenario.execute("select pg_terminate_backend(%s, 10000)", (line.walsender(),))
    line.scenario.execute(f"select pg_drop_replication_slot('{line.scenario.slot}')")


@pytest.mark.sanitize("thread")
def test_one_halts_and_the_other_goes_on(line, other, pair, acquit, impact):
    first, second = pair.workers
    assert pair.hear() == "ready", first.stderr()
    with line.writers(pause=0.005):
        for worker in pair.workers:
            worker.wait_delivery()
        strike = impact.strike(second, "its neighbour halts")
        lose_slot(line)
        first.wait_state("over")
        strike.over(second)
        assert second.status()["state"] == "streaming"
        assert "is gone" in pair.say("close 0")
        second.wait_delivery()
    other.scenario.settle(second)
    assert second.metrics()["pqcdc_stream_starts_total"] == 1, "it never noticed"
    assert acquit(other).duplicates == 0
    assert pair.say("close 1") == "closed"
    impact.prove()


@pytest.mark.sanitize("thread")
def test_one_is_stopped_and_the_other_goes_on(line, other, pair, acquit, impact):
    first, second = pair.workers
    assert pair.hear() == "ready", first.stderr()
    with line.writers(pause=0.005):
        for worker in pair.workers:
            worker.wait_delivery()
        strike = impact.strike(second, "its neighbour is stopped")
        assert pair.say("close 0") == "closed"
        strike.over(second)
        # A process of its own takes the first one's place.
        successor = line.streaming()
        successor.wait_delivery()
    line.scenario.settle(successor)
    other.scenario.settle(second)
    assert second.metrics()["pqcdc_stream_starts_total"] == 1, "it never noticed"
    assert acquit(line).duplicates == acquit(other).duplicates == 0
    pair.process.stdin.close()
    assert pair.hear() == "closed"
    assert pair.process.wait(30) == 0
    impact.prove()
