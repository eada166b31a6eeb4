"""What the main value sets make, word for word, by both Helms. GOLDEN=write writes it anew: read the diff."""

import os
from pathlib import Path

from charts.conftest import PQCDC, SETS
from lab.helm import Helm

GOLDEN = Path(__file__).parent / "golden"


def plain(text: str) -> str:
    """Helm 4 leaves an empty line where Helm 3 leaves none."""
    return "".join(f"{line}\n" for line in text.splitlines() if line.strip())


def test_golden(helm: Helm, value_set: str) -> None:
    """Without the definition of the resource, which has a test of its own."""
    chart, files, versions = SETS[value_set]
    values = {"crds__install": False} if chart == PQCDC else {}
    text = plain(helm.render(chart, *files, versions=versions, **values))
    path = GOLDEN / f"{value_set}.yaml"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


def test_lint(helm: Helm, value_set: str) -> None:
    chart, files, _ = SETS[value_set]
    assert "0 chart(s) failed" in helm.lint(chart, *files)


def test_no_golden_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(SETS)
