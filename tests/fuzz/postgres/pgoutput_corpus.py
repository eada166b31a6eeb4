#!/usr/bin/env python3
"""Makes tests/fuzz/corpus/pgoutput/ from the recordings tests/data/pgoutput-<major>.txt.

One file for each transaction whose sequence of messages is new, with the relations before it that
it refers to; and for each type of message one with damaged copies of it. Each message comes after
its length in two bytes. Files that a fuzzer found stay.
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


def damaged(message):
    """The message cut short, with a byte too many, and with its first bytes changed."""
    yield from (message[:size] for size in range(min(len(message), 40)))
    yield message + b"\0"
    for at in range(min(len(message), 40)):
        for mask in (0x01, 0xFF):
            yield message[:at] + bytes([message[at] ^ mask]) + message[at + 1:]


def write(name, messages):
    content = b"".join(struct.pack(">H", len(message)) + message for message in messages)
    (CORPUS / name).write_bytes(content)


def write_damaged(seen, whole):
    """Relations are sent again after damage, since it may have replaced them."""
    relations = [message for message in whole if message[:1] == b"R"]
    for message in whole:
        letter = message[:1].decode("ascii")
        if letter not in seen and len(message) < 300:
            seen.add(letter)
            copies = [part for copy in damaged(message) for part in (*relations, copy)]
            write(f"damaged-{letter}", copies if letter != "R" else list(damaged(message)))


def main():
    CORPUS.mkdir(parents=True, exist_ok=True)
    seen = set()
    seen_damaged = set()
    write("types", [bytes([letter]) + b"\0" * 8 for letter in range(256)])
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
                write(f"{major}-{title}-{number:02}", whole)
                write_damaged(seen_damaged, whole)


if __name__ == "__main__":
    main()
