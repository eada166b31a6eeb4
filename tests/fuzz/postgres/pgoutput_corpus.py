#!/usr/bin/env python3
"""Makes tests/fuzz/corpus/pgoutput/ from the recordings tests/data/pgoutput-<major>.txt.

One file for each transaction whose sequence of messages is new, with the relations before it that
it refers to; each message after its length in two bytes. Files that a fuzzer found stay.
"""
import pathlib
import struct

TESTS = pathlib.Path(__file__).resolve().parents[2]
CORPUS = TESTS / "fuzz" / "corpus" / "pgoutput"


def read_streams(path):
    """A list of messages for each stream of a recording."""
    streams = []
    for line in path.read_text(encoding="ascii").splitlines():
        if line.startswith("#"):
            streams.append((line[1:].strip(), []))
        else:
            streams[-1][1].append(bytes.fromhex(line))
    return streams


def transactions(messages):
    """What lies between Begin and Commit, both included; a message outside stands alone."""
    inside = []
    for message in messages:
        inside.append(message)
        if message[:1] == b"C" or (inside[0][:1] != b"B"):
            yield inside
            inside = []


def referred(message):
    """OIDs of the relations that a row or a truncation refers to."""
    if message[:1] in (b"I", b"U", b"D"):
        return [message[1:5]]
    if message[:1] == b"T":
        count = struct.unpack(">I", message[1:5])[0]
        return [message[6 + 4 * i:10 + 4 * i] for i in range(count)]
    return []


def shape(message):
    """What makes two messages of one kind different to a decoder: marks and kinds of values."""
    if message[:1] in (b"I", b"U", b"D"):
        return message[:1] + message[5:8]
    return message[:1]


def with_relations(transaction, known):
    """The transaction with the relations in front that were announced before it."""
    announced = set()
    earlier = []
    for message in transaction:
        if message[:1] == b"R":
            announced.add(message[1:5])
            known[message[1:5]] = message
        for oid in referred(message):
            if oid not in announced:
                announced.add(oid)
                earlier.append(known[oid])
    return earlier + transaction


def main():
    CORPUS.mkdir(parents=True, exist_ok=True)
    seen = set()
    for path in sorted((TESTS / "data").glob("pgoutput-[0-9][0-9].txt")):
        major = path.stem.split("-")[1]
        for title, messages in read_streams(path):
            known = {}
            for number, transaction in enumerate(transactions(messages), 1):
                whole = with_relations(transaction, known)
                form = (title, b"".join(shape(message) for message in whole))
                if form in seen:
                    continue
                seen.add(form)
                content = b"".join(struct.pack(">H", len(m)) + m for m in whole)
                (CORPUS / f"{major}-{title}-{number:02}").write_bytes(content)


if __name__ == "__main__":
    main()
