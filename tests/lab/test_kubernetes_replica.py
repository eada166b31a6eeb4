"""A replica's ways out fail one by one, and what it finds is what a pod finds."""

import http.client
import json
import time
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from lab.kubernetes import worker_rules
from lab.replica import Link, Links, Replica
from lab.waiting import wait_until

PATIENCE = 2.5
ERRORS = (psycopg.OperationalError, KafkaException, OSError, http.client.HTTPException)


@pytest.fixture
def links(postgres, kafka, api):
    with Links(postgres, kafka, api) as links:
        yield links


@pytest.fixture
def reach(postgres, kafka, api):
    """reach(links) -> the names of what answers from inside, and after how many seconds."""

    def ask_postgres() -> None:
        psycopg.connect(postgres.dsn(), connect_timeout=3).close()

    def ask_kafka() -> None:
        client = AdminClient({"bootstrap.servers": kafka.proxied_bootstrap, "log_level": 0})
        client.list_topics(timeout=PATIENCE)

    def ask_api() -> None:
        api.admin.call("GET", "/version", timeout=PATIENCE)

    def reach(links: Links) -> dict[str, float]:
        answered = {}
        for name, ask in (("postgres", ask_postgres), ("kafka", ask_kafka), ("api", ask_api)):
            start = time.monotonic()
            try:
                with links.network.entered():
                    ask()
            except ERRORS:
                continue
            answered[name] = time.monotonic() - start
        return answered

    return reach


@pytest.mark.parametrize("name", ["postgres", "kafka", "api"])
@pytest.mark.parametrize("way", [Link.cut, Link.refuse, Link.stall])
def test_each_link_fails_alone(links, reach, name, way):
    everything = {"postgres", "kafka", "api"}
    assert reach(links).keys() == everything
    way(getattr(links, name))
    assert reach(links).keys() == everything - {name}
    links.heal()
    assert reach(links).keys() == everything


def test_each_link_is_late_alone(links, reach):
    links.api.delay(0.3)
    answered = reach(links)
    assert answered["api"] >= 1.2 > answered["postgres"], "it takes two round trips, TLS's and its own"


def test_all_links_are_cut(links, reach):
    links.cut()
    links.kafka.cut()  # it is already
    assert reach(links) == {}
    links.heal()
    assert len(reach(links)) == 3


def test_two_networks_have_nothing_to_do_with_each_other(links, postgres, kafka, api, reach):
    with Links(postgres, kafka, api) as others:
        links.cut()
        assert len(reach(others)) == 3
        assert reach(links) == {}


STAND_IN = """#!/bin/sh
# Run as the worker is: says its configuration, and what the API server says.
cat "$3"
mount=/var/run/secrets/kubernetes.io/serviceaccount
[ -e $mount ] || exit 0
curl --silent --cacert $mount/ca.crt --header "Authorization: Bearer $(cat $mount/token)" --url \
    https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/apis/coordination.k8s.io/v1/namespaces/$(
    cat $mount/namespace)/leases/orders
"""


@pytest.fixture
def stand_in(scenario, tmp_path):
    """The scenario's worker is a program that says what it finds."""
    program = tmp_path / "worker"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    scenario.program = program
    return scenario


@pytest.mark.parametrize("in_cluster", [True, False])
def test_replica_finds_what_it_needs(
    stand_in, namespace, api, api_faults, kafka, postgres, tmp_path, in_cluster
):
    namespace.lease("orders").create("somebody")
    account = namespace.service_account("worker", worker_rules("orders"))
    with Replica(stand_in, account, "orders", tmp_path, api_faults, in_cluster) as replica:
        worker = replica.start(stand_in.config(), election={"onApiOutage": "stepDown"})
        assert worker.wait_exit() == 0
        config, end = json.JSONDecoder().raw_decode(text := worker.stdout().decode())
        assert config["kafka"]["brokers"] == [kafka.proxied_bootstrap]
        assert config["cdc"]["port"] == postgres.port
        election = {"mode": "lease", "leaseName": "orders", "onApiOutage": "stepDown"}
        if in_cluster:
            assert config["election"] == election
            assert json.loads(text[end:])["spec"]["holderIdentity"] == "somebody"
            assert api_faults.count("GET", "orders") == 1, "it went through the proxy"
        else:
            kubeconfig = config["election"].pop("kubeconfig")
            assert config["election"] == election and text[end:].strip() == ""
            (cluster,) = json.loads(Path(kubeconfig).read_text())["clusters"]
            assert cluster["cluster"]["server"] == f"https://127.0.0.1:{api.port}"
        before = (replica.mounted / "token").read_text()
        replica.renew_token()
        assert (replica.mounted / "token").read_text() != before
        worker.start()
        wait_until(lambda: not worker.alive(), "it ran again")
