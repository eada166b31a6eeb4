"""Topics: made, counted, and read back with a client that is not the one under test."""

from dataclasses import dataclass, field

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic


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


def create_topic(bootstrap: str, name: str, partitions: int = 1, **settings: str) -> None:
    admin = _admin(bootstrap)
    topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=settings)
    admin.create_topics([topic])[name].result(timeout=30)


def delete_topic(bootstrap: str, name: str) -> None:
    admin = _admin(bootstrap)  # must outlive the future
    admin.delete_topics([name])[name].result(timeout=30)


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
        return {
            number: self._consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=30)[1]
            for number in metadata.partitions
        }

    def count(self, topic: str) -> int:
        return sum(self.ends(topic).values())

    def read(self, topic: str) -> list[Record]:
        """Every record, in the order of its partition."""
        ends = {number: end for number, end in self.ends(topic).items() if end > 0}
        records: list[Record] = []
        self._consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in ends])
        try:
            while ends:
                for message in self._consumer.consume(num_messages=10000, timeout=1):
                    if message.error() is not None:
                        raise KafkaException(message.error())
                    partition, offset = message.partition(), message.offset()
                    if partition not in ends or offset >= ends[partition]:
                        continue
                    records.append(_record(message))
                    if offset + 1 == ends[partition]:
                        del ends[partition]
        finally:
            self._consumer.unassign()
        return records


def _record(message) -> Record:
    return Record(
        key=message.key(),
        value=message.value(),
        headers=dict(message.headers() or []),
        partition=message.partition(),
        offset=message.offset(),
        timestamp_ms=message.timestamp()[1],
    )
