"""The fenced blocks of the documents, and who runs them.

A block of commands (sh, console, sql) stands under a comment that names the test that runs it, as it stands there

    <!-- run by tests/integration/test_docs.py::test_getting_started -->

or, after a comma, what is different there; or says why none does:

    <!-- not run: needs Docker -->

Files that such a test writes (yaml) stand under the same comment. tests/style/check.py holds documents to this."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMMANDS = ("sh", "console", "sql")
OTHERS = ("c", "cmake", "ini", "json", "mermaid", "text", "yaml")
MARK = re.compile(r"<!-- (?:run by (?P<file>tests/[\w/]+\.py)::(?P<test>\w+)(?P<remark>, .+)?|not run: (?P<reason>.+)) -->")
FENCE = re.compile(r"^( *)```(\w*)$")


@dataclass(frozen=True)
class Block:
    line: int
    language: str
    text: str
    mark: re.Match | None

    def runs_in(self, test: str) -> bool:
        return self.mark is not None and self.mark["test"] == test


def blocks_of(path: Path) -> Iterator[Block]:
    """The blocks of a document, in its order."""
    start, begin, lines, mark = 0, None, [], None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        fence = FENCE.match(line)
        if begin is None and fence:
            start, begin, lines = number, fence, []
        elif begin is not None and line == f"{begin[1]}```":
            yield Block(start, begin[2], "\n".join(lines) + "\n", mark)
            begin, mark = None, None
        elif begin is not None:
            lines.append(line.removeprefix(begin[1]))
        elif line.strip():
            mark = MARK.fullmatch(line.strip())


def blocks_run_in(path: Path, test: str) -> list[Block]:
    """What that test types of the document."""
    blocks = [block for block in blocks_of(path) if block.runs_in(test)]
    assert blocks, f"{path} has no block for {test}"
    return blocks


def documents_of(root: Path) -> list[Path]:
    return [root / "README.md", *sorted((root / "docs").glob("*.md")), *sorted((root / "charts").glob("*/README.md"))]
