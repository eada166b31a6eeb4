#include "kafka/delivery.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "kafka/ticket_queue.h"

enum { TICKETS_MAX = 64 * 1024, WRITE_AT_BYTES = 64 * 1024 };
/* A line is at most six times as large as its record, which options keep below 1 GiB. */
static const size_t LINES_MAX_BYTES = (size_t)8 * 1024 * 1024 * 1024;

struct delivery_stdout {
    struct delivery delivery;
    struct ticket_queue queued; /* in lines or written; told only when nothing is left in lines */
    struct buf lines;
    size_t written_bytes; /* of lines */
    int fd;
    bool abandoned, lost, lost_told;
    bool cut_waits;
    uint64_t cut;
    struct error error;
};

static struct delivery_stdout *self_of(struct delivery *delivery)
{
    return (struct delivery_stdout *)delivery;
}

static bool stdout_topic(struct delivery *delivery, const char *name, uint32_t *out_topic,
                         struct error *err)
{
    return topic_table_add(&delivery->topics, name, out_topic, err);
}

/* Lines. */

static void append_character(struct buf *out, char byte, bool is_utf8)
{
    unsigned char code = (unsigned char)byte;
    if (byte == '"' || byte == '\\') {
        buf_append_byte(out, '\\');
        buf_append_byte(out, byte);
    } else if (code < 0x20) {
        buf_append_format(out, "\\u%04x", code);
    } else if (code >= 0x80 && !is_utf8) {
        buf_append_text(out, "\\ufffd");
    } else {
        buf_append_byte(out, byte);
    }
}

static void append_json_text(struct buf *out, struct slice text)
{
    if (text.data == NULL) {
        buf_append_text(out, "null");
        return;
    }
    bool is_utf8 = text_is_utf8(text);
    buf_append_byte(out, '"');
    for (size_t i = 0; i < text.size; i++)
        append_character(out, text.data[i], is_utf8);
    buf_append_byte(out, '"');
}

static void append_line(struct buf *out, const struct record *record, const char *topic)
{
    buf_append_text(out, "{\"topic\":");
    append_json_text(out, slice_of(topic));
    if (record->partition != RECORD_PARTITION_ANY)
        buf_append_format(out, ",\"partition\":%d", (int)record->partition);
    buf_append_text(out, ",\"key\":");
    append_json_text(out, record->key);
    buf_append_text(out, ",\"value\":");
    append_json_text(out, record->value);
    buf_append_text(out, ",\"headers\":{");
    for (uint32_t i = 0; i < record->header_count; i++) {
        buf_append_text(out, i == 0 ? "" : ",");
        append_json_text(out, slice_of(record->headers[i].name));
        buf_append_byte(out, ':');
        append_json_text(out, record->headers[i].value);
    }
    buf_append_text(out, "}}\n");
}

/* Writing. */

static void lose(struct delivery_stdout *sink, int cause)
{
    sink->lost = true;
    error_set(&sink->error, ERROR_HALT, "sink_failed", "the output cannot be written: %s",
              strerror(cause));
    error_advise(&sink->error, "%s",
                 cause == EPIPE ? "Its reader has ended."
                                : "Give it a file or a reader that takes it.");
    ticket_queue_wake(&sink->queued);
}

static void write_lines(struct delivery_stdout *sink)
{
    while (!sink->lost && sink->written_bytes < sink->lines.size) {
        ssize_t count = write(sink->fd, sink->lines.data + sink->written_bytes,
                              sink->lines.size - sink->written_bytes);
        if (count >= 0) {
            sink->written_bytes += (size_t)count;
        } else if (errno == EAGAIN) {
            struct pollfd wait = { .fd = sink->fd, .events = POLLOUT };
            (void)poll(&wait, 1, -1);
        } else if (errno != EINTR) {
            lose(sink, errno);
        }
    }
    if (sink->lost)
        return;
    buf_clear(&sink->lines);
    sink->written_bytes = 0;
    delivery_count_none_in_flight(&sink->delivery);
}

static enum delivery_send stdout_send(struct delivery *delivery, const struct record *record,
                                      ticket_t ticket, struct error *err)
{
    struct delivery_stdout *sink = self_of(delivery);
    CHECK(record->topic < delivery->topics.count);
    if (sink->abandoned || sink->lost) {
        error_set(err, ERROR_RECONNECT, "producer_gone", "the output was %s",
                  sink->lost ? "lost" : "abandoned");
        return DELIVERY_FAILED;
    }
    if (sink->cut_waits || !ticket_queue_push(&sink->queued, ticket))
        return DELIVERY_FULL;
    delivery_count_sent(delivery, record, delivery_record_cost(record));
    append_line(&sink->lines, record, topic_table_name(&delivery->topics, record->topic));
    CHECK(!sink->lines.failed);
    if (sink->lines.size >= WRITE_AT_BYTES)
        write_lines(sink);
    return DELIVERY_OK;
}

static void stdout_cut(struct delivery *delivery, uint64_t cut, struct slice progress UNUSED)
{
    struct delivery_stdout *sink = self_of(delivery);
    sink->cut_waits = true;
    sink->cut = cut;
    ticket_queue_wake(&sink->queued);
}

/* Events. */

static bool tell_lost(struct delivery_stdout *sink, struct delivery_event *out_event)
{
    if (sink->lost_told)
        return false;
    sink->lost_told = true;
    ticket_queue_clear(&sink->queued);
    *out_event = (struct delivery_event){ .kind = DELIVERY_LOST, .err = &sink->error };
    return true;
}

static bool stdout_next(struct delivery *delivery, struct delivery_event *out_event)
{
    struct delivery_stdout *sink = self_of(delivery);
    write_lines(sink);
    if (sink->lost && !sink->abandoned && tell_lost(sink, out_event))
        return true;
    ticket_t ticket;
    if (ticket_queue_pop(&sink->queued, &ticket)) {
        struct clock clock = clock_system();
        delivery_count_acked(delivery, clock_wall_us(&clock));
        *out_event = (struct delivery_event){ .kind = DELIVERY_ACKED, .ticket = ticket };
        return true;
    }
    if (!sink->cut_waits || sink->lost)
        return false;
    sink->cut_waits = false;
    *out_event = (struct delivery_event){ .kind = DELIVERY_CUT, .cut = sink->cut };
    return true;
}

static void forget(struct delivery_stdout *sink)
{
    ticket_queue_clear(&sink->queued);
    delivery_count_none_in_flight(&sink->delivery);
    sink->cut_waits = false;
}

/* What is a line already is written: half a line would spoil the next one. */
static void stdout_abandon(struct delivery *delivery)
{
    struct delivery_stdout *sink = self_of(delivery);
    forget(sink);
    sink->abandoned = true;
    write_lines(sink);
}

static bool stdout_rebuild(struct delivery *delivery, struct error *err UNUSED)
{
    struct delivery_stdout *sink = self_of(delivery);
    forget(sink);
    buf_clear(&sink->lines);
    sink->written_bytes = 0;
    sink->abandoned = sink->lost = sink->lost_told = false;
    return true;
}

static bool stdout_quiet(const struct delivery *delivery UNUSED)
{
    return true;
}

static int stdout_fd(const struct delivery *delivery)
{
    return ((const struct delivery_stdout *)delivery)->queued.wake_fd;
}

static void stdout_free(struct delivery *delivery)
{
    struct delivery_stdout *sink = self_of(delivery);
    ticket_queue_done(&sink->queued);
    buf_done(&sink->lines);
    topic_table_done(&delivery->topics);
    memory_free(sink);
}

static const struct delivery_ops stdout_ops = {
    .topic = stdout_topic,
    .send = stdout_send,
    .cut = stdout_cut,
    .next = stdout_next,
    .rebuild = stdout_rebuild,
    .abandon = stdout_abandon,
    .quiet = stdout_quiet,
    .fd = stdout_fd,
    .free = stdout_free,
};

struct delivery *delivery_stdout_new(int fd)
{
    struct delivery_stdout *sink = memory_alloc(sizeof *sink);
    sink->delivery.ops = &stdout_ops;
    sink->queued = ticket_queue_init(TICKETS_MAX);
    sink->lines = buf_init(LINES_MAX_BYTES);
    sink->fd = fd;
    atomic_store(&sink->delivery.stats.brokers_up, 1);
    return &sink->delivery;
}
