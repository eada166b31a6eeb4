-- Makes pgoutput-<major>.txt: every message that PostgreSQL sends in protocol 1, as one line of hex
-- digits each; a line that starts with # begins another stream. In a database of its own, with
-- wal_level = logical:
--     psql -XqAt -v ON_ERROR_STOP=1 -f pgoutput.sql > pgoutput-<major>.txt
-- pgoutput-<major>.expected.txt is what must come of it. With -v keep=1 the slot "recorder" is left
-- as it is, for tests/lab/record.py, and all that is printed are the publications.
\o /dev/null
set client_encoding = 'UTF8';
set datestyle = 'ISO';
set intervalstyle = 'postgres';
set timezone = 'UTC';
set extra_float_digits = 3;
set bytea_output = 'hex';
select current_setting('server_version_num')::int >= 150000 as "from_15",
       current_setting('server_version_num')::int >= 180000 as "from_18" \gset

create type mood as enum ('sad', 'happy');
create type pair as (a int, b text);
create domain positive as int check (value > 0);
create table types (
    id bigint primary key, c_bool bool, c_int2 int2, c_int4 int4, c_numeric numeric(20, 5),
    c_free_numeric numeric, c_float4 float4, c_float8 float8, c_text text, c_varchar varchar(10),
    c_char char(5), c_bytea bytea, c_date date, c_time time, c_timetz timetz,
    c_timestamp timestamp, c_timestamptz timestamptz(3), c_interval interval, c_uuid uuid,
    c_json json, c_jsonb jsonb, c_inet inet, c_ints int[], c_texts text[], c_point point,
    c_range int4range, c_mood mood, c_pair pair, c_positive positive, c_money money, c_bit bit(3));

create table keyed (id int primary key, note text);
create table whole (id int primary key, note text);
alter table whole replica identity full;
create table bare (id int, note text);
alter table bare replica identity nothing;
create table keyless (id int, note text);
create table indexed (id int primary key, code text not null, note text);
create unique index indexed_code on indexed (code);
alter table indexed replica identity using index indexed_code;
create table composite_key (a int, b text, c int, primary key (a, b));
create table no_columns ();
create table "Od""d nämé" ("Column A" int primary key, "ключ" text);

create table toasted (id int primary key, small int, large text);
alter table toasted alter column large set storage external;
create table toasted_whole (id int primary key, small int, large text);
alter table toasted_whole alter column large set storage external;
alter table toasted_whole replica identity full;

create table parent (id serial primary key, note text);
create table child (id int primary key, parent_id int references parent);

create table by_leaf (id int, region text, primary key (id, region)) partition by list (region);
create table by_leaf_east partition of by_leaf for values in ('east');
create table by_leaf_west partition of by_leaf for values in ('west');
create table by_root (id int, region text, primary key (id, region)) partition by list (region);
create table by_root_east partition of by_root for values in ('east');
create table by_root_west partition of by_root for values in ('west');

create table changing (id int primary key, a text, b int);
create table unpublished (id int);
create schema other;
create table other.keyed (id int primary key, flag bool);

create publication plain for table types, keyed, whole, bare, keyless, indexed, composite_key,
    no_columns, "Od""d nämé", toasted, toasted_whole, parent, child, by_leaf, changing, other.keyed;
create publication root for table by_root with (publish_via_partition_root = true);
\set publications plain,root
\if :from_15
create table filtered (id int primary key, region text not null, secret text);
alter table filtered replica identity full;
create table listed (id int primary key, shown text, hidden text);
create publication filters for table filtered where (region = 'east'), listed (id, shown);
\set publications :publications,filters
\endif
\if :from_18
create table generated (id int primary key, doubled int generated always as (id * 2) stored);
create publication generating for table generated with (publish_generated_columns = stored);
\set publications :publications,generating
\endif

select pg_create_logical_replication_slot('recorder', 'pgoutput');

-- Types.
insert into types values (
    1, true, -32768, 2147483647, 12345.6789, 'NaN', 1.5, 'Infinity', 'text, "quoted" \ and ünïcode',
    'varchar', 'char', '\x00ff10', '2024-02-29', '23:59:59.999999', '12:00:00+05:30',
    '1999-12-31 23:59:59.5', '2024-02-29 12:34:56.789+02', '1 year 2 mons 3 days 04:05:06',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": [1, 2]}', '{"b": null, "a": 1}', '10.0.0.0/8',
    '{1,NULL,3}', '{"a b","c,d"}', '(1,2)', '[1,10)', 'happy', '(1,"x y")', 5, 12.34, '101');
insert into types (id) values (9223372036854775807);
insert into types (id, c_date, c_timestamp, c_text) values
    (-1, 'infinity', '0044-03-15 00:00:00 BC', '');

-- Identities and key changes.
begin;
insert into keyed values (1, 'one'), (2, null);
update keyed set note = 'uno' where id = 1;
update keyed set id = 10 where id = 1;
delete from keyed where id = 2;
insert into other.keyed values (1, true);
commit;
begin;
insert into whole values (1, 'one');
update whole set note = null where id = 1;
update whole set id = 2 where id = 1;
delete from whole;
commit;
insert into bare values (1, 'one');
insert into keyless values (1, 'one');
begin;
insert into indexed values (1, 'a', 'one');
update indexed set note = 'uno' where id = 1;
update indexed set code = 'b' where id = 1;
delete from indexed;
commit;
begin;
insert into composite_key values (1, 'x', 0);
update composite_key set c = 1;
update composite_key set b = 'y';
delete from composite_key;
commit;
insert into no_columns default values;
insert into "Od""d nämé" values (1, 'значение');

-- Values that are stored out of line.
insert into toasted values (1, 1, repeat('x', 2500));
update toasted set small = 2;
update toasted set id = 2;
update toasted set large = repeat('y', 2500);
delete from toasted;
insert into toasted_whole values (1, 1, repeat('x', 2500));
update toasted_whole set small = 2;
delete from toasted_whole;

-- Truncations.
insert into parent (note) values ('p');
insert into child values (1, 1);
truncate child;
truncate parent cascade;
truncate parent, child, keyed restart identity;

-- Partitions.
insert into by_leaf values (1, 'east'), (2, 'west');
update by_leaf set region = 'west' where id = 1;
delete from by_leaf where id = 2;
truncate by_leaf;
insert into by_root values (1, 'east'), (2, 'west');
update by_root set region = 'west' where id = 1;
delete from by_root where id = 2;
truncate by_root;

-- A table that changes while it is streamed.
insert into changing values (1, 'a', 1);
begin;
insert into changing values (2, 'a', 2);
alter table changing add column c text default 'c';
insert into changing values (3, 'a', 3, 'c');
alter table changing drop column a;
alter table changing alter column b type text;
alter table changing rename column c to d;
update changing set d = 'd' where id = 2;
commit;
alter table changing replica identity full;
delete from changing where id = 1;
drop table changing;
create table changing (other text primary key);
alter publication plain add table changing;
insert into changing values ('again');

-- Sub-transactions, and what is rolled back.
begin;
insert into keyed values (20, 'kept');
savepoint s;
insert into keyed values (21, 'rolled back');
rollback to s;
insert into keyed values (22, 'kept');
commit;
begin;
insert into keyed values (23, 'rolled back');
rollback;

-- Messages.
begin;
select pg_logical_emit_message(true, 'inside', 'transactional');
insert into keyed values (30, 'beside a message');
select pg_logical_emit_message(false, 'at once', 'not transactional');
commit;
select pg_logical_emit_message(false, 'outside', '\x00ff'::bytea);
select pg_logical_emit_message(true, '', '');

-- Empty for us: PostgreSQL 14 sends its Begin and Commit.
insert into unpublished values (1);

-- From elsewhere.
select pg_replication_origin_create('upstream');
select pg_replication_origin_session_setup('upstream');
begin;
select pg_replication_origin_xact_setup('1/2345', '2024-01-01 00:00:00+00');
insert into keyed values (40, 'from upstream');
commit;
select pg_replication_origin_session_reset();
select pg_replication_origin_drop('upstream');

\if :from_15
insert into filtered values (1, 'east', 's'), (2, 'west', 's');
update filtered set region = 'east' where id = 2;
update filtered set region = 'west' where id = 1;
insert into listed values (1, 'shown', 'hidden');
update listed set hidden = 'hidden again';
\endif
\if :from_18
insert into generated values (21);
\endif

\if :{?keep}
\o
\qecho :publications
\quit
\endif

\o
\qecho # text
select encode(data, 'hex') from pg_logical_slot_peek_binary_changes('recorder', null, null,
    'proto_version', '1', 'messages', 'true', 'publication_names', :'publications');
\qecho # binary
select encode(data, 'hex') from pg_logical_slot_get_binary_changes('recorder', null, null,
    'proto_version', '1', 'messages', 'true', 'binary', 'true',
    'publication_names', :'publications');
\o /dev/null
select pg_drop_replication_slot('recorder');
