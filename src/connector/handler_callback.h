/* A C program's callback as a handler, around the built-in one: relations go to that, so that
 * routes and keys are known, and the callback may ask for its records. Implements
 * include/pqcdc/pqcdc.h. */
#ifndef CONNECTOR_HANDLER_CALLBACK_H
#define CONNECTOR_HANDLER_CALLBACK_H

#include "connector/handler.h"
#include "kafka/delivery.h"
#include "pqcdc/pqcdc.h"

/* Owns `builtin`. */
struct handler handler_callback_new(pqcdc_handler *callback, void *callback_self,
                                    struct handler builtin, struct delivery *delivery);

/* The emitter's two calls, behind pqcdc_emit() and pqcdc_emit_default(). */
bool handler_callback_emit(struct pqcdc_emitter *emitter, const struct pqcdc_record *record);
bool handler_callback_emit_default(struct pqcdc_emitter *emitter);

#endif
