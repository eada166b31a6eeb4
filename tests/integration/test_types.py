"""Values of every type, on every version: what the record says is what the column holds.

Three judges: what the ancestor wrote of the same text (tests/data/ancestor-json*.tsv) or a difference that
docs/formats.md lists; PostgreSQL itself, which makes the column's value of the record's again; and the second
implementation in lab/reference.py."""

import codecs
import json
import re
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from lab import reference, type_samples
from lab.reference import SESSION
from lab.type_samples import array_text, arrays_of, dimensions_of, raw_members, samples, scalar_text, without_bounds

pytestmark = pytest.mark.versions

ROOT = Path(__file__).resolve().parents[2]
IDENTIFIER = sql.Identifier


def printed(connection: psycopg.Connection, query, parameters=()) -> list[list[bytes | None]]:
    """The rows as psql prints them."""
    result = connection.execute(query, parameters, prepare=False).pgresult
    return [[result.get_value(row, at) for at in range(result.nfields)] for row in range(result.ntuples)]


# A byte that is not UTF-8 becomes U+FFFD in the record, each of them.
codecs.register_error("each", lambda error: ("\N{REPLACEMENT CHARACTER}", error.start + 1))


def as_text(held: bytes | None) -> str | None:
    return None if held is None else held.decode(errors="each")


@pytest.fixture
def session(scenario):
    """Sees the same text as the worker's."""
    with psycopg.connect(f"{scenario.dsn} options='{SESSION}' client_encoding=UTF8", autocommit=True) as connection:
        yield connection


# What was recorded of the ancestor


@dataclass(frozen=True)
class Line:
    type: str
    oid: int
    text: str
    ancestor: str

    @property
    def base(self) -> str:
        return self.type.removesuffix("[]")

    @property
    def column(self) -> sql.Composable:
        """The type without the length that its plain name would have."""
        if self.oid >= 99998:
            return sql.SQL("mood" if self.oid == 99999 else "pair")
        return sql.SQL("pg_catalog.{}{}").format(IDENTIFIER(self.base), sql.SQL(self.type[len(self.base) :]))


def recorded() -> list[Line]:
    lines = []
    for file in sorted((ROOT / "tests/data").glob("ancestor-json*.tsv")):
        for line in file.read_text().split("\n"):
            if line and not line.startswith("#"):
                name, oid, text, ancestor = line.split("\t")
                lines.append(Line(name, int(oid), json.loads(text), ancestor))
    return lines


@dataclass(frozen=True)
class Rule:
    """A difference: the row of docs/formats.md that lists it, and where it may be: in the types, where the
    ancestor's answer and PostgreSQL's text match. What stands in the record is never this rule's to say."""

    row: str
    types: str
    ancestor: str = ".*"
    text: str = ".*"

    def covers(self, line: Line) -> bool:
        return (
            line.type in self.types.split()
            and re.fullmatch(self.ancestor, line.ancestor, re.DOTALL) is not None
            and re.fullmatch(self.text, line.text, re.DOTALL) is not None
        )


ESCAPES = "all strings"
OUTSIDE = r"(marshal|decode) error: .*"
STRUCTURE = r"\{.*\}|" + OUTSIDE
RULES = (
    Rule("`real`, `double precision`: NaN, infinities", "float4 float8", "marshal error: .*"),
    Rule("`real`, `double precision`: last digits", "float4 float8", r"1e\+23|-74848580", r"9\.9*e\+22|-7.4848576e\+07"),
    Rule("`numeric`: infinities", "numeric", "0", "-?Infinity"),
    Rule("`numeric` in exponent form (PostgreSQL never sends it)", "numeric", "decode error: .*", r"\d+e\d+"),
    Rule("`date`, `timestamp`, `timestamptz`: infinities", "date timestamp timestamptz", "-?1", "-?infinity"),
    Rule("`date`, `timestamp`, `timestamptz`: BC, years past 9999", "date timestamp timestamptz", OUTSIDE),
    Rule("`timestamptz`: its zone", "timestamptz", r'".*[-+]\d\d:\d\d"'),
    Rule("`time`", "time", STRUCTURE),
    Rule("`interval`", "interval", STRUCTURE),
    Rule("`bit`, `varbit`", "bit varbit", STRUCTURE),
    Rule("`uuid`", "uuid", r"\[[\d,]+\]"),
    Rule("`xml`, `macaddr`, `macaddr8`", "xml macaddr macaddr8", r'"[\w+/=]+"'),
    Rule('`"char"`', "char", r"\d+|" + OUTSIDE),
    Rule("`tid`, `lseg`, `path`, `box`, `polygon`, `line`, `circle`", "tid lseg path box polygon line circle", STRUCTURE),
    Rule("`point`: infinities", "point point[]", r".*[-+]Inf\b.*"),
    Rule("`inet`, `cidr`: IPv6 that ends like IPv4", "inet cidr", r'"::102:30\d/\d+"', r"::1\.2\.3\.\d(/120)?"),
    Rule("`tsvector`", "tsvector", STRUCTURE),
    Rule(
        "ranges, multiranges",
        "int4range int8range numrange daterange tsrange tstzrange"
        " int4multirange int8multirange nummultirange datemultirange tsmultirange tstzmultirange",
        STRUCTURE + r"|\[.*\]",
    ),
    Rule("`json`, `jsonb`", "json jsonb"),
)
OF_SEVERAL_DIMENSIONS = "arrays of several dimensions"
ELEMENTWISE = "arrays of the types above"
UNKNOWN_ELEMENTS = Rule(
    "arrays of `money`, `timetz`, `macaddr8`, `pg_lsn`, `tsquery`, `refcursor`, snapshots, vectors, multiranges, `reg*` types",
    "money[] timetz[] macaddr8[] pg_lsn[] tsquery[] refcursor[] txid_snapshot[] pg_snapshot[] int2vector[] oidvector[]"
    " int4multirange[] int8multirange[] nummultirange[] datemultirange[] tsmultirange[] tstzmultirange[]"
    " regproc[] regprocedure[] regoper[] regoperator[] regclass[] regtype[] regconfig[] regdictionary[] regnamespace[]"
    " regrole[] regcollation[]",
    r'"\{.*\}"',
)
SINCE = {("interval", "infinity"): 17, ("interval", "-infinity"): 17, ("char", "\\303"): 16}


def rule_of(line: Line, written: str) -> str | None:
    """The row that allows that this is written, or None."""
    for rule in (*RULES, UNKNOWN_ELEMENTS):
        if rule.covers(line):
            return rule.row
    if line.type == line.base:
        return None
    if line.ancestor == "[" + re.sub(r"[\[\]]", "", written) + "]" and "[[" in written:
        return OF_SEVERAL_DIMENSIONS
    return ELEMENTWISE if any(line.base in rule.types.split() for rule in RULES) else None


def listed_differences() -> list[str]:
    text = (ROOT / "docs/formats.md").read_text()
    table = text.partition("### Differences from go-pq-cdc-kafka\n")[2].partition("\n\n| |")[0]
    table = table.partition("\nAnd in what a record")[0]
    rows = re.findall(r"^\|([^|]+)\|", table, re.M)
    return [row.strip() for row in rows if row.strip() not in ("type", "---")]


def insert_lines(session, scenario, lines: list[Line]) -> list[str]:
    """A table for each hundred lines, with a column for each; their names."""
    tables = []
    for start in range(0, len(lines), 100):
        part = lines[start : start + 100]
        columns = sql.SQL(",").join(sql.SQL("c{} {}").format(sql.SQL(str(n)), line.column) for n, line in enumerate(part))
        tables.append(f"recorded_{start}")
        session.execute(sql.SQL("create table {} (id int primary key, {})").format(IDENTIFIER(tables[-1]), columns))
    return tables


def test_what_the_ancestor_wrote_or_a_listed_difference(scenario, session, postgres, say):
    session.execute("create type mood as enum ('happy'); create type pair as (a int, b text)")
    lines = [line for line in recorded() if postgres.version >= SINCE.get((line.type, line.text), 0)]
    tables = insert_lines(session, scenario, lines)
    worker = scenario.streaming(scenario.config(tables))
    sent = []
    for number, table in enumerate(tables):
        values = sql.SQL(",").join(sql.Literal(line.text) for line in lines[number * 100 : (number + 1) * 100])
        session.execute(sql.SQL("insert into {} values (1, {})").format(IDENTIFIER(table), values))
        sent += printed(session, sql.SQL("select * from {}").format(IDENTIFIER(table)))[0][1:]
    scenario.settle(worker)
    members = [raw_members(record.value.decode()) for record in scenario.records()]
    used, matched = set(), set()
    for number, line in enumerate(lines):
        written = members[number // 100][f"c{number % 100}"]
        assert written == reference.value_json(sent[number].decode(), line.oid), line
        plain = re.sub(r"\\u(003c|003e|0026|2028|2029)", lambda found: chr(int(found[1], 16)), line.ancestor)
        if written == plain:
            used |= {ESCAPES} if plain != line.ancestor else set()
            continue
        row = rule_of(line, written)
        assert row is not None, f"{line}: {written} is written, and no rule allows it"
        used.add(row)
        matched.add((row, line.type))
    assert sorted(used) == sorted(listed_differences()), "docs/formats.md, Differences"
    for rule in (*RULES, UNKNOWN_ELEMENTS):
        idle = [name for name in rule.types.split() if (rule.row, name) not in matched]
        assert not idle, f"{rule.row}: nothing of {idle} differs"
    say(f"{len(lines)} recorded values, {len(used)} differences")


# PostgreSQL as the judge


@dataclass(frozen=True)
class Column:
    name: str
    type: sql.Composable
    base: str  # what its JSON is written by: the type, or that of its elements; "text" where it is a string
    array: bool = False
    delimiter: str = ","
    has_input: bool = True

    def back(self, raw: str, held: str) -> str | None:
        """What PostgreSQL must make the value of again, of the record's JSON."""
        if not self.array or raw == "null":
            return scalar_text(self.base, raw)
        return array_text(self.base, raw, dimensions_of(held), self.delimiter)


def catalogue(session: psycopg.Connection) -> list[tuple[str, str]]:
    """Name and delimiter of every built-in type that a column can have, arrays apart."""
    return session.execute(
        "select typname, typdelim from pg_type t where typnamespace = 'pg_catalog'::regnamespace"
        " and typtype in ('b', 'r', 'm') and not exists (select 1 from pg_type e where e.typarray = t.oid) order by 1"
    ).fetchall()


def pad(rows: list[list[str]]) -> list[tuple[str | None, ...]]:
    """Columns of values -> rows, with NULL where a column has no more."""
    longest = max(map(len, rows))
    return list(zip(*(values + [None] * (longest + 1 - len(values)) for values in rows), strict=True))


def make_table(session, table: str, columns: list[Column]) -> None:
    kinds = sql.SQL(",").join(sql.SQL("{} {}").format(IDENTIFIER(column.name), column.type) for column in columns)
    identity = sql.SQL("id int generated always as identity primary key")
    session.execute(sql.SQL("create table {} ({}, {})").format(IDENTIFIER(table), identity, kinds))


def fill(session, table: str, columns: list[Column], values: list[list[str]]) -> None:
    names = sql.SQL(",").join(IDENTIFIER(column.name) for column in columns)
    for row in pad(values):
        cells = (
            sql.Literal(value) if column.has_input or value is None else sql.SQL(value)
            for column, value in zip(columns, row, strict=True)
        )
        insert = sql.SQL("insert into {} ({}) values ({})")
        session.execute(insert.format(IDENTIFIER(table), names, sql.SQL(",").join(cells)))


def compare(session, table: str, columns: list[Column], records: list) -> int:
    """How many values of the table PostgreSQL makes of its records again; fails at the first that differs."""
    names = sql.SQL(",").join(IDENTIFIER(column.name) for column in columns)
    held_rows = printed(session, sql.SQL("select {} from {} order by id").format(names, IDENTIFIER(table)))
    compared = 0
    for held_row, record in zip(held_rows, records, strict=True):
        members = raw_members(record.value.decode())
        assert members.keys() == {column.name for column in columns} | {"id", "operation"}
        held_texts = [as_text(held) for held in held_row]
        back = [c.back(members[c.name], held or "") for c, held in zip(columns, held_texts, strict=True)]
        casts = sql.SQL(",").join(sql.SQL("%s::{}").format(c.type if c.has_input else sql.SQL("text")) for c in columns)
        again_row = printed(session, sql.SQL("select ") + casts, back)[0]
        for column, held, text, again in zip(columns, held_row, held_texts, again_row, strict=True):
            written = members[column.name]
            if text is not None and text.encode() != held:  # PostgreSQL 15 and before let a piece of a character in
                assert written == (reference.array(text, 0) if column.array else reference.quoted(text))
            elif column.base in ("json", "jsonb") and text == "null":
                assert written == "null"  # as SQL's is: the record cannot tell
            else:
                expected = without_bounds(text) if column.array and text is not None else text
                assert as_text(again) == expected, f"{table}.{column.name}: {written[:2000]}"
            compared += held is not None
    return compared


SQL_NAMES = {
    "bool": "boolean", "int2": "smallint", "int4": "integer", "int8": "bigint", "float4": "real",
    "float8": "double precision", "bpchar": "char(n)", "char": '"char"',
}  # fmt: skip


def documented() -> set[str]:
    """The types that the table of docs/formats.md names."""
    table = (ROOT / "docs/formats.md").read_text().partition("\n## Types\n")[2].partition("\n### ")[0]
    return {name for cell in re.findall(r"^\|([^|]*)\|", table, re.M) for name in re.findall(r"`([^`]+)`", cell)}


def built_in(session, major: int) -> tuple[list[Column], list[list[str]]]:
    columns, values = [], []
    rows = documented()
    for name, delimiter in catalogue(session):
        assert SQL_NAMES.get(name, name) in rows, f"{name} has no row in docs/formats.md, Types"
        type_ = IDENTIFIER("pg_catalog", name)
        if name in type_samples.INTERNAL:
            columns.append(Column(name, type_, "text", has_input=False))
            values.append([type_samples.INTERNAL[name]])
            continue
        assert name in type_samples.SAMPLES, f"{name} is new: give it values in lab/type_samples.py"
        literals = samples(name, major)
        columns += [Column(name, type_, name), Column(f"{name}[]", type_ + sql.SQL("[]"), name, True, delimiter)]
        told_apart = [literal for literal in literals if literal.strip() != "null"]  # JSON's null looks like SQL's
        values += [literals, arrays_of(told_apart, delimiter)]
    return columns, values


MADE = """
    create extension citext; create extension hstore; create extension ltree; create extension cube; create extension isn;
    create type mood as enum ('sad', 'happy, or "so"', $$it's \\ {}$$, '', 'ü\u2028', repeat_63);
    create type pair as (a int, b text, "c d" numeric[]);
    create type nest as (p pair, ps pair[], m mood);
    create type floats as range (subtype = float8, multirange_type_name = many_floats);
    create type moods as range (subtype = mood);
    create domain positive as int check (value > 0);
    create domain list as int[];
    create domain named as pair check ((value).a > 0);
    create domain named_list as pair[];
    create domain doc as jsonb;
    create domain nested as positive;
""".replace("repeat_63", f"'{'x' * 63}'")
MADE_VALUES = {
    "mood": ["sad", 'happy, or "so"', "it's \\ {}", "", "ü\u2028", "x" * 63],
    "mood[]": ['{sad,NULL,"happy, or \\"so\\"","","ü\u2028","it\'s \\\\ {}"}', "{}", "[0:1]={sad,sad}", "{{sad},{NULL}}"],
    "pair": ['(1,"a b",)', "(,,)", '(-5,"q""\\\\\n\t(),{}","{1.50,NaN}")', '(1,"","{}")', f'(7,"{chr(0x2028)}\x01",)'],
    "pair[]": ['{"(1,\\"a \\"\\"b\\",)",NULL,"(,,)"}'],
    "nest": ['("(1,""a b"",)","{""(2,x,{1})"",NULL}",sad)'],
    "floats": ["[0.1,Infinity)", "empty", "(,1e-300]"],
    "floats[]": ['{"[1,2)",empty}'],
    "many_floats": ["{[1,2),(5,)}", "{}"],
    "moods": ['[sad,"happy, or ""so"""]'],
    "positive": ["2147483647"],
    "positive[]": ["{1,NULL,2}"],
    "list": ["{1,2,NULL}", "[0:1]={1,2}", "{{1},{2}}", "{}"],
    "list[]": ['{"{1,2}",NULL}'],
    "named": ['(1,"x y",)'],
    "named_list": ['{"(1,x,)",NULL}'],
    "doc": ['{"a": [1.50, null]}', "null"],
    "nested": ["1"],
    "citext": list(type_samples.HOSTILE),
    "citext[]": ['{a,"b c",NULL}'],
    "hstore": ['"a"=>"b", "c"=>NULL, "q\\"\\\\"=>""', ""],
    "ltree": ["Top.Science", ""],
    "cube": ["(1, 2),(3, 4.5)"],
    "isbn13": ["978-0-393-04002-9"],
    "information_schema.sql_identifier": ["n"],
    "information_schema.yes_or_no": ["YES"],
    "information_schema.time_stamp": ["2024-02-29 12:34:56.12+00"],
    "pg_catalog.pg_range": ["(1,2,3,4,5,now,-)"],
}


def made() -> tuple[list[Column], list[list[str]]]:
    return [Column(name, sql.SQL(name), "text") for name in MADE_VALUES], list(MADE_VALUES.values())


@pytest.mark.sanitize("address")
def test_postgres_makes_every_value_of_its_record_again(scenario, session, postgres, say):
    """Every type of the server's catalogue, arrays of them, and types that users make."""
    session.execute(MADE)
    session.execute(
        "create table analysed as select i % 3 a, i % 3 b from generate_series(1, 99) i; alter table analysed alter a"
        " set default 7; create statistics s (ndistinct, dependencies, mcv) on a, b from analysed; analyze analysed"
    )
    tables = {"built_in": built_in(session, postgres.version), "made": made()}
    for table, (columns, _) in tables.items():
        make_table(session, table, columns)
    worker = scenario.streaming(scenario.config(list(tables), format={"headers": ["table"]}))
    for table, (columns, values) in tables.items():
        fill(session, table, columns, values)
    scenario.settle(worker)
    records = scenario.records()
    for table, (columns, _) in tables.items():
        told = [record for record in records if record.headers["table"] == f"public.{table}".encode()]
        compared = compare(session, table, columns, told)
        say(f"{table}: {compared} values of {len(columns)} types")
