#include "connector/source.h"

#include "base/arena.h"
#include "base/fault.h"
#include "base/memory.h"
#include "postgres/pgoutput.h"

/* What one message may keep of the arena: a tuple of 1,600 columns fits. */
enum { SOURCE_ARENA_KEEP_BYTES = 256 * 1024 };

struct source {
    struct pgoutput *decoder;
    struct wal_stream *stream;
    struct arena arena;
    bool open;       /* a transaction is */
    lsn_t final_lsn; /* of the last one */
};

struct source *source_new(void)
{
    struct source *source = memory_alloc(sizeof(*source));
    source->decoder = pgoutput_new();
    source->arena = arena_init(SOURCE_ARENA_KEEP_BYTES);
    return source;
}

void source_free(struct source *source)
{
    if (source == NULL)
        return;
    pgoutput_free(source->decoder);
    arena_done(&source->arena);
    memory_free(source);
}

void source_attach(struct source *source, struct wal_stream *stream)
{
    source->stream = stream;
    source->open = false;
    pgoutput_reset(source->decoder);
}

/* The decoder knows messages, not their order: rows and Commit belong inside Begin and Commit. */
static bool in_order(struct source *source, const struct change *change, struct error *err)
{
    enum change_kind kind = change->kind;
    if (source->open ? kind == CHANGE_BEGIN : kind != CHANGE_BEGIN && change_is_item(kind))
        return error_set(err, ERROR_HALT, "undecodable",
                         "%s message %s a transaction; the last one was at %s",
                         change_kind_name(kind), source->open ? "inside" : "outside",
                         lsn_text(source->final_lsn).text);
    if (kind == CHANGE_BEGIN)
        source->final_lsn = change->as.begin.final_lsn;
    if (kind == CHANGE_BEGIN || kind == CHANGE_COMMIT)
        source->open = kind == CHANGE_BEGIN;
    return true;
}

/* What a Commit says becomes what is confirmed: it must be of the transaction that is open, and lie
 * within what was sent. The server sends a Commit at its end LSN. */
static bool commit_fits(const struct source *source, const struct change *change, lsn_t start,
                        struct error *err)
{
    if (change->kind != CHANGE_COMMIT)
        return true;
    lsn_t commit = change->as.commit.commit_lsn, end = change->as.commit.end_lsn;
    if (lsn_compare(commit, source->final_lsn) == 0 && lsn_compare(commit, end) < 0 &&
        lsn_compare(end, start) <= 0)
        return true;
    return error_set(err, ERROR_HALT, "undecodable",
                     "a Commit at %s that ends at %s, of a transaction whose Begin said %s",
                     lsn_text(commit).text, lsn_text(end).text, lsn_text(source->final_lsn).text);
}

static enum pull decode(struct source *source, const struct wal_message *message,
                        struct change *out_change, struct error *err)
{
    arena_reset(&source->arena);
    if (!pgoutput_decode(source->decoder, message->payload, &source->arena, out_change, err) ||
        !in_order(source, out_change, err) ||
        !commit_fits(source, out_change, message->start, err)) {
        (void)error_prefix(err, "at WAL position %s", lsn_text(message->start).text);
        return PULL_FAILED;
    }
    return PULL_CHANGE;
}

enum pull source_next(struct source *source, struct change *out_change,
                      struct wal_message *out_message, struct error *err)
{
    switch (wal_stream_next(source->stream, out_message, err)) {
    case WAL_NEXT_MESSAGE:
        break;
    case WAL_NEXT_EMPTY:
        return PULL_EMPTY;
    case WAL_NEXT_END:
        return PULL_END;
    case WAL_NEXT_FAILED:
        return PULL_FAILED;
    }
    if (FAULT(after_receive)) {
        (void)error_set(err, ERROR_RECONNECT, "fault", "fault point after_receive");
        return PULL_FAILED;
    }
    if (out_message->kind == WAL_KEEPALIVE)
        return PULL_KEEPALIVE;
    return decode(source, out_message, out_change, err);
}
