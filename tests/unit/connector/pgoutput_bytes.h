/* pgoutput messages as a server would send them (postgres/pgoutput.c has the grammar). Every table
 * has one column, "id" of type text, which is its identity. */
#ifndef TESTS_UNIT_CONNECTOR_PGOUTPUT_BYTES_H
#define TESTS_UNIT_CONNECTOR_PGOUTPUT_BYTES_H

#include <endian.h>

#include "base/buf.h"
#include "base/cleanup.h"

enum { BYTES_LIMIT = 16 * 1024 * 1024, BYTES_TEXT_OID = 25 };
#define BYTES_COMMIT_TIME INT64_C(700000000000000) /* 2022-03-08, on the server's clock */

static inline void bytes_u16(struct buf *out, uint16_t value)
{
    uint16_t wire = htobe16(value);
    buf_append(out, &wire, sizeof(wire));
}

static inline void bytes_u32(struct buf *out, uint32_t value)
{
    uint32_t wire = htobe32(value);
    buf_append(out, &wire, sizeof(wire));
}

static inline void bytes_u64(struct buf *out, uint64_t value)
{
    uint64_t wire = htobe64(value);
    buf_append(out, &wire, sizeof(wire));
}

static inline void bytes_text(struct buf *out, const char *text)
{
    buf_append(out, text, strlen(text) + 1);
}

static inline struct buf bytes_begin(uint64_t final_lsn, uint32_t xid)
{
    struct buf out = buf_init(BYTES_LIMIT);
    buf_append_byte(&out, 'B');
    bytes_u64(&out, final_lsn);
    bytes_u64(&out, (uint64_t)BYTES_COMMIT_TIME);
    bytes_u32(&out, xid);
    return out;
}

static inline struct buf bytes_commit(uint64_t final_lsn, uint64_t end_lsn)
{
    struct buf out = buf_init(BYTES_LIMIT);
    buf_append_byte(&out, 'C');
    buf_append_byte(&out, '\0');
    bytes_u64(&out, final_lsn);
    bytes_u64(&out, end_lsn);
    bytes_u64(&out, (uint64_t)BYTES_COMMIT_TIME);
    return out;
}

static inline struct buf bytes_relation(uint32_t oid, const char *name)
{
    struct buf out = buf_init(BYTES_LIMIT);
    buf_append_byte(&out, 'R');
    bytes_u32(&out, oid);
    bytes_text(&out, "public");
    bytes_text(&out, name);
    buf_append_byte(&out, 'd');
    bytes_u16(&out, 1);
    buf_append_byte(&out, '\1');
    bytes_text(&out, "id");
    bytes_u32(&out, BYTES_TEXT_OID);
    bytes_u32(&out, UINT32_MAX);
    return out;
}

static inline struct buf bytes_insert(uint32_t oid, struct slice text)
{
    struct buf out = buf_init(BYTES_LIMIT);
    buf_append_byte(&out, 'I');
    bytes_u32(&out, oid);
    buf_append_byte(&out, 'N');
    bytes_u16(&out, 1);
    buf_append_byte(&out, 't');
    bytes_u32(&out, (uint32_t)text.size);
    buf_append_slice(&out, text);
    return out;
}

static inline struct buf bytes_truncate(uint32_t oid)
{
    struct buf out = buf_init(BYTES_LIMIT);
    buf_append_byte(&out, 'T');
    bytes_u32(&out, 1);
    buf_append_byte(&out, '\0');
    bytes_u32(&out, oid);
    return out;
}

#endif
