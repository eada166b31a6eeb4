"""Debezium in Kafka Connect, as a reader to measure beside."""

import json
from pathlib import Path

from lab.scenario import Scenario
from lab.servers import Server, free_port
from lab.topics import Record

OPERATIONS = {"c": "INSERT", "u": "UPDATE", "d": "DELETE"}


class Debezium(Server):
    script = "debezium.sh"

    def __init__(self, scenario: Scenario, table: str, state: Path):
        port = free_port()
        super().__init__(
            state,
            port,
            {
                "DEBEZIUM_STATE": str(state),
                "DEBEZIUM_PORT": str(port),
                "DEBEZIUM_KAFKA": scenario.kafka.bootstrap,
                "DEBEZIUM_PG_PORT": str(scenario.postgres.port),
                "DEBEZIUM_DATABASE": scenario.database,
                "DEBEZIUM_SLOT": scenario.slot,
                "DEBEZIUM_PUBLICATION": scenario.publication,
                "DEBEZIUM_TABLE": f"public.{table}",
            },
        )
        self.topic = f"{scenario.database}.public.{table}"

    def stop(self) -> None:
        self.run("stop")

    @property
    def pid(self) -> int:
        return int((self.state / "connect.pid").read_text().split()[0])

    @staticmethod
    def flatten(record: Record) -> Record:
        """Its envelope as the flat record that a workload's template describes."""
        envelope = json.loads(record.value or b"{}")
        row = {**(envelope.get("after") or {}), "operation": OPERATIONS.get(envelope.get("op"), "?")}
        value = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        key = json.loads(record.key or b"{}").get("id")
        return Record(key=str(key).encode(), value=value.encode())
