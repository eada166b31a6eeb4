"""Values of every type that a column can have, as literals, and the way back from JSON to PostgreSQL's text."""

import base64
import re
from dataclasses import dataclass
from json import JSONDecoder

# Every character that JSON, COPY, SQL or a terminal could trip over.
CONTROLS = "".join(map(chr, range(1, 32))) + "\x7f"
HOSTILE = (
    CONTROLS,
    "\"\\'`/<>&{}[](),;:$%=\\u0000\\n\\",
    "\x80\x9f\xa0 \u2028\u2029 \ufeff\ufffd\uffff \U0001f600\U0010ffff e\u0301",
    "NULL",
    "",
    "  ",
)
WHOLE = "9" * 131072  # the most digits that numeric has before its point
FRACTION = "0" * 16382 + "1"  # and behind it


@dataclass(frozen=True)
class Since:
    """A literal that versions before that one refuse."""

    major: int
    literal: str


def rfc(*literals: str) -> tuple[str, ...]:
    return ("infinity", "-infinity", *literals)


# By the name in pg_type. A range's array, a type's array and so on are made of these.
SAMPLES: dict[str, tuple[str | Since, ...]] = {
    "bool": ("t", "f"),
    "bytea": ("\\x", "\\x00", "\\xdeadbeef", "\\x5c2c7b22", "\\x" + bytes(range(256)).hex()),
    "char": ("a", "", '"', "\\", "\x01", "ä"),
    "name": ("n" * 63, "ü" * 31, *HOSTILE),
    "int8": ("9223372036854775807", "-9223372036854775808", "0", "9007199254740993"),
    "int2": ("32767", "-32768"),
    "int2vector": ("1 2 -3", ""),
    "int4": ("2147483647", "-2147483648"),
    "regproc": ("now", "0"),
    "text": HOSTILE,
    "oid": ("0", "4294967295"),
    "tid": ("(0,1)", "(4294967295,65535)"),
    "xid": ("0", "4294967295"),
    "cid": ("0", "4294967295"),
    "oidvector": ("1 4294967295", ""),
    "json": (
        '{"b":1, "a":[1,2.50,null], "b" : 2}',
        ' "\\ud800\\u0000\\u2028<\\/" ',
        "1e400",
        "-0.0",
        "\tnull\n",
        "[" * 900 + "]" * 900,
        "12345678901234567890.000",
        '{"": {}, "é\U0001f600": []}',
    ),
    "xml": ("<a/>", '<a b="&lt;">&#10;é</a>', "text"),
    "point": ("(1.5,-2)", "(NaN,Infinity)", "(1e+300,1e-300)"),
    "lseg": ("[(1,2),(3,4)]",),
    "path": ("((1,2),(3,4))", "[(1,2),(3,4)]"),
    "box": ("(3,4),(1,2)", "(Infinity,4),(1,-Infinity)"),
    "polygon": ("((1,2),(3,4),(5,6))",),
    "line": ("{1,2,3}",),
    "cidr": ("192.168.1.0/24", "10.0.0.1/32", "::/0", "2001:db8::/32", "::1.2.3.0/120"),
    "float4": (
        *("0.1", "3.4028235e+38", "1e-45", "-0", "1e-06", "1e-07", "1e+20", "1e+21", "16777216", "-7.4848576e+07"),
        *("NaN", "Infinity", "-Infinity"),
    ),
    "float8": (
        "0.1",
        "1.7976931348623157e+308",
        "5e-324",
        "-0",
        "1e-06",
        "9.999999999999999e-07",
        "999999999999999900000",
        "1e+21",
        "9.999999999999999e22",
        "0.30000000000000004",
        "NaN",
        "Infinity",
        "-Infinity",
    ),
    "circle": ("<(1,2),3>",),
    "macaddr8": ("08:00:2b:01:02:03:04:05",),
    "money": ("$1,234.50", "-$92,233,720,368,547,758.08"),
    "macaddr": ("08:00:2b:01:02:03",),
    "inet": ("192.168.1.5/24", "10.0.0.1", "2001:db8::1/64", "::1", "::ffff:1.2.3.4", "::1.2.3.4", "0.0.0.0/0"),
    "aclitem": ("=r/postgres", "postgres=arwdDxt/postgres"),
    "bpchar": ("ab   ", *HOSTILE),
    "varchar": HOSTILE,
    "date": rfc("2024-02-29", "0001-01-01", "9999-12-31", "10000-01-01", "0044-03-15 BC", "4713-01-01 BC", "5874897-12-31"),
    "time": ("00:00:00", "24:00:00", "23:59:59.999999", "12:00:00.5"),
    "timestamp": rfc(
        "2024-02-29 12:34:56",
        "2024-02-29 12:34:56.120000",
        "0001-01-01 00:00:00",
        "9999-12-31 23:59:59.999999",
        "10000-01-01 00:00:00",
        "0044-03-15 01:02:03 BC",
        "4713-01-01 00:00:00 BC",
        "294276-12-31 23:59:59.999999",
    ),
    "timestamptz": rfc(
        "2024-02-29 12:34:56+00",
        "2024-02-29 12:34:56.1+05:30",
        "1883-11-18 12:03:57 America/New_York",
        "9999-12-31 23:59:59.999999+00",
        "9999-12-31 23:59:59.999999-01",
        "0044-03-15 01:02:03+00 BC",
        "294276-12-31 23:59:59.999999+00",
    ),
    "interval": (
        "00:00:00",
        "1 year 2 mons -3 days +04:05:06.789",
        "178000000 years",
        "-178000000 years",
        "-00:00:00.000001",
        Since(17, "infinity"),
        Since(17, "-infinity"),
    ),
    "timetz": ("12:34:56+02", "24:00:00-15:59", "00:00:00.000001+05:30:15"),
    "bit": ("1", "10101010101"),
    "varbit": ("", "10101010101"),
    "numeric": (
        "0",
        "-0.001",
        "1.50",
        "0.00000000000000000001",
        "-1e10",
        WHOLE,
        f"-0.{FRACTION}",
        f"{WHOLE}.{FRACTION}",
        "NaN",
        "Infinity",
        "-Infinity",
    ),
    "refcursor": HOSTILE,
    "regprocedure": ("now()", "-"),
    "regoper": ("pg_catalog.||/", "0"),
    "regoperator": ("+(integer,integer)", "0"),
    "regclass": ("pg_class", "1"),
    "regtype": ("integer", "timestamp with time zone[]", "-"),
    "uuid": ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",),
    "txid_snapshot": ("10:20:10,14,15", "10:10:"),
    "pg_lsn": ("16/B374D848", "0/0"),
    "tsvector": ("'a':1 'cat':2A,3B", "'it''s' 'back\\\\slash' 'a b\"'", ""),
    "tsquery": ("'a' & !( 'b' | 'c':*A )", "'a' <-> 'it''s'", ""),
    "regconfig": ("english", "0"),
    "regdictionary": ("simple", "0"),
    "jsonb": ('{"a": 1, "b": [true, null, 1.10]}', "null", "[]", '"\\ud83d\\ude00 <\\u2028"', f"1{'0' * 400}.{'0' * 40}1"),
    "int4range": ("[1,5)", "empty", "(,)", "[2147483647,)"),
    "numrange": ("[1.50,2.5]", "(,NaN)", "[Infinity,)"),
    "tsrange": ('["2024-01-01 00:00:00",infinity)', '(,"0044-03-15 00:00:00 BC"]'),
    "tstzrange": ('["2024-01-01 00:00:00+00","2024-01-02 00:00:00+00")',),
    "daterange": ("[2024-01-01,2024-01-02)", "[10000-01-01,infinity)"),
    "int8range": ("[1,9223372036854775807)",),
    "jsonpath": ('$."a"[*]?(@ > 1.50)', '$."quote\\" \\\\ é"'),
    "regnamespace": ("pg_catalog", "0"),
    "regrole": ("postgres", "0"),
    "regcollation": ('"C"', "0"),
    "int4multirange": ("{[1,5),[7,9)}", "{}"),
    "nummultirange": ("{[1.50,2.5],(7,)}",),
    "tsmultirange": ('{["2024-01-01 00:00:00",infinity)}',),
    "tstzmultirange": ('{["2024-01-01 00:00:00+00","2024-01-02 00:00:00+00")}',),
    "datemultirange": ("{[2024-01-01,2024-01-02),[10000-01-01,infinity)}",),
    "int8multirange": ("{[1,9223372036854775807)}",),
    "pg_snapshot": ("10:20:10,14,15",),
    "xid8": ("18446744073709551615", "0"),
}

# Types that nobody can write a literal of: an expression that has such a value, or NULL, and where from.
INTERNAL = {
    "pg_node_tree": "(select adbin from pg_attrdef limit 1)",
    "pg_ndistinct": "(select stxdndistinct from pg_statistic_ext_data limit 1)",
    "pg_dependencies": "(select stxddependencies from pg_statistic_ext_data limit 1)",
    "pg_mcv_list": "(select stxdmcv from pg_statistic_ext_data limit 1)",
    "gtsvector": "null",
    "pg_brin_bloom_summary": "null",
    "pg_brin_minmax_multi_summary": "null",
}


def samples(name: str, major: int) -> list[str]:
    every = SAMPLES[name]
    return [s.literal if isinstance(s, Since) else s for s in every if not isinstance(s, Since) or s.major <= major]


def quoted_element(literal: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", literal) + '"'


def arrays_of(literals: list[str], delimiter: str = ",") -> list[str]:
    """Array literals: of all of them with a NULL, none, nothing but NULL, several dimensions, other bounds."""
    items = [quoted_element(literal) for literal in literals]
    first, last = items[0], items[-1]
    row = f"{{{first}{delimiter}{last}{delimiter}NULL}}"
    cube = delimiter.join([row, row])
    return [
        "{" + delimiter.join([*items, "NULL"]) + "}",
        "{}",
        "{NULL}",
        f"{{{{{cube}}}{delimiter}{{{cube}}}}}",
        f"[-1:0]={{{last}{delimiter}{first}}}",
        f"[2:3][-1:1]={{{row}{delimiter}{row}}}",
    ]


# From a record back to PostgreSQL.

# Numbers stay as they are written; Python's own have a limit.
DECODER = JSONDecoder(parse_int=str, parse_float=str, strict=True)


def raw_members(text: str) -> dict[str, str]:
    """Name -> the value as it is written, with the white space around it."""
    members: dict[str, str] = {}
    space = re.compile(r"[ \t\n\r]*")
    at = 1
    while text[at - 1] != "}":
        name, at = DECODER.raw_decode(text, at)
        assert text[at] == ":" and name not in members, text[max(0, at - 80) : at + 80]
        start = at + 1
        at = space.match(text, DECODER.raw_decode(text, space.match(text, start).end())[1]).end()
        members[name] = text[start:at]
        assert text[at] in ",}", text[max(0, at - 80) : at + 80]
        at += 1
    assert at == len(text)
    return members


def scalar_text(base: str, raw: str) -> str | None:
    """What PostgreSQL must make the value of again, of a column of that type."""
    if base in ("json", "jsonb") and raw != "null":
        return raw
    value = DECODER.decode(raw)
    if base == "bytea" and value is not None:
        return "\\x" + base64.b64decode(value, validate=True).hex()
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else value


def raw_elements(raw: str) -> list[str]:
    """The elements of an array as they are written."""
    # An array is an object without names.
    text, at, elements = raw.strip(" \t\n\r"), 1, []
    space = re.compile(r"[ \t\n\r]*")
    while text != "[]" and text[at - 1] != "]":
        start = at
        at = space.match(text, DECODER.raw_decode(text, space.match(text, start).end())[1]).end()
        elements.append(text[start:at])
        at += 1
    return elements


def array_text(base: str, raw: str, dimensions: int, delimiter: str = ",") -> str:
    """The same for an array with so many dimensions, which its elements may hide: json's are arrays too."""
    if dimensions == 0:
        text = scalar_text(base, raw)
        return "NULL" if text is None else quoted_element(text)
    return "{" + delimiter.join(array_text(base, e, dimensions - 1, delimiter) for e in raw_elements(raw)) + "}"


def without_bounds(text: str) -> str:
    """flat drops the lower bounds of an array."""
    return re.sub(r"^(\[-?\d+:-?\d+\])+=", "", text)


def dimensions_of(text: str) -> int:
    return len(re.match(r"\{*", without_bounds(text))[0])
