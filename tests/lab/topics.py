"""Topics: made, counted, and read back with a client that is not the one under test."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    PartitionMetadata,
    ResourcePatternType,
    ResourceType,
)


@dataclass(frozen=True)
class Record:
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes] = field(default_factory=dict)
    partition: int = 0
    offset: int = 0
    timestamp_ms: int = 0


def _admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})


def create_topic(
    bootstrap: str,
    name: str,
    partitions: int = 1,
    replicas: list[list[int]] | None = None,
    **settings: str,
) -> None:
    """replicas: the brokers of each partition; else as the cluster does by default."""
    admin = _admin(bootstrap)
    if replicas is None:
        topic = NewTopic(name, num_partitions=partitions, config=settings)
    else:
        topic = NewTopic(name, len(replicas), replica_assignment=replicas, config=settings)
    admin.create_topics([topic])[name].result(timeout=30)


def delete_topic(bootstrap: str, name: str) -> None:
    admin = _admin(bootstrap)  # must outlive the future
    admin.delete_topics([name])[name].result(timeout=30)


def set_topic(bootstrap: str, name: str, **settings: str) -> None:
    admin = _admin(bootstrap)
    entries = [
        ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)
        for setting, value in settings.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
    admin.incremental_alter_configs([resource])[resource].result(timeout=30)


def _rights(name: str, user: str, operations: tuple[AclOperation, ...], filters: bool = False) -> list:
    kind = AclBindingFilter if filters else AclBinding
    return [
        kind(
            ResourceType.TOPIC,
            name,
            ResourcePatternType.LITERAL,
            f"User:{user}",
            "*",
            operation,
            AclPermissionType.ALLOW,
        )
        for operation in operations
    ]


def allow(bootstrap: str, name: str, user: str, *operations: AclOperation) -> None:
    """Lets the user do so with the topic."""
    admin = _admin(bootstrap)
    for done in admin.create_acls(_rights(name, user, operations)).values():
        done.result(timeout=30)


# What a producer needs on a topic: to write it, and to see it.
WRITING = (AclOperation.WRITE, AclOperation.DESCRIBE)


def allow_writing(bootstrap: str, name: str, user: str) -> None:
    allow(bootstrap, name, user, *WRITING)


def forbid_writing(bootstrap: str, name: str, user: str) -> None:
    """Takes back what allow_writing() gave."""
    admin = _admin(bootstrap)
    for done in admin.delete_acls(_rights(name, user, WRITING, filters=True)).values():
        assert done.result(timeout=30), "there was no such right"


def add_partitions(bootstrap: str, name: str, total: int) -> None:
    admin = _admin(bootstrap)
    admin.create_partitions([NewPartitions(name, total)])[name].result(timeout=30)


def partitions_of(bootstrap: str, name: str) -> dict[int, PartitionMetadata]:
    """Number -> leader (-1: none), replicas, isrs."""
    return _admin(bootstrap).list_topics(name, timeout=30).topics[name].partitions


def topic_names(bootstrap: str) -> set[str]:
    return set(_admin(bootstrap).list_topics(timeout=30).topics)


class TopicReader:
    """Reads whole topics from their beginning to the end that they have at the call."""

    def __init__(self, bootstrap: str):
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "pqcdc-lab-reader",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 20,
                "receive.message.max.bytes": 1_000_000_000,
                "log_level": 2,
            }
        )

    def close(self) -> None:
        self._consumer.close()

    def ends(self, topic: str) -> dict[int, int]:
        """Partition -> the offset after its last record. A topic that is not there has none."""
        metadata = self._consumer.list_topics(topic, timeout=30).topics[topic]
        if metadata.error is not None:
            return {}
        return {number: self._end(TopicPartition(topic, number)) for number in metadata.partitions}

    def _end(self, partition: TopicPartition) -> int:
        """A broker that was just started may not know yet that it leads."""
        for left in range(100, -1, -1):
            try:
                return self._consumer.get_watermark_offsets(partition, timeout=30)[1]
            except KafkaException:
                if left == 0:
                    raise
                time.sleep(0.1)
        raise AssertionError("unreachable")

    def count(self, topic: str) -> int:
        return sum(self.ends(topic).values())

    def read(self, topic: str) -> list[Record]:
        """Every record, in the order of its partition."""
        return list(self.stream(topic))

    def stream(self, topic: str) -> Iterator[Record]:
        """The same, one by one: for topics that memory should not hold."""
        ends = {number: end for number, end in self.ends(topic).items() if end > 0}
        self._consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in ends])
        try:
            while ends:
                for message in self._consumer.consume(num_messages=10000, timeout=1):
                    if message.error() is not None:
                        raise KafkaException(message.error())
                    partition, offset = message.partition(), message.offset()
                    if partition not in ends or offset >= ends[partition]:
                        continue
                    yield _record(message)
                    if offset + 1 == ends[partition]:
                        del ends[partition]
        finally:
            self._consumer.unassign()


def _record(message) -> Record:
    return Record(
        key=message.key(),
        value=message.value(),
        headers=dict(message.headers() or []),
        partition=message.partition(),
        offset=message.offset(),
        timestamp_ms=message.timestamp()[1],
    )
