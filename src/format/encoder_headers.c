#include "format/encoder.h"

#include <time.h>

#include "base/buf.h"

/* Room for the longest of them, pos: two numbers of 20 digits. */
enum { TEXT_ROOM = 48, MICROSECONDS = 1000000 };

static struct slice write_pos(struct arena *arena, const struct txn *txn)
{
    struct buf out = buf_init_arena(arena, TEXT_ROOM, TEXT_ROOM);
    buf_append_u64(&out, txn->final_lsn.value);
    buf_append_byte(&out, '/');
    buf_append_u64(&out, txn->ordinal);
    return buf_finish(&out);
}

static struct slice write_lsn(struct arena *arena, const struct txn *txn)
{
    struct lsn_text lsn = lsn_text(txn->final_lsn);
    return arena_copy(arena, slice_of(lsn.text));
}

static struct slice write_xid(struct arena *arena, const struct txn *txn)
{
    struct buf out = buf_init_arena(arena, TEXT_ROOM, TEXT_ROOM);
    buf_append_u64(&out, txn->xid);
    return buf_finish(&out);
}

static struct slice write_commit_ts(struct arena *arena, const struct txn *txn)
{
    int64_t unix_us = server_time_unix_us(txn->commit_time);
    int64_t microseconds = unix_us % MICROSECONDS;
    if (microseconds < 0)
        microseconds += MICROSECONDS;
    time_t seconds = (time_t)((unix_us - microseconds) / MICROSECONDS);
    struct tm parts = { .tm_year = 0 };
    gmtime_r(&seconds, &parts);
    struct buf out = buf_init_arena(arena, TEXT_ROOM, TEXT_ROOM);
    buf_append_format(&out, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", parts.tm_year + 1900,
                      parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                      (int)microseconds);
    return buf_finish(&out);
}

static struct slice header_value(enum encoder_header header, const struct table_plan *plan,
                                 const struct txn *txn, const char *operation, struct arena *arena)
{
    switch (header) {
    case ENCODER_HEADER_POS:
        return write_pos(arena, txn);
    case ENCODER_HEADER_LSN:
        return write_lsn(arena, txn);
    case ENCODER_HEADER_XID:
        return write_xid(arena, txn);
    case ENCODER_HEADER_COMMIT_TS:
        return write_commit_ts(arena, txn);
    case ENCODER_HEADER_TABLE:
        return plan->qualified_name;
    case ENCODER_HEADER_OPERATION:
        return slice_of(operation);
    }
    return SLICE_NULL;
}

static const struct {
    enum encoder_header bit;
    const char *name;
} headers[] = {
#define ENCODER_HEADER(bit, name, doc) { ENCODER_HEADER_##bit, #name },
#include "format/headers.def"
#undef ENCODER_HEADER
};

void encoder_headers_add(uint32_t wanted, const struct table_plan *plan, const struct txn *txn,
                         const char *operation, struct record_list *list, struct record *record)
{
    if (wanted == 0)
        return;
    struct header *added = arena_array(list->arena, COUNT_OF(headers), sizeof(*added));
    record->headers = added;
    record->header_count = 0;
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        if ((wanted & (uint32_t)headers[i].bit) == 0)
            continue;
        added[record->header_count++] = (struct header){
            .name = headers[i].name,
            .value = header_value(headers[i].bit, plan, txn, operation, list->arena),
        };
    }
}
