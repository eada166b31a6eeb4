"""A second reading of the documents: pgoutput messages -> the records of the flat format, slow and simple.

It shares nothing with the worker: what both say of one stream must be equal, byte for byte. Wire format:
PostgreSQL's manual, "Logical Replication Message Formats"; records: docs/formats.md.

    python -m lab.reference copydata-16.txt       (a recording: prints a record a line)
"""

import base64
import json
import re
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

# For a connection that is to see the same text as the worker's.
SESSION = "-c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=3 -c timezone=UTC -c bytea_output=hex"

UNCHANGED = object()
Row = list[str | object | None]


@dataclass
class Column:
    name: str
    type: int
    identity: bool


@dataclass
class Relation:
    schema: str
    name: str
    identity: str
    columns: list[Column]


@dataclass
class Record:
    topic: str
    key: str | None
    value: str | None
    headers: dict[str, str] = field(default_factory=dict)


class Bytes:
    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def number(self, form: str) -> int:
        (value,) = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(">" + form)
        return value

    def take(self, size: int) -> bytes:
        assert self.at + size <= len(self.data)
        self.at += size
        return self.data[self.at - size : self.at]

    def text(self) -> str:
        end = self.data.index(b"\0", self.at)
        return self.take(end + 1 - self.at)[:-1].decode()

    def letter(self) -> str:
        return self.take(1).decode("ascii")


def read_row(wire: Bytes) -> Row:
    row: Row = []
    for _ in range(wire.number("H")):
        kind = wire.letter()
        if kind == "n":
            row.append(None)
        elif kind == "u":
            row.append(UNCHANGED)
        else:
            assert kind == "t"
            row.append(wire.take(wire.number("I")).decode())
    return row


# Values: PostgreSQL's text -> JSON text, by type.


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def number(text: str) -> str:
    """Every digit kept; what is no number is a string."""
    return text if re.fullmatch(r"-?\d+(\.\d+)?", text) else quoted(text)


def floating(text: str) -> str:
    if "e" not in text:
        return number(text)
    try:
        value = Decimal(text)
    except InvalidOperation:
        return quoted(text)
    sign = "-" if value.is_signed() else ""
    digits = "".join(map(str, value.as_tuple().digits)).rstrip("0")
    power = value.adjusted()
    if power < -6 or power >= 21:
        mantissa = digits[0] + ("." + digits[1:] if digits[1:] else "")
        return f"{sign}{mantissa}e{'-' if power < 0 else '+'}{abs(power)}"
    if power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{digits}"
    whole = digits.ljust(power + 1, "0")
    return sign + whole[: power + 1] + ("." + whole[power + 1 :] if whole[power + 1 :] else "")


def boolean(text: str) -> str:
    return {"t": "true", "f": "false"}[text]


def binary(text: str) -> str:
    return quoted(base64.b64encode(bytes.fromhex(text.removeprefix("\\x"))).decode())


def date(text: str) -> str:
    return quoted(f"{text}T00:00:00Z" if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else text)


def timestamp(text: str) -> str:
    parts = re.fullmatch(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)?(\+00)?", text)
    if not parts:
        return quoted(text)
    return quoted(f"{parts[1]}T{parts[2]}{(parts[3] or '').rstrip('0').rstrip('.')}Z")


def address(text: str) -> str:
    return quoted(text if "/" in text else f"{text}/{128 if ':' in text else 32}")


def document(text: str) -> str:
    return text


# Every other type is its text.
ELEMENTS = {
    16: boolean, 17: binary, 20: number, 21: number, 23: number, 26: number, 28: number, 29: number, 5069: number,
    114: document, 3802: document, 700: floating, 701: floating, 1700: number, 1082: date, 1114: timestamp,
    1184: timestamp, 869: address,
}  # fmt: skip
# By pg_type.typarray, which never changes.
ARRAYS = {
    1000: 16, 1001: 17, 1002: 18, 1003: 19, 1016: 20, 1005: 21, 1006: 22, 1007: 23, 1008: 24, 1009: 25, 1028:
    26, 1010: 27, 1011: 28, 1012: 29, 1013: 30, 199: 114, 143: 142, 1017: 600, 1018: 601, 1019: 602, 1020:
    603, 1027: 604, 629: 628, 651: 650, 1021: 700, 1022: 701, 719: 718, 775: 774, 791: 790, 1040: 829, 1041:
    869, 1034: 1033, 1014: 1042, 1015: 1043, 1182: 1082, 1183: 1083, 1115: 1114, 1185: 1184, 1187: 1186, 1270:
    1266, 1561: 1560, 1563: 1562, 1231: 1700, 2201: 1790, 2207: 2202, 2208: 2203, 2209: 2204, 2210: 2205,
    2211: 2206, 2951: 2950, 2949: 2970, 3221: 3220, 3643: 3614, 3645: 3615, 3644: 3642, 3735: 3734, 3770:
    3769, 3807: 3802, 3905: 3904, 3907: 3906, 3909: 3908, 3911: 3910, 3913: 3912, 3927: 3926, 4073: 4072,
    4090: 4089, 4097: 4096, 4192: 4191, 6150: 4451, 6151: 4532, 6152: 4533, 6153: 4534, 6155: 4535, 6157:
    4536, 5039: 5038, 271: 5069,
}  # fmt: skip
BOX = 603


def array(text: str, element: int) -> str:
    """By tokens: braces, delimiters, quoted and bare elements."""
    delimiter = ";" if element == BOX else ","
    body = re.sub(r"^(\[-?\d+:-?\d+\])+=", "", text)
    token = rf'[{{}}{delimiter}]|"(?:[^"\\]|\\.)*"|[^{{}}"{delimiter}]+'
    parts = []
    for found in re.findall(token, body, re.DOTALL):
        if found in ("{", "}", delimiter):
            parts.append({"{": "[", "}": "]"}.get(found, ","))
        elif found[0] == '"':
            parts.append(ELEMENTS.get(element, quoted)(re.sub(r"\\(.)", r"\1", found[1:-1], flags=re.DOTALL)))
        else:
            parts.append("null" if found == "NULL" else ELEMENTS.get(element, quoted)(found))
    return "".join(parts)


def value_json(text: str | None, oid: int) -> str:
    if text is None:
        return "null"
    if oid in ARRAYS:
        return array(text, ARRAYS[oid])
    return ELEMENTS.get(oid, quoted)(text)


# Records.


class Reference:
    """keys: (schema, table) -> key columns, of tables whose identity does not tell them."""

    def __init__(self, topic: str, keys: Mapping[tuple[str, str], Sequence[str]] | None = None):
        self.topic = topic
        self.keys = keys or {}
        self.relations: dict[int, Relation] = {}
        self.lsn = self.xid = self.ordinal = 0

    def read(self, copy_data: Iterable[bytes]) -> Iterator[Record]:
        for message in copy_data:
            if message[:1] == b"w":
                yield from self.message(Bytes(message[25:]))

    def message(self, wire: Bytes) -> Iterator[Record]:
        kind = wire.letter()
        if kind == "B":
            self.lsn, _, self.xid, self.ordinal = wire.number("Q"), wire.number("Q"), wire.number("I"), 0
        elif kind == "R":
            self.relation(wire)
        elif kind in "IUD":
            yield from self.row(kind, wire)
            self.ordinal += 1
        elif kind == "T":
            yield from self.truncate(wire)
            self.ordinal += 1

    def relation(self, wire: Bytes) -> None:
        oid = wire.number("I")
        relation = Relation(wire.text(), wire.text(), wire.letter(), [])
        for _ in range(wire.number("H")):
            identity = wire.number("B") == 1
            relation.columns.append(Column(wire.text(), wire.number("I"), identity))
            wire.number("i")
        self.relations[oid] = relation

    def truncate(self, wire: Bytes) -> Iterator[Record]:
        count, _ = wire.number("I"), wire.number("B")
        for _ in range(count):
            relation = self.relations[wire.number("I")]
            yield self.record(relation, "TRUNCATE", None, '{"operation":"TRUNCATE"}')

    def row(self, kind: str, wire: Bytes) -> Iterator[Record]:
        relation = self.relations[wire.number("I")]
        mark, old, new = wire.letter(), None, None
        old_is_key = mark == "K"
        if mark in "KO":
            old = read_row(wire)
            mark = wire.letter() if kind != "D" else ""
        if mark == "N":
            new = read_row(wire)
        if kind == "D":
            yield from self.delete(relation, old, old_is_key)
            return
        if old is not None:
            for at, column in enumerate(relation.columns):
                if new[at] is UNCHANGED and (column.identity or not old_is_key):
                    new[at] = old[at]
        if old is not None and self.key(relation, old) != self.key(relation, new):
            yield from self.delete(relation, old, old_is_key)
            kind = "I"
        operation = {"I": "INSERT", "U": "UPDATE"}[kind]
        yield self.record(relation, operation, self.key(relation, new), self.value(relation, operation, new))

    def delete(self, relation: Relation, old: Row, old_is_key: bool) -> Iterator[Record]:
        known = [
            value if column.identity or not old_is_key else UNCHANGED
            for column, value in zip(relation.columns, old, strict=True)
        ]
        key = self.key(relation, old)
        yield self.record(relation, "DELETE", key, self.value(relation, "DELETE", known))
        if key is not None:
            yield self.record(relation, "DELETE", key, None)

    def key(self, relation: Relation, row: Row) -> str | None:
        names = self.keys.get((relation.schema, relation.name))
        if names is None:
            names = [column.name for column in relation.columns if column.identity]
        names = sorted(names, key=str.encode)
        places = {column.name: at for at, column in enumerate(relation.columns)}
        if len(names) == 1:
            return row[places[names[0]]]
        members = [
            f"{quoted(name)}:{value_json(row[places[name]], relation.columns[places[name]].type)}"
            for name in names
        ]
        return "{" + ",".join(members) + "}" if members else None

    @staticmethod
    def value(relation: Relation, operation: str, row: Row) -> str:
        members = {
            column.name: value_json(value, column.type)
            for column, value in zip(relation.columns, row, strict=True)
            if value is not UNCHANGED
        }
        members["operation"] = quoted(operation)
        return "{" + ",".join(f"{quoted(name)}:{members[name]}" for name in sorted(members, key=str.encode)) + "}"

    def record(self, relation: Relation, operation: str, key: str | None, value: str | None) -> Record:
        headers = {
            "pos": f"{self.lsn}/{self.ordinal}",
            "xid": str(self.xid),
            "table": f"{relation.schema}.{relation.name}",
            "operation": operation,
        }
        return Record(self.topic, key, value, headers)


def main(file: str) -> None:
    lines = Path(file).read_text().splitlines()
    for record in Reference("events").read(bytes.fromhex(line) for line in lines if line[:1] != "#"):
        print(record)


if __name__ == "__main__":
    main(*sys.argv[1:])
