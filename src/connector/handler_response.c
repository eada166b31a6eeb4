#include "connector/handler_response.h"

#include "base/memory.h"

void handler_response_done(struct handler_response *response)
{
    memory_free(response->headers);
    *response = (struct handler_response){ 0 };
}

static struct pqcdc_text text_of(struct slice slice)
{
    return (struct pqcdc_text){ slice.data, slice.size };
}

static const struct pqcdc_header *headers_of(struct handler_response *self,
                                             const struct response *response)
{
    if (response->header_count > self->header_capacity) {
        self->header_capacity = response->header_count;
        self->headers =
            memory_resize(self->headers, self->header_capacity * sizeof(*self->headers));
    }
    for (uint32_t i = 0; i < response->header_count; i++)
        self->headers[i] =
            (struct pqcdc_header){ response->headers[i].name, text_of(response->headers[i].value) };
    return self->headers;
}

void handler_response_tell(void *self, const struct response *response)
{
    struct handler_response *to = self;
    const struct pqcdc_header *headers = headers_of(to, response);
    const struct pqcdc_response said = {
        .delivered = response->err == NULL,
        .topic = response->topic,
        .partition = response->partition,
        .offset = response->offset,
        .key = text_of(response->key),
        .value = text_of(response->value),
        .headers = headers,
        .header_count = response->header_count,
        .commit_lsn = response->origin.commit_lsn,
        .ordinal = response->origin.ordinal,
        .xid = response->origin.xid,
        .error_code = response->err != NULL ? response->err->code : NULL,
        .error_text = response->err != NULL ? response->err->text : NULL,
    };
    mono_ms_t began = slow_notice_begin(&to->slow);
    to->respond(to->respond_self, &said);
    slow_notice_end(&to->slow, began);
}
