/* Any bytes as one CopyData message: what is taken has exactly the layout of the protocol, and
 * nothing else is refused. */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "fuzz/messages.h"
#include "postgres/wal_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DATA_HEAD_BYTES = 25, KEEPALIVE_BYTES = 18 };

static uint64_t number_at(const uint8_t *bytes)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | bytes[i];
    return number;
}

static void check_data(const struct wal_message *message, const char *exact, const uint8_t *data,
                       size_t size)
{
    CHECK(message->kind == WAL_DATA);
    CHECK(message->start.value == number_at(data + 1));
    CHECK(message->server_end.value == number_at(data + 9));
    CHECK((uint64_t)message->sent_at.value == number_at(data + 17));
    CHECK(!message->reply_asked);
    CHECK(message->payload.data == exact + DATA_HEAD_BYTES);
    CHECK(message->payload.size == size - DATA_HEAD_BYTES);
}

static void check_keepalive(const struct wal_message *message, const uint8_t *data)
{
    CHECK(message->kind == WAL_KEEPALIVE);
    CHECK(lsn_is_none(message->start) && message->payload.size == 0);
    CHECK(message->server_end.value == number_at(data + 1));
    CHECK((uint64_t)message->sent_at.value == number_at(data + 9));
    CHECK(message->reply_asked == (data[17] != 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *exact = messages_exact((struct slice){ (const char *)data, size });
    struct wal_message message = { .start = { 77 } };
    bool taken = wal_message_read((struct slice){ exact, size }, &message);
    bool is_data = size >= DATA_HEAD_BYTES && data[0] == 'w';
    bool is_keepalive = size == KEEPALIVE_BYTES && data[0] == 'k';
    CHECK(taken == (is_data || is_keepalive));
    if (is_data)
        check_data(&message, exact, data, size);
    else if (is_keepalive)
        check_keepalive(&message, data);
    else
        CHECK(message.start.value == 77);
    memory_free(exact);
    return 0;
}
