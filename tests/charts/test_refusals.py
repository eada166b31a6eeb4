"""Wrong values are refused before anything is sent, and the message says where and what."""

import pytest

from charts.conftest import CONNECTOR, PQCDC, SETS, render_set
from lab.helm import Helm, HelmError

MINIMAL = SETS["connector-minimal"][1]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"replicaCuont": 1}, "at '': additional properties 'replicaCuont' not allowed"),
        ({"image__registri": "a"}, "at '/image': additional properties 'registri' not allowed"),
        (
            {"image__pullPolicy": "always"},
            "at '/image/pullPolicy': value must be one of 'IfNotPresent', 'Always'",
        ),
        ({"image__digest": "latest"}, "at '/image/digest': 'latest' does not match pattern"),
        ({"image__repository": "pqcdc:1"}, "at '/image/repository': 'pqcdc:1' does not match pattern"),
        ({"replicaCount": "two"}, "at '/replicaCount': got string, want integer"),
        ({"replicaCount": -1}, "at '/replicaCount': minimum: got -1, want 0"),
        ({"operator__httpPort": 70000}, "at '/operator/httpPort': maximum: got 70,000, want 65,535"),
        ({"operator__resync": "2 minutes"}, "at '/operator/resync': '2 minutes' does not match pattern"),
        ({"watchNamespaces": "shop"}, "at '/watchNamespaces': got string, want array"),
        ({"watchNamespaces": [1]}, "at '/watchNamespaces/0': got number, want string"),
        ({"tolerations": {"key": "a"}}, "at '/tolerations': got object, want array"),
        ({"fullnameOverride": "Upper"}, "at '/fullnameOverride': 'Upper' does not match pattern"),
        ({"worker__enabled": True}, "at '/worker/config': missing properties 'cdc', 'kafka'"),
        ({"operator__leaderElect": False}, "replicaCount above 1 needs operator.leaderElect"),
    ],
)
def test_of_the_operator(helm: Helm, values: dict, said: str) -> None:
    with pytest.raises(HelmError) as error:
        helm.template(PQCDC, **values)
    assert said in str(error.value)


CDC = "worker__config__cdc__"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({CDC + "hots": "db"}, "at '/worker/config/cdc': additional properties 'hots' not allowed"),
        ({CDC + "password": "hunter2"}, "at '/worker/config/cdc/password': got string, want object"),
        (
            {CDC + "sslKey": {"path": "/a", "secretRef": {"name": "a", "key": "b"}}},
            "at '/worker/config/cdc/sslKey': maxProperties: got ",
        ),
        ({CDC + "sslKey": {}}, "at '/worker/config/cdc/sslKey': minProperties: got 0, want 1"),
        (
            {CDC + "sslMode": "maybe"},
            "at '/worker/config/cdc/sslMode': value must be one of 'disable', 'allow'",
        ),
        ({"worker__config__metric": {}}, "at '/worker/config': additional properties 'metric' not allowed"),
    ],
)
def test_of_a_worker(helm: Helm, values: dict, said: str) -> None:
    with pytest.raises(HelmError) as error:
        render_set(helm, "worker", **values)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"cdc__hots": "db"}, "at '/cdc': additional properties 'hots' not allowed"),
        ({"replicas": 11}, "at '/replicas': maximum: got 11, want 10"),
        ({"deletionPolicy": "Drop"}, "at '/deletionPolicy': value must be one of 'Retain', 'Delete'"),
        ({"name": "a" * 50}, "at '/name': "),
        ({"spec": {}}, "at '': additional properties 'spec' not allowed"),
    ],
)
def test_of_a_connector(helm: Helm, values: dict, said: str) -> None:
    with pytest.raises(HelmError) as error:
        helm.template(CONNECTOR, *MINIMAL, **values)
    assert said in str(error.value)


def test_a_connector_without_anything(helm: Helm) -> None:
    with pytest.raises(HelmError) as error:
        helm.template(CONNECTOR)
    assert "at '/cdc': missing properties 'host', 'username', 'database', 'publication', 'slot'" in str(
        error.value
    )
    assert "at '/kafka': missing property 'brokers'" in str(error.value)


def test_a_release_whose_name_is_too_long_for_a_connector(helm: Helm) -> None:
    with pytest.raises(HelmError, match="the name of a Connector has at most 49 characters; set name"):
        helm.template(CONNECTOR, *MINIMAL, release="a" * 50)
    assert (
        helm.template(CONNECTOR, *MINIMAL, release="a" * 50, name="b").one("Connector")["metadata"]["name"]
        == "b"
    )


def test_an_old_cluster(helm: Helm) -> None:
    with pytest.raises(HelmError, match="requires kubeVersion: >=1.29.0-0"):
        helm.run("template", "pqcdc", PQCDC, "--kube-version", "1.28.9")
    assert helm.run("template", "pqcdc", PQCDC, "--kube-version", "v1.29.3-eks-1234567")


def test_what_a_parent_chart_shares_is_open(helm: Helm) -> None:
    assert helm.template(PQCDC, **{"global": {"anything": {"at": "all"}}})
