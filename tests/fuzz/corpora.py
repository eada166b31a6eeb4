#!/usr/bin/env python3
"""Makes the corpora whose bytes come from servers, in tests/fuzz/corpus/.

Of tests/data/copydata-<major>.txt (tests/lab/record.py): wal_message/, one CopyData message a file;
source/, sequences of them, each after its length in two bytes. Of these and of tests/data/
pgoutput-<major>.txt (which holds binary values as well): pgoutput/, sequences of messages likewise.

A sequence is a transaction whose messages are of a new shape, with the relations before it that it
refers to; besides, for each type of message, damaged copies of it. Files that a fuzzer found stay.
"""
import pathlib
import struct

TESTS = pathlib.Path(__file__).resolve().parents[1]
CORPUS = TESTS / "fuzz" / "corpus"
DATA_HEAD = 25  # what stands in a 'w' message before its payload


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


def data_message(payload):
    return b"w" + struct.pack(">QQQ", 0x1000, 0x2000, 0) + payload


class Corpus:
    """The sequences of one target; `wrap` makes a message of a payload."""

    def __init__(self, name, wrap):
        self.directory = CORPUS / name
        self.directory.mkdir(parents=True, exist_ok=True)
        self.wrap = wrap
        self.seen = set()
        self.damaged = set()

    def write(self, name, payloads):
        messages = map(self.wrap, payloads)
        content = b"".join(struct.pack(">H", len(message)) + message for message in messages)
        (self.directory / name).write_bytes(content)

    def add_stream(self, name, payloads):
        known = {}
        for number, transaction in enumerate(transactions(payloads), 1):
            whole = with_relations(transaction, known)
            form = (name.split("-")[-1], b"".join(map(shape, whole)))
            if form not in self.seen:
                self.seen.add(form)
                self.write(f"{name}-{number:02}", whole)
                self.add_damaged(whole)

    def add_damaged(self, whole):
        """Relations are sent again after damage, since it may have replaced them."""
        relations = [message for message in whole if message[:1] == b"R"]
        for message in whole:
            letter = message[:1].decode("ascii")
            if letter not in self.damaged and len(message) < 300:
                self.damaged.add(letter)
                copies = [part for copy in damaged(message) for part in (*relations, copy)]
                self.write(f"damaged-{letter}", copies if letter != "R" else list(damaged(message)))


def add_copy_data(major, messages):
    """Each kind of message of a version, and of one version cut copies."""
    directory = CORPUS / "wal_message"
    directory.mkdir(parents=True, exist_ok=True)
    for kind in (b"w", b"k"):
        message = next(message for message in messages if message[:1] == kind)
        (directory / f"{major}-{kind.decode()}").write_bytes(message)
        for size in (1, 9, 17, len(message) - 1, len(message) + 1) if major == "18" else ():
            cut = (message + b"\0")[:size] if kind == b"k" else message[:min(size, DATA_HEAD - 1)]
            (directory / f"damaged-{kind.decode()}-{len(cut):02}").write_bytes(cut)


def recordings(pattern):
    for path in sorted((TESTS / "data").glob(pattern)):
        for title, messages in read_streams(path):
            yield path.stem.split("-")[1], title, messages


def main():
    pgoutput = Corpus("pgoutput", lambda payload: payload)
    source = Corpus("source", data_message)
    pgoutput.write("types", [bytes([letter]) + b"\0" * 8 for letter in range(256)])
    for major, title, payloads in recordings("pgoutput-[0-9][0-9].txt"):
        pgoutput.add_stream(f"{major}-{title}", payloads)
        source.add_stream(f"{major}-{title}", payloads)
    for major, _, messages in recordings("copydata-[0-9][0-9].txt"):
        add_copy_data(major, messages)
        payloads = [message[DATA_HEAD:] for message in messages if message[:1] == b"w"]
        pgoutput.add_stream(f"{major}-text", payloads)
        source.add_stream(f"{major}-text", payloads)
        # Whole, with keepalives, twice: as after a lost connection.
        source.wrap = lambda message: message
        source.write(f"{major}-whole", [*messages, b"", *messages])
        source.wrap = data_message


if __name__ == "__main__":
    main()
