/* A handler whose answers a test scripts. A row's text says what it becomes: a record for each part
 * between commas, none for the empty text; "fail" fails. Keys are "final_lsn/ordinal". */
#ifndef TESTS_UNIT_CONNECTOR_SCRIPTED_HANDLER_H
#define TESTS_UNIT_CONNECTOR_SCRIPTED_HANDLER_H

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/check.h"
#include "connector/handler.h"

enum { HANDLER_NOTHING = -1, HANDLER_SCRATCH_BYTES = 4096 };

struct scripted_handler {
    uint32_t topic;
    bool boundaries;       /* Begin and Commit give a record as well */
    _Atomic int holds;     /* the kind of change that waits (EMIT_WAIT) */
    _Atomic int fails;     /* the kind of change that fails */
    _Atomic uint32_t held; /* how often EMIT_WAIT was answered */
    _Atomic bool changed;  /* a call after EMIT_WAIT came with other arguments */
    _Atomic uint32_t calls[CHANGE_KIND_COUNT]; /* that were not held */
    _Atomic size_t footprint_bytes;            /* of the list's arena, at most */
    _Atomic int64_t *time_ms;                  /* that goes on by call_ms with each row, or NULL */
    int64_t call_ms;

    bool waited; /* the pipeline's thread only, as the rest */
    struct txn held_txn;
    struct slice held_text;
    const struct relation *held_relation;
};

static inline struct slice handler_text_of(const struct change *change)
{
    if (change == NULL || change->kind != CHANGE_INSERT)
        return SLICE_NULL;
    return change->as.row.new.values[0].bytes;
}

static inline bool handler_same(const struct scripted_handler *self, const struct txn *txn,
                                struct slice text, const struct relation *relation)
{
    return self->held_txn.xid == txn->xid && self->held_txn.ordinal == txn->ordinal &&
           self->held_txn.final_lsn.value == txn->final_lsn.value &&
           slice_equal(self->held_text, text) && self->held_relation == relation;
}

/* The answer that the script has for this kind; EMIT_OK = go on. */
static inline enum emit handler_script(struct scripted_handler *self, enum change_kind kind,
                                       const struct txn *txn, struct slice text,
                                       const struct relation *relation, struct error *err)
{
    if (self->waited && !handler_same(self, txn, text, relation))
        atomic_store(&self->changed, true);
    self->waited = atomic_load(&self->holds) == (int)kind;
    if (self->waited) {
        self->held_txn = *txn;
        self->held_text = text;
        self->held_relation = relation;
        atomic_fetch_add(&self->held, 1);
        return EMIT_WAIT;
    }
    atomic_fetch_add(&self->calls[kind], 1);
    if (atomic_load(&self->fails) != (int)kind && !slice_is(text, "fail"))
        return EMIT_OK;
    (void)error_set(err, ERROR_HALT, "handler_says_no", "it cannot become a record");
    return EMIT_FAILED;
}

static inline void handler_add(const struct scripted_handler *self, const struct txn *txn,
                               struct slice value, struct record_list *list)
{
    char key[64];
    int size =
        snprintf(key, sizeof(key), "%" PRIu64 "/%" PRIu64, txn->final_lsn.value, txn->ordinal);
    struct record *record = record_list_add(list);
    record->topic = self->topic;
    record->key = arena_copy(list->arena, (struct slice){ key, (size_t)size });
    record->value = arena_copy(list->arena, value);
}

static inline void handler_split(const struct scripted_handler *self, const struct txn *txn,
                                 struct slice text, struct record_list *list)
{
    while (text.size > 0) {
        const char *comma = memchr(text.data, ',', text.size);
        size_t size = comma != NULL ? (size_t)(comma - text.data) : text.size;
        handler_add(self, txn, (struct slice){ text.data, size }, list);
        size_t skip = comma != NULL ? size + 1 : size;
        text = (struct slice){ text.data + skip, text.size - skip };
    }
}

/* As a callback does that looks at a row before it decides. */
static inline void handler_scratch(struct scripted_handler *self, struct record_list *list)
{
    (void)arena_alloc(list->arena, HANDLER_SCRATCH_BYTES);
    size_t bytes = arena_footprint(list->arena);
    if (bytes > atomic_load(&self->footprint_bytes))
        atomic_store(&self->footprint_bytes, bytes);
}

static inline enum emit handler_relation(void *self, struct relation *relation, struct error *err)
{
    static const struct txn none = { .xid = 0 };
    return handler_script(self, CHANGE_RELATION, &none, SLICE_NULL, relation, err);
}

static inline enum emit handler_begin(void *self, const struct txn *txn, struct record_list *list,
                                      struct error *err)
{
    const struct scripted_handler *handler = self;
    enum emit emit = handler_script(self, CHANGE_BEGIN, txn, SLICE_NULL, NULL, err);
    if (emit == EMIT_OK && handler->boundaries)
        handler_add(handler, txn, SLICE_TEXT("begin"), list);
    return emit;
}

static inline enum emit handler_change(void *self, const struct txn *txn,
                                       const struct change *change, struct record_list *list,
                                       struct error *err)
{
    struct slice text = handler_text_of(change);
    const struct scripted_handler *handler = self;
    if (handler->time_ms != NULL)
        atomic_fetch_add(handler->time_ms, handler->call_ms);
    enum emit emit = handler_script(self, change->kind, txn, text, change->relation, err);
    if (emit == EMIT_OK) {
        handler_scratch(self, list);
        handler_split(self, txn, text, list);
    }
    return emit;
}

static inline enum emit handler_commit(void *self, const struct txn *txn, struct record_list *list,
                                       struct error *err)
{
    const struct scripted_handler *handler = self;
    enum emit emit = handler_script(self, CHANGE_COMMIT, txn, SLICE_NULL, NULL, err);
    if (emit == EMIT_OK && handler->boundaries)
        handler_add(handler, txn, SLICE_TEXT("commit"), list);
    return emit;
}

static inline struct handler scripted_handler_init(struct scripted_handler *self)
{
    static const struct handler_ops ops = { .relation = handler_relation,
                                            .begin = handler_begin,
                                            .change = handler_change,
                                            .commit = handler_commit };
    *self = (struct scripted_handler){ .holds = HANDLER_NOTHING, .fails = HANDLER_NOTHING };
    return (struct handler){ &ops, self };
}

static inline uint32_t scripted_handler_calls(const struct scripted_handler *self,
                                              enum change_kind kind)
{
    return atomic_load(&self->calls[kind]);
}

#endif
