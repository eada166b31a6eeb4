"""Both Helms, and the value sets that most tests are about."""

from pathlib import Path

import pytest

from lab.helm import MONITORING, Helm

VALUES = Path(__file__).parent / "values"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PQCDC, CONNECTOR = "charts/pqcdc", "charts/pqcdc-connector"

# name -> chart, values, APIs that the cluster has beside its own
SETS = {
    "default": (PQCDC, [], ()),
    "namespaces": (PQCDC, [VALUES / "namespaces.yaml"], (MONITORING,)),
    "no-operator": (PQCDC, [EXAMPLES / "values-no-operator.yaml"], ()),
    "worker": (PQCDC, [VALUES / "worker.yaml"], (MONITORING,)),
    "both": (PQCDC, [VALUES / "both.yaml"], ()),
    "everything": (PQCDC, [VALUES / "everything.yaml"], (MONITORING,)),
    "connector": (CONNECTOR, [VALUES / "connector.yaml"], ()),
    "connector-minimal": (CONNECTOR, [Path(CONNECTOR) / "ci/minimal-values.yaml"], ()),
}


@pytest.fixture(scope="session", params=[3, 4], ids=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest) -> Helm:
    return Helm(request.param)


@pytest.fixture(scope="session")
def helm4() -> Helm:
    """For what does not differ between the two."""
    return Helm(4)


@pytest.fixture(params=SETS)
def value_set(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def render(helm: Helm):
    """render(set, **arguments) -> the objects that it makes."""
    return lambda name, **arguments: render_set(helm, name, **arguments)


def render_set(helm: Helm, name: str, **arguments):
    chart, files, versions = SETS[name]
    return helm.template(chart, *files, **{"versions": versions, **arguments})
