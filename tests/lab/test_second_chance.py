"""What failed is tried again only where a slow machine can be the reason."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab.second_chance import MOST, second_chances

LATE = "def test_late(): raise AssertionError('not within 30 s: the row')\n"
TWO = "import pytest\n@pytest.mark.parametrize('text', ['a b', '[\"c\"]'])\ndef test_two(text): assert not text\n"
PASSES = "def test_passes(): pass\n"
TEARDOWN = "import pytest\n@pytest.fixture\ndef bad():\n    yield\n    raise OSError('x')\ndef test_end(bad): pass\n"


def run_pytest(directory: Path, *arguments: str) -> Path:
    junit = directory / "junit.xml"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={junit}", *arguments]
    subprocess.run(command, cwd=directory, capture_output=True, check=False)
    return junit


def inner_file(directory: Path) -> Path:
    return directory / "inner/test_it.py"


def chances(directory: Path, source: str, *options: str) -> list[str]:
    test = inner_file(directory)
    test.parent.mkdir()
    test.write_text(source)
    return second_chances(run_pytest(directory, *options, str(test)), directory)


def raising(text: str) -> str:
    return f"def test_bad(): raise AssertionError({text!r})\n"


@pytest.mark.parametrize("options", [(), ("--numprocesses", "2")])
def test_what_came_too_late_is_tried_again(tmp_path: Path, options: tuple[str, ...]) -> None:
    found = chances(tmp_path, LATE + TWO + PASSES + TEARDOWN, *options)
    names = ["test_late", "test_two[a b]", 'test_two[["c"]]', "test_end"]
    assert sorted(found) == sorted(f"{inner_file(tmp_path)}::{name}" for name in names)
    junit = run_pytest(tmp_path, *found)
    assert sorted(second_chances(junit, tmp_path)) == sorted(found), "the names select these tests"


@pytest.mark.parametrize(
    "text", ["L=VIOLATED O=ok", "missing=['id 1']", "a sanitizer reports:", "the worker broke down: -6"]
)
def test_what_nothing_excuses_forbids_it_for_all(tmp_path: Path, text: str) -> None:
    assert chances(tmp_path, LATE + raising(text)) == []


def test_many_failures_are_no_accident(tmp_path: Path) -> None:
    many = f"import pytest\n@pytest.mark.parametrize('n', range({MOST + 1}))\ndef test_many(n): assert n < 0\n"
    assert chances(tmp_path, many) == []


def test_of_a_run_that_passed_nothing_is_tried_again(tmp_path: Path) -> None:
    assert chances(tmp_path, PASSES) == []


@pytest.mark.parametrize(
    ("output", "again"),
    [("expected 3, not 2", ["unit.b"]), ("WARNING: ThreadSanitizer: data race", []), ("x.c:1: runtime error: y", [])],
)
def test_a_unit_test_is_judged_by_its_own_output(tmp_path: Path, output: str, again: list[str]) -> None:
    """Not by that of others, and also where ctest would cut a long one."""
    ctest = shutil.which("ctest")
    assert ctest is not None
    (tmp_path / "CTestTestfile.cmake").write_text(
        "add_test(unit.a printf ThreadSanitizer:)\n"
        f'add_test(unit.b sh -c "seq 2000; echo \'{output}\'; seq 2000; exit 1")\n'
    )
    junit = tmp_path / "junit.xml"
    command = [ctest, "--test-output-size-failed", "1000000", "--output-junit", str(junit)]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert second_chances(junit) == again
