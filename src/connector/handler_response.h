/* What became of a record, told to a program's or a plug-in's responder. Pipeline's thread.
 * Implements include/pqcdc/pqcdc.h. */
#ifndef CONNECTOR_HANDLER_RESPONSE_H
#define CONNECTOR_HANDLER_RESPONSE_H

#include "connector/slow_notice.h"
#include "kafka/response.h"
#include "pqcdc/pqcdc.h"

struct handler_response {
    pqcdc_responder *respond;
    void *respond_self;
    struct slow_notice slow;
    struct pqcdc_header *headers; /* of the response in hand */
    uint32_t header_capacity;
};

void handler_response_done(struct handler_response *response);

/* A response_fn; self is a struct handler_response. */
void handler_response_tell(void *self, const struct response *response);

#endif
