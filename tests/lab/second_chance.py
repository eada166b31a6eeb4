#!/usr/bin/env python3
"""Which failures of a run may be tried once more: prints a test a line, or nothing.

    second_chance.py JUNIT      a file of ctest or of pytest

The machines that run these tests are shared, and a process that gets no processor for some seconds breaks
tests that nothing is wrong with. So scripts/test repeats what failed, alone, and names what passed only
then. Never repeated: a run in which many tests failed, or one by what no slow machine can excuse: the
checker's verdict, a sanitizer's report, a process that broke down.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

MOST = 5  # more failures than that have a cause of their own
INEXCUSABLE = re.compile(
    r"VIOLATED|(missing|foreign|disordered|stale)=\['"  # tests/lab/checker.py
    r"|a sanitizer reports|Sanitizer:|runtime error:"
    r"|broke down|broken invariant|SIG(SEGV|ABRT|BUS)|SEGFAULT|Subprocess aborted"
)


def text_of(case: ElementTree.Element) -> str:
    return " ".join("".join([*child.attrib.values(), *child.itertext()]) for child in case)


def name_of(case: ElementTree.Element, root: Path) -> str:
    """As its runner calls it: pytest's classname is the path of a file below its root."""
    module, name = case.get("classname", ""), case.get("name", "")
    return name if module == name else f"{root / module.replace('.', '/')}.py::{name}"


def second_chances(junit: Path, root: Path = Path("tests")) -> list[str]:
    failures: dict[str, str] = {}
    for case in ElementTree.parse(junit).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            name = name_of(case, root)
            failures[name] = failures.get(name, "") + text_of(case)
    inexcusable = any(map(INEXCUSABLE.search, failures.values()))
    return [] if inexcusable or len(failures) > MOST else list(failures)


if __name__ == "__main__":
    print("".join(f"{name}\n" for name in second_chances(Path(sys.argv[1]))), end="")
