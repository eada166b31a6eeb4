#include "kafka/delivery.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "kafka/ticket_queue.h"

enum {
    TICKETS_MAX = 64 * 1024,
    WRITE_AT_BYTES = 64 * 1024,
    LINES_WAITING_MAX_BYTES = 1024 * 1024, /* then the line waits for the reader */
};
/* A line is at most six times as large as its record, which options keep below 1 GiB. */
static const size_t LINES_MAX_BYTES = (size_t)8 * 1024 * 1024 * 1024;

struct delivery_stdout {
    struct delivery delivery;
    struct ticket_queue queued; /* in lines or written; told only when nothing is left in lines */
    struct buf lines;
    size_t written_bytes; /* of lines */
    int fd, epoll_fd;
    bool is_file;
    bool awaited; /* the output shall say when it takes more */
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

/* What a pipe with any room takes without waiting; a file takes everything. */
static size_t chunk_bytes(const struct delivery_stdout *sink)
{
    size_t left = sink->lines.size - sink->written_bytes;
    return sink->is_file || left < PIPE_BUF ? left : PIPE_BUF;
}

static bool takes_more(const struct delivery_stdout *sink)
{
    struct pollfd output = { .fd = sink->fd, .events = POLLOUT };
    return sink->is_file || (poll(&output, 1, 0) == 1 && output.revents != 0);
}

static void poll_for(const struct delivery_stdout *sink, int fd, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.fd = fd };
    CHECK(epoll_ctl(sink->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0);
}

/* While lines wait nothing can be told: the descriptor of this delivery is readable once the output
 * takes more, and only then. */
static void await_output(struct delivery_stdout *sink, bool awaited)
{
    if (sink->is_file || sink->lost || sink->awaited == awaited)
        return;
    poll_for(sink, sink->fd, awaited ? EPOLLOUT : 0);
    poll_for(sink, sink->queued.wake_fd, awaited ? 0 : EPOLLIN);
    sink->awaited = awaited;
}

static bool has_lines(const struct delivery_stdout *sink)
{
    return sink->written_bytes < sink->lines.size;
}

/* Else a reader that has ended would make the delivery's descriptor readable for ever. */
static void watch_output(const struct delivery_stdout *sink, bool watched)
{
    struct epoll_event nothing = { .events = 0, .data.fd = sink->fd };
    (void)epoll_ctl(sink->epoll_fd, watched ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, sink->fd, &nothing);
}

static void lose(struct delivery_stdout *sink, int cause)
{
    await_output(sink, false);
    sink->lost = true;
    watch_output(sink, false);
    error_set(&sink->error, ERROR_HALT, "sink_failed", "the output cannot be written: %s",
              strerror(cause));
    error_advise(&sink->error, "%s",
                 cause == EPIPE ? "Its reader has ended."
                                : "Give it a file or a reader that takes it.");
    ticket_queue_wake(&sink->queued);
}

static void look_at_reader(struct delivery_stdout *sink)
{
    struct pollfd output = { .fd = sink->fd };
    if (!sink->is_file && !sink->lost && poll(&output, 1, 0) == 1)
        lose(sink, EPIPE);
}

/* As many as the output takes now. */
static void write_lines(struct delivery_stdout *sink)
{
    while (!sink->lost && has_lines(sink) && takes_more(sink)) {
        ssize_t count = write(sink->fd, sink->lines.data + sink->written_bytes, chunk_bytes(sink));
        if (count >= 0)
            sink->written_bytes += (size_t)count;
        else if (errno != EINTR && errno != EAGAIN)
            lose(sink, errno);
    }
    await_output(sink, !sink->lost && has_lines(sink));
    if (sink->lost || has_lines(sink))
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
    if (sink->cut_waits || sink->lines.size - sink->written_bytes >= LINES_WAITING_MAX_BYTES ||
        !ticket_queue_push(&sink->queued, ticket))
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
    look_at_reader(sink);
    if (sink->lost && !sink->abandoned && tell_lost(sink, out_event))
        return true;
    ticket_t ticket;
    if (!has_lines(sink) && ticket_queue_pop(&sink->queued, &ticket)) {
        struct clock clock = clock_system();
        delivery_count_acked(delivery, clock_wall_us(&clock));
        *out_event = (struct delivery_event){ .kind = DELIVERY_ACKED, .ticket = ticket };
        return true;
    }
    if (!sink->cut_waits || sink->lost || has_lines(sink))
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

/* Half a line would spoil the next one: its rest is written, whatever becomes of those behind it.
 */
static void keep_half_a_line(struct delivery_stdout *sink)
{
    if (!has_lines(sink) || sink->written_bytes == 0 ||
        sink->lines.data[sink->written_bytes - 1] == '\n') {
        buf_clear(&sink->lines);
        sink->written_bytes = 0;
        return;
    }
    const char *rest = sink->lines.data + sink->written_bytes;
    const char *end = memchr(rest, '\n', sink->lines.size - sink->written_bytes);
    CHECK(end != NULL);
    sink->lines.size = (size_t)(end + 1 - sink->lines.data);
}

static void stdout_abandon(struct delivery *delivery)
{
    struct delivery_stdout *sink = self_of(delivery);
    write_lines(sink);
    forget(sink);
    sink->abandoned = true;
    keep_half_a_line(sink);
    await_output(sink, has_lines(sink) && !sink->lost);
}

static bool stdout_rebuild(struct delivery *delivery, struct error *err UNUSED)
{
    struct delivery_stdout *sink = self_of(delivery);
    forget(sink);
    keep_half_a_line(sink);
    if (sink->lost)
        watch_output(sink, true);
    sink->abandoned = sink->lost = sink->lost_told = false;
    return true;
}

static bool stdout_quiet(const struct delivery *delivery UNUSED)
{
    return true;
}

static int stdout_fd(const struct delivery *delivery)
{
    return ((const struct delivery_stdout *)delivery)->epoll_fd;
}

static void stdout_free(struct delivery *delivery)
{
    struct delivery_stdout *sink = self_of(delivery);
    (void)close(sink->epoll_fd);
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

/* Readable when something is to be told, and when the output takes what waits for it. */
static void make_epoll(struct delivery_stdout *sink)
{
    struct epoll_event wake = { .events = EPOLLIN, .data.fd = sink->queued.wake_fd };
    struct epoll_event output = { .events = 0, .data.fd = sink->fd };
    sink->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    CHECK(sink->epoll_fd >= 0);
    CHECK(epoll_ctl(sink->epoll_fd, EPOLL_CTL_ADD, sink->queued.wake_fd, &wake) == 0);
    /* EPERM: a regular file, which never lets anybody wait. */
    sink->is_file = epoll_ctl(sink->epoll_fd, EPOLL_CTL_ADD, sink->fd, &output) != 0;
}

struct delivery *delivery_stdout_new(int fd)
{
    struct delivery_stdout *sink = memory_alloc(sizeof *sink);
    sink->delivery.ops = &stdout_ops;
    sink->queued = ticket_queue_init(TICKETS_MAX);
    sink->lines = buf_init(LINES_MAX_BYTES);
    sink->fd = fd;
    make_epoll(sink);
    atomic_store(&sink->delivery.stats.brokers_up, 1);
    return &sink->delivery;
}
