"""Reports of the sanitizers that programs under test may be built with.

Every process of a test, whoever starts it, writes its reports into files of one directory; a test that
leaves one there fails. Programs that are built without a sanitizer ignore all of this.
"""

import functools
import os
import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
# Statuses that no program of ours ends with.
EXIT_STATUS = {"ASAN_OPTIONS": 86, "LSAN_OPTIONS": 87, "UBSAN_OPTIONS": 88, "TSAN_OPTIONS": 89}
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1",
    "LSAN_OPTIONS": "",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": f"suppressions={TESTS / 'tsan.supp'}:halt_on_error=0",
}


def listen(directory: Path) -> None:
    """From now on the processes that this one starts report there."""
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.iterdir():
        old.unlink()
    for name, options in OPTIONS.items():
        ours = f"{options}:exitcode={EXIT_STATUS[name]}:log_path={directory / 'report'}"
        os.environ[name] = f"{ours}:{os.environ.get(name, '')}".strip(":")


def take_reports(directory: Path) -> str:
    """What was reported since it was asked last; the files stay, under another name."""
    texts = []
    for report in sorted(directory.glob("report.*")):
        text = report.read_text(errors="replace")
        report.rename(report.with_name(f"seen-{report.name}"))
        if text.strip():
            texts.append(f"{report.name}:\n{text}")
    return "\n".join(texts)


SLOWNESS = 4.0  # how many times as long a program may take
# A function that the program has by its sanitizer.
MARKS = {b"__asan_init": "address", b"__tsan_init": "thread"}


@functools.cache
def sanitizer_of(program: Path) -> str | None:
    """What the program is built with: "address" (and undefined behaviour), "thread", or nothing."""
    text = program.read_bytes()
    return next((name for mark, name in MARKS.items() if mark in text), None)


def slowness(program: Path) -> float:
    return SLOWNESS if sanitizer_of(program) else 1.0


def finds_leaks(program: Path) -> bool:
    """Whether the program looks for leaks when it ends in peace."""
    return sanitizer_of(program) == "address"


def compiler_of(program: Path) -> list[str]:
    """The command that compiles and links another program for the build that this one is of."""
    build = program.resolve().parent.parent
    cache = dict(re.findall(r"^(\w+):\w+=(.*)$", (build / "CMakeCache.txt").read_text(), re.MULTILINE))
    options = {
        None: [],
        "address": ["-fsanitize=address,undefined"],
        # What ThreadSanitizer must be told of librdkafka, as the build's own programs have it.
        "thread": ["-fsanitize=thread", *map(str, build.glob("CMakeFiles/tsan_librdkafka.dir/**/*.o"))],
    }
    return [cache["CMAKE_C_COMPILER"], *options[sanitizer_of(program)]]
