#!/usr/bin/env python3
"""Replays each corpus in a build with -DCOVERAGE=ON (gcc) and prints, for each parser, how many inputs were
run and how many of its lines they reach; fails where a target reaches less than FLOOR of the lines that
it is there for, or less than FILE_FLOOR of one file, and for a target that is not in the table.

    tests/fuzz/coverage.py BUILD [TARGET...]
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLOOR = 95.0  # per cent
FILE_FLOOR = 90.0
SHOWN = 60  # lines not reached

# Target -> the files that it is there for.
PARSERS = {
    "config/config": [
        "config/config_yaml",
        "config/config_env",
        "config/config_set",
        "config/config_layer",
        "config/config_value",
        "config/config_read",
        "config/config_node",
        "config/config_tables",
    ],
    "connector/endpoints": ["connector/endpoints", "connector/reading"],
    "connector/source": [
        "format/flat_json",
        "format/key",
        "format/table_plan",
        "format/encoder_headers",
    ],
    "format/topic_route": ["format/topic_route"],
    "format/value_json": [
        "format/value_json",
        "format/json_array",
        "format/json_check",
        "format/json_number",
        "format/json_time",
        "format/json_writer",
    ],
    "http/http_server": ["http/http_server"],
    "kube/kube_config": [
        "kube/kube_config",
        "kube/kube_config_file",
        "kube/kube_config_yaml",
        "kube/kube_config_server",
        "kube/kube_base64",
    ],
    "kube/kube_lease": ["kube/kube_lease", "kube/kube_object", "kube/kube_time"],
    "kube/kube_watch": ["kube/kube_watch_feed", "kube/kube_lines", "kube/kube_answer"],
    "postgres/pgoutput": ["postgres/pgoutput", "postgres/relation_cache", "base/reader"],
    "postgres/timeline_history": ["postgres/timeline_history"],
    "postgres/wal_message": ["postgres/wal_message"],
    "worker/arguments": ["worker/arguments"],
}


def targets() -> list[str]:
    found = sorted((ROOT / "tests/fuzz").glob("*/*_fuzz.c"))
    return [f"{path.parent.name}/{path.stem.removesuffix('_fuzz')}" for path in found]


def replay(build: Path, target: str) -> int:
    """Runs the target over its corpus, from no counters; returns how many inputs there were."""
    for counters in build.rglob("*.gcda"):
        counters.unlink()
    program = build / "tests" / f"fuzz_{target.replace('/', '_')}"
    corpus = ROOT / "tests/fuzz/corpus" / target.split("/")[1]
    done = subprocess.run([str(program), str(corpus)], text=True, capture_output=True)
    ran = re.search(r"replayed (\d+) files", done.stdout)
    if done.returncode != 0 or ran is None:
        sys.exit(f"{target} fails on its corpus:\n{done.stdout}{done.stderr}")
    return int(ran[1])


def lines_of(build: Path, file: str) -> tuple[int, list[int]]:
    """How many lines of code a source file has, and which of them were not reached."""
    room = file.split("/")[0]
    notes = next(build.rglob(f"room_{room}.dir/src/{file}.c.gcno"))
    gcov = ["gcov", "--json-format", "--stdout", str(notes)]
    report = json.loads(subprocess.run(gcov, check=True, capture_output=True, cwd=build).stdout)
    lines: dict[int, int] = {}
    for entry in report["files"]:
        if entry["file"].endswith(f"src/{file}.c"):
            for line in entry["lines"]:
                number = line["line_number"]
                lines[number] = lines.get(number, 0) + line["count"]
    return len(lines), sorted(number for number, count in lines.items() if count == 0)


def measure(build: Path, target: str) -> bool:
    inputs = replay(build, target)
    lines = reached = 0
    lowest = 100.0
    for file in PARSERS[target]:
        total, missed = lines_of(build, file)
        lines += total
        reached += total - len(missed)
        share = 100.0 * (total - len(missed)) / total
        lowest = min(lowest, share)
        rest = f"; not reached: {' '.join(map(str, missed[:SHOWN]))}" if missed else ""
        print(f"    {share:5.1f} % of {total:4} lines of src/{file}.c{rest}")
    share = 100.0 * reached / lines
    print(f"{target}: {inputs} inputs reach {share:.1f} % of {lines} lines")
    if share >= FLOOR and lowest >= FILE_FLOOR:
        return True
    print(f"  too few: add inputs to tests/fuzz/corpus/{target.split('/')[1]}")
    return False


def main(build: str, *chosen: str) -> int:
    unknown = set(targets()) ^ set(PARSERS)
    if unknown:
        print(f"not both a target and in this file's table: {' '.join(sorted(unknown))}")
    results = [measure(Path(build).resolve(), target) for target in chosen or sorted(PARSERS)]
    return 0 if all(results) and not unknown else 1


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
