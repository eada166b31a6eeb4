/* message   = 'w' data | 'k' keepalive
 * data      = start:8 server_end:8 time:8 payload
 * keepalive = server_end:8 time:8 reply_asked:1 */
#include "postgres/wal_message.h"

#include "base/reader.h"

static struct wal_message read_data(struct reader *reader)
{
    struct wal_message message = { .kind = WAL_DATA };
    message.start.value = reader_u64(reader);
    message.server_end.value = reader_u64(reader);
    message.sent_at.value = (int64_t)reader_u64(reader);
    message.payload = reader_bytes(reader, reader_left(reader));
    return message;
}

static struct wal_message read_keepalive(struct reader *reader)
{
    struct wal_message message = { .kind = WAL_KEEPALIVE };
    message.server_end.value = reader_u64(reader);
    message.sent_at.value = (int64_t)reader_u64(reader);
    message.reply_asked = reader_u8(reader) != 0;
    return message;
}

bool wal_message_read(struct slice copy_data, struct wal_message *out_message)
{
    struct reader reader = reader_init(copy_data);
    struct wal_message message;
    switch (reader_u8(&reader)) {
    case 'w':
        message = read_data(&reader);
        break;
    case 'k':
        message = read_keepalive(&reader);
        break;
    default:
        return false;
    }
    if (!reader_complete(&reader))
        return false;
    *out_message = message;
    return true;
}
