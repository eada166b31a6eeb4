"""The charts' copies are those of their sources, and a drift would be seen."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from lab import charts
from lab.charts import ROOT, Mistake
from lab.helm import Helm

SOURCES = ["crds", "charts"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in SOURCES:
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def test_nothing_drifted() -> None:
    assert charts.drifted(ROOT) == [], "scripts/charts --write"


@pytest.mark.parametrize(
    ("source", "old", "new", "copies"),
    [
        (
            charts.CRD,
            "kind: CustomResourceDefinition",
            "kind:  CustomResourceDefinition",
            ["charts/pqcdc/templates/crd-connectors.yaml"],
        ),
        (
            charts.CRD,
            "maxLength: 63",
            "maxLength: 62",
            [
                "charts/pqcdc/templates/crd-connectors.yaml",
                "charts/pqcdc/values.schema.json",
                "charts/pqcdc-connector/values.schema.json",
            ],
        ),
        (
            "charts/pqcdc/values.yaml",
            "replicaCount: 2",
            "replicaCount: 3",
            ["charts/pqcdc/README.md"],
        ),
        (
            "charts/pqcdc/values.yaml",
            "# @enum json text",
            "# @enum json",
            ["charts/pqcdc/values.schema.json", "charts/pqcdc/README.md"],
        ),
        (
            "charts/pqcdc/README.md",
            "| value | default |",
            "| values | default |",
            ["charts/pqcdc/README.md"],
        ),
        (
            "charts/pqcdc/values.schema.json",
            '"additionalProperties": false',
            '"additionalProperties": true',
            ["charts/pqcdc/values.schema.json"],
        ),
    ],
)
def test_a_planted_drift_is_seen(tree: Path, source: str, old: str, new: str, copies: list[str]) -> None:
    path = tree / source
    text = path.read_text()
    assert old in text, "nothing was planted"
    path.write_text(text.replace(old, new))
    assert {str(path.relative_to(tree)) for path in charts.drifted(tree)} == set(copies)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "# Replicas of the operator; one acts, the others stand by. Workers go on without any.\n",
            "",
            "replicaCount: n",
        ),
        ("# @enum json text", "# @enmu json text", "operator.logFormat: @enmu"),
        ("# @free\nnodeSelector", "nodeSelector", "nodeSelector: @free is missing"),
        ("# @items string\nwatchNamespaces", "watchNamespaces", "watchNamespaces: @items is missing"),
    ],
)
def test_a_value_must_be_explained(tree: Path, old: str, new: str, said: str) -> None:
    path = tree / "charts/pqcdc/values.yaml"
    text = path.read_text()
    assert old in text, "nothing was planted"
    path.write_text(text.replace(old, new))
    with pytest.raises(Mistake, match=said):
        charts.generated(tree)


def test_the_definition_is_that_of_the_tree(helm: Helm) -> None:
    definition = helm.template("charts/pqcdc").one("CustomResourceDefinition")
    assert definition["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert definition == yaml.safe_load((ROOT / charts.CRD).read_text())


def test_the_definition_may_stay_away(helm: Helm) -> None:
    assert "CustomResourceDefinition" not in helm.template("charts/pqcdc", crds__install=False).kinds


def test_the_definition_may_have_annotations(helm: Helm) -> None:
    definition = helm.template("charts/pqcdc", crds__annotations={"a": "b"}).one("CustomResourceDefinition")
    assert definition["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep", "a": "b"}


def test_braces_of_a_description_are_no_template(tree: Path, helm4: Helm) -> None:
    path = tree / charts.CRD
    text = path.read_text().replace(
        "kind: CustomResourceDefinition", "kind: CustomResourceDefinition # {{ fail }} }}"
    )
    path.write_text(text)
    template = tree / "charts/pqcdc/templates/crd-connectors.yaml"
    template.write_text(charts.crd_template(text))
    definition = helm4.template(str(tree / "charts/pqcdc")).one("CustomResourceDefinition")
    definition["metadata"].pop("annotations")
    assert definition == yaml.safe_load(text)


def test_every_field_of_the_spec_is_a_value() -> None:
    """Of the small chart, and with the same schema."""
    spec = charts.spec_of(yaml.safe_load((ROOT / charts.CRD).read_text()))
    schema = json.loads((ROOT / "charts/pqcdc-connector/values.schema.json").read_text())
    for name, node in spec["properties"].items():
        here = schema["properties"][name]
        assert {**charts.json_schema(node), "description": here["description"]} == here
    assert set(schema["required"]) == set(spec["required"])


def test_every_example_is_explained() -> None:
    """In a table of the document; that each is valid is another test's matter."""
    explained = re.findall(r"^\| \[(examples/[\w-]+\.yaml)\]", (ROOT / "docs/kubernetes.md").read_text(), re.M)
    assert sorted(explained) == sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("examples/*.yaml"))
