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
    pgoutput_reset(source->decoder);
}

static enum pull decode(struct source *source, const struct wal_message *message,
                        struct change *out_change, struct error *err)
{
    arena_reset(&source->arena);
    if (!pgoutput_decode(source->decoder, message->payload, &source->arena, out_change, err)) {
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
