"""What is written, and what must be in the topic then: row n's record is the template with n in it."""

from dataclasses import dataclass, field

from lab.topics import Record

NUMBER = "$"  # where a row's number stands in a template


@dataclass(frozen=True)
class Workload:
    """`before` runs ahead of the slot; `load` is what is measured. Both are given the rows."""

    about: str
    rows: int
    table: str
    create: str
    load: str
    value: str
    before: str | None = None
    mode: str = "live"
    session: dict[str, str] = field(default_factory=dict)

    def difference(self, number: int, record: Record) -> str | None:
        """What is wrong with the record of row `number`, the first of which is 1."""
        expected = self.value.replace(NUMBER, str(number))
        if record.value == expected.encode() and record.key == str(number).encode():
            return None
        return f"record {number} differs: {record.key!r} {record.value!r}"


USERS = """
create table users (id serial primary key, name text not null, created_on timestamptz);
alter table users replica identity {identity};
"""
INSERT_USERS = "insert into users (name) select 'Oyleli' || i from generate_series(1, {rows}) i"
INSERT_ONE_BY_ONE = """
do $$ begin
    for i in 1..{rows} loop
        insert into users (name) values ('Oyleli' || i);
        commit;
    end loop;
end $$
"""
USER = '{"created_on":null,"id":$,"name":"Oyleli$","operation":"INSERT"}'
UPDATED_USER = '{"created_on":null,"id":$,"name":"Oyleli$+","operation":"UPDATE"}'

WIDE_TEXTS = ("address", "comment", "headline", "signature")
WIDE = f"""
create table wide (
    id int primary key, account bigint not null, active boolean not null, amount numeric(14, 2) not null,
    {", ".join(f"{name} text not null" for name in WIDE_TEXTS)},
    placed timestamptz not null, tags jsonb not null
);
alter table wide replica identity full;
"""
WIDE_TEXT = "x" * 90
INSERT_WIDE = f"""
insert into wide select i, i, true, i + 0.25, {", ".join(f"'{name}-' || i || '-{WIDE_TEXT}'" for name in WIDE_TEXTS)},
    '2026-01-02 03:04:05.678901+00', jsonb_build_object('n', i) from generate_series(1, {{rows}}) i
"""
WIDE_ROW = (
    '{"account":$,"active":true,"address":"address-$-%s","amount":$.25,"comment":"comment-$-%s",'
    '"headline":"headline-$-%s","id":$,"operation":"INSERT","placed":"2026-01-02T03:04:05.678901Z",'
    '"signature":"signature-$-%s","tags":{"n": $}}' % ((WIDE_TEXT,) * 4)
)


def _update(identity: str, about: str) -> Workload:
    return Workload(
        about=about,
        rows=500_000,
        table="users",
        create=USERS.format(identity=identity),
        before=f"{INSERT_USERS}; vacuum analyze users",
        load="update users set name = name || '+'",
        value=UPDATED_USER,
    )


WORKLOADS = {
    "users": Workload(
        about="the ancestor's published one: inserts into users (id, name, created_on), one transaction",
        rows=1_000_000,
        table="users",
        create=USERS.format(identity="full"),
        load=INSERT_USERS,
        value=USER,
    ),
    "small": Workload(
        about="single-row transactions: inserts into users",
        rows=100_000,
        table="users",
        create=USERS.format(identity="full"),
        load=INSERT_ONE_BY_ONE,
        value=USER,
        mode="backlog",  # they are read faster than they can be committed
        session={"synchronous_commit": "off"},
    ),
    "wide": Workload(
        about="inserts of 600-byte rows of 10 columns, one transaction",
        rows=300_000,
        table="wide",
        create=WIDE,
        load=INSERT_WIDE,
        value=WIDE_ROW,
    ),
    "update-full": _update("full", "updates of users, the whole old row in the WAL, one transaction"),
    "update-default": _update("default", "updates of users, no old row in the WAL, one transaction"),
}
