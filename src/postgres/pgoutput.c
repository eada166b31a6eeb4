/* The grammar, protocol version 1 (PostgreSQL manual, "Logical Replication Message Formats").
 * Integers are big-endian; text ends with NUL; time is microseconds since 2000-01-01.
 *
 *   message   = 'B' begin | 'C' commit | 'O' origin | 'R' relation | 'Y' type | 'I' insert
 *             | 'U' update | 'D' delete | 'T' truncate | 'M' message
 *   begin     = final_lsn:8 commit_time:8 xid:4
 *   commit    = flags:1 (0) commit_lsn:8 end_lsn:8 commit_time:8
 *   origin    = lsn:8 name:text
 *   relation  = oid:4 schema:text name:text identity:1 ('d' 'n' 'f' 'i') count:2 column*count
 *   column    = flags:1 (bit 0: of the identity) name:text type_oid:4 type_modifier:4
 *   type      = oid:4 schema:text name:text
 *   insert    = oid:4 'N' tuple
 *   update    = oid:4 [ 'K' tuple | 'O' tuple ] 'N' tuple
 *   delete    = oid:4 ( 'K' tuple | 'O' tuple )
 *   truncate  = count:4 flags:1 (bit 0: cascade, bit 1: restart identity) oid:4*count
 *   message   = flags:1 (bit 0: transactional) lsn:8 prefix:text size:4 byte*size
 *   tuple     = count:2 value*count
 *   value     = 'n' (null) | 'u' (unchanged, not sent) | 't' size:4 byte*size (text)
 *             | 'b' size:4 byte*size (binary)
 *
 * An empty schema is pg_catalog. Messages of streamed transactions (protocol 2) and of two-phase
 * commits (protocol 3) come only to those who asked for them.
 */
#include "postgres/pgoutput.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/reader.h"
#include "postgres/relation_cache.h"

enum {
    COMMIT_FLAGS = 0,
    COLUMN_IDENTITY = 1,
    TRUNCATE_CASCADE = 1,
    TRUNCATE_RESTART_IDENTITY = 2,
    MESSAGE_TRANSACTIONAL = 1,

    COLUMN_BYTES_MIN = 10, /* flags, an empty name's NUL, type OID, type modifier */
    OID_BYTES = 4,

    NAME_SHOWN_MAX = 128, /* bytes of a name in an error's text */
};

struct pgoutput {
    struct relation_cache relations;
};

/* One message in hand. */
struct decoding {
    struct reader in;
    const unsigned char *start;
    struct arena *arena;
    struct relation_cache *relations;

    /* For the error: what is wrong and where (NULL: the message ends too early), and the table as
     * far as it is known. */
    const char *refusal;
    size_t refused_at;
    uint32_t oid;
    const struct relation *relation;
    struct slice schema, name;
};

struct message_kind {
    const char *name;
    void (*read)(struct decoding *in_hand, struct change *change); /* NULL: not requested */
};

struct pgoutput *pgoutput_new(void)
{
    struct pgoutput *decoder = memory_alloc(sizeof *decoder);
    decoder->relations = RELATION_CACHE_INIT;
    return decoder;
}

void pgoutput_free(struct pgoutput *decoder)
{
    if (decoder == NULL)
        return;
    relation_cache_done(&decoder->relations);
    memory_free(decoder);
}

void pgoutput_reset(struct pgoutput *decoder)
{
    relation_cache_clear(&decoder->relations);
}

/* Fields. */

/* Fails the reader; the field that is wrong is the last one read, `width_bytes` long. Only the
 * first refusal counts, and none after a field that was cut short. */
static void refuse(struct decoding *in_hand, size_t width_bytes, const char *refusal)
{
    if (in_hand->in.failed)
        return;
    in_hand->refusal = refusal;
    in_hand->refused_at = (size_t)(in_hand->in.position - in_hand->start) - width_bytes;
    reader_fail(&in_hand->in);
}

static lsn_t read_lsn(struct decoding *in_hand)
{
    return (lsn_t){ reader_u64(&in_hand->in) };
}

static server_time_t read_time(struct decoding *in_hand)
{
    return (server_time_t){ (int64_t)reader_u64(&in_hand->in) };
}

static uint8_t read_flags(struct decoding *in_hand, uint8_t known)
{
    uint8_t flags = reader_u8(&in_hand->in);
    if ((flags & ~known) != 0)
        refuse(in_hand, sizeof flags, "has unknown flags");
    return flags;
}

static struct slice read_name(struct decoding *in_hand)
{
    struct slice name = reader_text(&in_hand->in);
    if (name.size == 0)
        refuse(in_hand, 1, "has an empty name");
    return name;
}

static struct slice read_schema(struct decoding *in_hand)
{
    struct slice schema = reader_text(&in_hand->in);
    return schema.size > 0 ? schema : SLICE_TEXT("pg_catalog");
}

static struct slice read_sized_bytes(struct decoding *in_hand)
{
    uint32_t size_bytes = reader_u32(&in_hand->in);
    return reader_bytes(&in_hand->in, size_bytes);
}

static struct relation *read_known_relation(struct decoding *in_hand)
{
    uint32_t oid = reader_u32(&in_hand->in);
    struct relation *relation = relation_cache_find(in_hand->relations, oid);
    in_hand->oid = oid;
    in_hand->relation = relation;
    if (relation == NULL)
        refuse(in_hand, sizeof oid, "refers to a relation that was not announced");
    return relation;
}

/* Rows. */

static struct value read_value(struct decoding *in_hand)
{
    switch (reader_u8(&in_hand->in)) {
    case 't':
        return (struct value){ VALUE_TEXT, read_sized_bytes(in_hand) };
    case 'n':
        return (struct value){ VALUE_NULL, SLICE_NULL };
    case 'u':
        return (struct value){ VALUE_UNCHANGED, SLICE_NULL };
    case 'b':
        return (struct value){ VALUE_BINARY, read_sized_bytes(in_hand) };
    default:
        refuse(in_hand, 1, "has an unknown kind of value");
        return (struct value){ VALUE_NULL, SLICE_NULL };
    }
}

static struct tuple read_tuple(struct decoding *in_hand, const struct relation *relation)
{
    uint16_t count = reader_u16(&in_hand->in);
    if (count != relation->column_count)
        refuse(in_hand, sizeof count, "has another number of columns than its relation");
    if (in_hand->in.failed)
        return (struct tuple){ NULL, 0 };
    struct value *values = arena_array(in_hand->arena, count, sizeof *values);
    for (uint16_t i = 0; i < count; i++)
        values[i] = read_value(in_hand);
    return (struct tuple){ values, count };
}

/* 'K' or 'O' and its tuple. */
static void read_old_tuple(struct decoding *in_hand, uint8_t mark, struct change *change)
{
    change->as.row.old_kind = mark == 'K' ? OLD_KEY : OLD_FULL;
    change->as.row.old = read_tuple(in_hand, change->relation);
}

static void read_new_tuple(struct decoding *in_hand, uint8_t mark, struct change *change)
{
    if (mark != 'N') {
        refuse(in_hand, sizeof mark, "has no new tuple where one belongs");
        return;
    }
    change->as.row.new = read_tuple(in_hand, change->relation);
}

static void read_insert(struct decoding *in_hand, struct change *change)
{
    change->kind = CHANGE_INSERT;
    change->relation = read_known_relation(in_hand);
    read_new_tuple(in_hand, reader_u8(&in_hand->in), change);
}

static void read_update(struct decoding *in_hand, struct change *change)
{
    change->kind = CHANGE_UPDATE;
    change->relation = read_known_relation(in_hand);
    uint8_t mark = reader_u8(&in_hand->in);
    if (mark == 'K' || mark == 'O') {
        read_old_tuple(in_hand, mark, change);
        mark = reader_u8(&in_hand->in);
    }
    read_new_tuple(in_hand, mark, change);
}

static void read_delete(struct decoding *in_hand, struct change *change)
{
    change->kind = CHANGE_DELETE;
    change->relation = read_known_relation(in_hand);
    uint8_t mark = reader_u8(&in_hand->in);
    if (mark == 'K' || mark == 'O')
        read_old_tuple(in_hand, mark, change);
    else
        refuse(in_hand, sizeof mark, "has no old tuple where one belongs");
}

static void read_truncate(struct decoding *in_hand, struct change *change)
{
    uint32_t count = reader_u32(&in_hand->in);
    uint8_t flags = read_flags(in_hand, TRUNCATE_CASCADE | TRUNCATE_RESTART_IDENTITY);
    if (count > reader_left(&in_hand->in) / OID_BYTES) {
        reader_fail(&in_hand->in);
        return;
    }
    struct relation **relations = arena_array(in_hand->arena, count, sizeof *relations);
    for (uint32_t i = 0; i < count; i++)
        relations[i] = read_known_relation(in_hand);
    change->kind = CHANGE_TRUNCATE;
    change->as.truncate.relations = relations;
    change->as.truncate.count = count;
    change->as.truncate.cascade = (flags & TRUNCATE_CASCADE) != 0;
    change->as.truncate.restart_identity = (flags & TRUNCATE_RESTART_IDENTITY) != 0;
}

/* Shapes. */

static enum replica_identity read_identity(struct decoding *in_hand)
{
    uint8_t identity = reader_u8(&in_hand->in);
    switch (identity) {
    case REPLICA_IDENTITY_DEFAULT:
    case REPLICA_IDENTITY_NOTHING:
    case REPLICA_IDENTITY_FULL:
    case REPLICA_IDENTITY_INDEX:
        return (enum replica_identity)identity;
    default:
        refuse(in_hand, sizeof identity, "has an unknown replica identity");
        return REPLICA_IDENTITY_DEFAULT;
    }
}

static struct column read_column(struct decoding *in_hand)
{
    struct column column = { 0 };
    column.identity = (read_flags(in_hand, COLUMN_IDENTITY) & COLUMN_IDENTITY) != 0;
    column.name = read_name(in_hand);
    column.type_oid = reader_u32(&in_hand->in);
    column.type_modifier = (int32_t)reader_u32(&in_hand->in);
    return column;
}

static void read_relation(struct decoding *in_hand, struct change *change)
{
    in_hand->oid = reader_u32(&in_hand->in);
    in_hand->schema = read_schema(in_hand);
    in_hand->name = read_name(in_hand);
    enum replica_identity identity = read_identity(in_hand);
    uint16_t count = reader_u16(&in_hand->in);
    if (count > reader_left(&in_hand->in) / COLUMN_BYTES_MIN) {
        reader_fail(&in_hand->in);
        return;
    }
    struct column *columns = arena_array(in_hand->arena, count, sizeof *columns);
    for (uint16_t i = 0; i < count; i++)
        columns[i] = read_column(in_hand);
    /* The cache takes whole messages only. */
    if (!reader_complete(&in_hand->in))
        return;
    change->kind = CHANGE_RELATION;
    change->relation =
        relation_new(in_hand->oid, in_hand->schema, in_hand->name, identity, columns, count);
    relation_cache_put(in_hand->relations, change->relation);
}

static void read_type(struct decoding *in_hand, struct change *change)
{
    change->kind = CHANGE_TYPE;
    change->as.type.oid = reader_u32(&in_hand->in);
    change->as.type.schema = read_schema(in_hand);
    change->as.type.name = read_name(in_hand);
}

/* Transactions and what goes with them. */

static void read_begin(struct decoding *in_hand, struct change *change)
{
    change->kind = CHANGE_BEGIN;
    change->as.begin.final_lsn = read_lsn(in_hand);
    change->as.begin.commit_time = read_time(in_hand);
    change->as.begin.xid = reader_u32(&in_hand->in);
}

static void read_commit(struct decoding *in_hand, struct change *change)
{
    change->kind = CHANGE_COMMIT;
    (void)read_flags(in_hand, COMMIT_FLAGS);
    change->as.commit.commit_lsn = read_lsn(in_hand);
    change->as.commit.end_lsn = read_lsn(in_hand);
    change->as.commit.commit_time = read_time(in_hand);
}

static void read_origin(struct decoding *in_hand, struct change *change)
{
    change->kind = CHANGE_ORIGIN;
    change->as.origin.lsn = read_lsn(in_hand);
    change->as.origin.name = reader_text(&in_hand->in);
}

static void read_message(struct decoding *in_hand, struct change *change)
{
    change->kind = CHANGE_MESSAGE;
    uint8_t flags = read_flags(in_hand, MESSAGE_TRANSACTIONAL);
    change->as.message.transactional = (flags & MESSAGE_TRANSACTIONAL) != 0;
    change->as.message.lsn = read_lsn(in_hand);
    change->as.message.prefix = reader_text(&in_hand->in);
    change->as.message.content = read_sized_bytes(in_hand);
}

/* By type letter. What has a name but no function belongs to an option that we never ask for. */
static const struct message_kind message_kinds[UINT8_MAX + 1] = {
    ['B'] = { "Begin", read_begin },       ['C'] = { "Commit", read_commit },
    ['O'] = { "Origin", read_origin },     ['R'] = { "Relation", read_relation },
    ['Y'] = { "Type", read_type },         ['I'] = { "Insert", read_insert },
    ['U'] = { "Update", read_update },     ['D'] = { "Delete", read_delete },
    ['T'] = { "Truncate", read_truncate }, ['M'] = { "Message", read_message },

    ['S'] = { "Stream Start", NULL },      ['E'] = { "Stream Stop", NULL },
    ['c'] = { "Stream Commit", NULL },     ['A'] = { "Stream Abort", NULL },
    ['b'] = { "Begin Prepare", NULL },     ['P'] = { "Prepare", NULL },
    ['K'] = { "Commit Prepared", NULL },   ['r'] = { "Rollback Prepared", NULL },
    ['p'] = { "Stream Prepare", NULL },
};

/* Errors. */

static int shown_size(struct slice name)
{
    return name.size < NAME_SHOWN_MAX ? (int)name.size : NAME_SHOWN_MAX;
}

/* " of relation public.orders (OID 16384)", as far as it is known. */
static void describe_relation(const struct decoding *in_hand, struct buf *text)
{
    const struct relation *relation = in_hand->relation;
    struct slice schema = relation != NULL ? relation->schema : in_hand->schema;
    struct slice name = relation != NULL ? relation->name : in_hand->name;
    if (name.size > 0)
        buf_append_format(text, " of relation %.*s.%.*s (OID %" PRIu32 ")", shown_size(schema),
                          schema.data, shown_size(name), name.data, in_hand->oid);
    else if (in_hand->oid != 0)
        buf_append_format(text, " of the relation with OID %" PRIu32, in_hand->oid);
}

static void describe_type(uint8_t type, struct buf *text)
{
    const char *name = message_kinds[type].name;
    if (type > ' ' && type <= '~')
        buf_append_format(text, "'%c'", type);
    else
        buf_append_format(text, "0x%02x", type);
    if (name != NULL)
        buf_append_format(text, " (%s)", name);
}

static bool undecodable(const struct decoding *in_hand, uint8_t type, struct error *err)
{
    const char *refusal = in_hand->refusal;
    size_t offset = in_hand->refused_at;
    if (refusal == NULL) {
        refusal = in_hand->in.failed ? "ends too early" : "goes on after its end";
        offset = (size_t)(in_hand->in.position - in_hand->start);
    }
    struct buf subject = buf_init_arena(in_hand->arena, 2 * NAME_SHOWN_MAX, ERROR_TEXT_SIZE);
    describe_type(type, &subject);
    describe_relation(in_hand, &subject);
    error_set(err, ERROR_HALT, "undecodable", "pgoutput message %s %s (offset %zu)",
              buf_text(&subject), refusal, offset);
    return error_advise(err, "the slot keeps everything from the last complete transaction on; "
                             "check that this version supports the server's, and report it");
}

bool pgoutput_decode(struct pgoutput *decoder, struct slice payload, struct arena *arena,
                     struct change *out_change, struct error *err)
{
    struct decoding in_hand = { .in = reader_init(payload),
                                .arena = arena,
                                .relations = &decoder->relations };
    in_hand.start = in_hand.in.position;
    struct change change = { 0 };
    uint8_t type = reader_u8(&in_hand.in);
    const struct message_kind *kind = &message_kinds[type];
    if (LIKELY(kind->read != NULL))
        kind->read(&in_hand, &change);
    else
        refuse(&in_hand, sizeof type,
               kind->name != NULL ? "was not requested" : "has an unknown type");
    if (UNLIKELY(!reader_complete(&in_hand.in)))
        return undecodable(&in_hand, type, err);
    *out_change = change;
    return true;
}
