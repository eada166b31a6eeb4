"""The commands of README.md and of kubernetes.md, as they stand there, and the example that they name."""

import json
import time
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from lab.cluster import Pods, Space
from lab.documents import blocks_run_in
from lab.fleet import ROOT
from lab.helm import Helm
from lab.topics import TopicReader, create_topic
from lab.waiting import wait_until

PASSWORD = "..."  # the README's
TOPIC = "shop.orders"


def commands() -> tuple[str, str]:
    """From nothing to Ready, in which kubernetes.md says what the READMEs say; and what else it shows."""
    shorter = (ROOT / "README.md", ROOT / "charts/pqcdc/README.md")
    short = [block.text for page in shorter for block in blocks_run_in(page, "test_from_nothing_to_ready")]
    install, first, *more = blocks_run_in(ROOT / "docs/kubernetes.md", "test_from_nothing_to_ready")
    begin = install.text + first.text
    assert set("".join(short).splitlines()) <= set(begin.splitlines()), "they say the same"
    return begin, "".join(block.text for block in more)


@pytest.fixture
def shop(operator: Space, postgres, kafka):
    """What the example expects in a namespace shop: postgres and kafka, and what is in them."""
    space = operator.cluster.space("shop")
    space.forward("postgres", 5432, postgres.port)
    space.forward("kafka", 9092, kafka.port)
    create_topic(kafka.bootstrap, TOPIC)
    secret = sql.Literal(PASSWORD)
    make = sql.SQL("create role cdc_user login replication password {} in role password_required").format(secret)
    postgres.execute(make)
    postgres.execute("create database shop owner cdc_user")
    postgres.execute("create table orders (id int primary key, what text)", database="shop")
    postgres.execute("alter table orders owner to cdc_user", database="shop")
    yield space
    space.remove()
    wait_until(lambda: drop_shop(postgres), "nobody uses the database", 60, interval=0.2)
    postgres.execute("drop role cdc_user")


def drop_shop(postgres) -> bool:
    try:
        drop = "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = 'shop'"
        postgres.execute(drop)
        postgres.execute("drop database shop with (force)")
    except psycopg.errors.ObjectInUse:
        return False
    return True


def typed(space: Space, script: str, home: Path) -> str:
    """By somebody in the tree's root whose kubectl is in that namespace."""
    kubeconfig = home / "kubeconfig"
    kubeconfig.write_bytes(space.cluster.kubeconfig.read_bytes())
    before = (
        f"export HOME={home} KUBECONFIG={kubeconfig} PATH={Helm(3).program.parent}:$PATH",
        f"kubectl config set-context --current --namespace={space.name} >/dev/null",
        f"cd {ROOT}",
    )
    return space.cluster.run("exec", "bash", "-euc", "\n".join((*before, script)))


@pytest.mark.alone
def test_from_nothing_to_ready(operator, operators, shop, postgres, kafka, image, files, say):
    """The image is on the node already, in the place of the registry that the README names."""
    operator.helm(3, "uninstall", "pqcdc", "--wait")
    operators.wait_ready(0)
    # The chart's rights went with it: it could not let its Lease go, and who comes next would wait.
    operator.kubectl("delete", "lease", "pqcdc-operator", "--ignore-not-found")
    shop.cluster.tag(image, image.name.rpartition(":")[2], "registry.example/team/pqcdc")
    start = time.monotonic()
    begin, more = commands()
    text = typed(shop, begin, files)
    say(f"Ready {time.monotonic() - start:.1f} s after helm install began")
    header, row = (line.split() for line in text.splitlines()[-2:])
    assert dict(zip(header, row, strict=False))["READY"] == "True", text
    postgres.execute("insert into orders values (1, 'first')", database="shop")
    reader = TopicReader(kafka.bootstrap)
    (record,) = wait_until(lambda: reader.read(TOPIC), "the row is in Kafka")
    assert json.loads(record.value)["what"] == "first"
    workers = Pods(shop, "pqcdc.io/connector=orders")
    operators.wait_ready(2)
    workers.wait_ready(2)
    images = {container["image"] for pod in workers.all() for container in pod["spec"]["containers"]}
    assert {name.rpartition(":")[0] for name in images} == {"registry.example/team/pqcdc"}
    for kind, pods in (("operator", operators), ("worker", workers)):
        say(f"{kind} at rest: " + ", ".join(f"{mib:.1f} MiB" for mib in pods.resident_mib()))
    reader.close()
    assert "pqcdc_orders" in typed(shop, more, files)
