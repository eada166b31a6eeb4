/* Steps 1 and 2 behind one call: where changes come from. Today the socket; the replay of a spilled
 * transaction and a snapshot's COPY chunk are two more. Pipeline's thread. */
#ifndef CONNECTOR_SOURCE_H
#define CONNECTOR_SOURCE_H

#include "base/thread_role.h"
#include "change/change.h"
#include "postgres/wal_stream.h"

enum pull {
    PULL_CHANGE,    /* *out_change is one */
    PULL_KEEPALIVE, /* *out_message says how far the server is */
    PULL_EMPTY,     /* nothing more is there without reading the socket */
    PULL_END,       /* the source ended */
    PULL_FAILED
};

struct source;

struct source *source_new(void);
void source_free(struct source *source);
/* A new stream (not owned): forgets relations, and that a transaction is open. */
void source_attach(struct source *source, struct wal_stream *stream) ON_PIPELINE_THREAD;
/* What comes out is in order: rows and Commit inside Begin and Commit. */
enum pull source_next(struct source *source, struct change *out_change,
                      struct wal_message *out_message, struct error *err) ON_PIPELINE_THREAD;

#endif
