/* A program's or a plug-in's functions as a handler, around the built-in one: relations go to that,
 * so that routes and keys are known, and the callback may ask for its records. Implements
 * include/pqcdc/pqcdc.h. */
#ifndef CONNECTOR_HANDLER_CALLBACK_H
#define CONNECTOR_HANDLER_CALLBACK_H

#include <stdarg.h>

#include "base/clock.h"
#include "base/log.h"
#include "connector/handler.h"
#include "connector/status.h"
#include "kafka/delivery.h"
#include "pqcdc/pqcdc.h"

struct handler_callback_options {
    pqcdc_handler *handle; /* NULL: the records are the built-in handler's */
    void *handle_self;
    bool answered;             /* somebody asks what became of records: they say their origin */
    uint64_t max_record_bytes; /* of a row as JSON */
    struct handler builtin;    /* owned from now on */
    struct delivery *delivery; /* not owned, as below */
    struct status *status;
    struct log *log;
    struct clock clock;
};

struct handler handler_callback_new(const struct handler_callback_options *options);

/* The emitter's calls, behind the functions of pqcdc.h. */
bool handler_callback_emit(struct pqcdc_emitter *emitter, const struct pqcdc_record *record);
bool handler_callback_emit_default(struct pqcdc_emitter *emitter);
bool handler_callback_fail(struct pqcdc_emitter *emitter, const char *format, va_list values)
    PRINTF_LIKE(2, 0);
void *handler_callback_alloc(struct pqcdc_emitter *emitter, size_t size);
bool handler_callback_row_json(struct pqcdc_emitter *emitter, enum pqcdc_row row,
                               const struct pqcdc_member *members, size_t member_count,
                               struct pqcdc_text *out_json);

#endif
