#include "kafka/responses.h"

#include "base/memory.h"

void responses_done(struct responses *responses)
{
    memory_free(responses->headers);
    *responses = (struct responses){ 0 };
}

static struct header *room_for(struct responses *responses, size_t count)
{
    if (count > responses->header_capacity) {
        responses->header_capacity = count * 2;
        responses->headers = memory_resize(responses->headers, responses->header_capacity *
                                                                   sizeof(*responses->headers));
    }
    return responses->headers;
}

static uint32_t read_headers(struct responses *responses, const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    const char *name = NULL;
    const void *value = NULL;
    size_t size = 0;
    uint32_t count = 0;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    while (rd_kafka_header_get_all(headers, count, &name, &value, &size) ==
           RD_KAFKA_RESP_ERR_NO_ERROR) {
        room_for(responses, count + 1U)[count] = (struct header){ name, { value, size } };
        count++;
    }
    return count;
}

void responses_tell(struct responses *responses, const rd_kafka_message_t *message,
                    const char *topic, const struct record_origin *origin, const struct error *err)
{
    uint32_t header_count = read_headers(responses, message); /* may move the headers */
    const struct response response = {
        .err = err,
        .topic = topic,
        .partition = message->partition >= 0 ? message->partition : -1,
        .offset = err == NULL && message->offset >= 0 ? message->offset : -1,
        .key = { message->key, message->key_len },
        .value = { message->payload, message->len },
        .headers = responses->headers,
        .header_count = header_count,
        .origin = *origin,
    };
    responses->tell(responses->self, &response);
}

void responses_refused(struct responses *responses, const struct record *record, const char *topic,
                       const struct error *err)
{
    const struct response response = {
        .err = err,
        .topic = topic,
        .partition = record->partition,
        .offset = -1,
        .key = record->key,
        .value = record->value,
        .headers = record->headers,
        .header_count = record->header_count,
        .origin = record->origin != NULL ? *record->origin : (struct record_origin){ 0 },
    };
    responses->tell(responses->self, &response);
}
