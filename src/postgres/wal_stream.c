#include "postgres/wal_stream.h"

#include <endian.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/text.h"
#include "postgres/read_pace.h"

/* CopyData to the server: 'r' written(8) flushed(8) applied(8) time(8) reply requested(1); what
 * comes from it: wal_message.c. */
enum {
    STATUS_BYTES = 34,
    REPLY_EVERY_MS = 10,
    RISE_EVERY_MS = 100,
    TURN_EVERY_MS = 500,
    COMMAND_LIMIT_BYTES = 16384,
    TLS_READS = 3,
    FIRST_PAUSE_MS = 10,
    PAUSE_GROWTH = 4,
    NS_PER_US = 1000,
};

struct wal_stream {
    struct db_conn *conn;
    struct clock clock;
    int64_t status_interval_ms;
    char *doing;     /* for error texts */
    char *copy_data; /* libpq's copy of the last message; its payload is a view of it */
    uint64_t payload_bytes;
    uint64_t messages;
    struct read_pace pace;
    lsn_t confirmed; /* what may be told */
    lsn_t told;
    mono_ms_t told_at;
    bool reply_asked;
    bool unsent; /* libpq holds bytes that the socket did not take */
    bool ended;  /* the copy is over on one of the sides: no more status */
};

/* In a replication command a literal knows no escapes but the doubled quote (repl_scanner.l): what
 * PQescapeLiteral() makes of a backslash would be a syntax error there. */
static void append_literal(struct buf *command, const char *text)
{
    buf_append_byte(command, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            buf_append_byte(command, '\'');
        buf_append_byte(command, *text);
    }
    buf_append_byte(command, '\'');
}

static bool build_command(const struct wal_stream_options *options, struct db_conn *conn,
                          lsn_t from, struct buf *command, struct error *err)
{
    AUTO(char *, memory_free_p) slot = NULL;
    AUTO(char *, memory_free_p) publication = NULL;
    if (!db_conn_identifier(conn, options->slot, &slot, err) ||
        !db_conn_identifier(conn, options->publication, &publication, err))
        return false;
    buf_append_format(command, "START_REPLICATION SLOT %s LOGICAL %s (proto_version '1'", slot,
                      lsn_text(from).text);
    buf_append_text(command, ", publication_names ");
    append_literal(command, publication);
    if (options->messages)
        buf_append_text(command, ", messages 'true'");
    buf_append_text(command, ")");
    if (command->failed)
        return error_set(err, ERROR_CONFIG, "name_too_long",
                         "the names of slot and publication are longer than %d bytes together",
                         COMMAND_LIMIT_BYTES);
    return true;
}

static bool wait_for_socket(struct db_conn *conn, short events, const char *doing,
                            struct error *err)
{
    const struct interrupt *interrupt = &conn->interrupt;
    for (;;) {
        struct pollfd fds[] = { { .fd = PQsocket(conn->pg), .events = events },
                                { .fd = interrupt->stop_fd, .events = POLLIN } };
        int ready = poll(fds, COUNT_OF(fds), TURN_EVERY_MS);
        if (interrupt->turn != NULL)
            interrupt->turn(interrupt->self);
        if (ready > 0 && fds[1].revents != 0)
            return error_set(err, ERROR_STOPPED, "stopped", "%s: stopped while waiting", doing);
        if (ready > 0)
            return true;
    }
}

/* Until PQgetResult() does not block. */
static bool wait_for_result(struct db_conn *conn, const char *doing, struct error *err)
{
    for (;;) {
        int unsent = PQflush(conn->pg);
        if (unsent < 0)
            return db_conn_error(conn, NULL, doing, err);
        if (unsent == 0 && PQisBusy(conn->pg) == 0)
            return true;
        if (!wait_for_socket(conn, (short)(unsent > 0 ? POLLIN | POLLOUT : POLLIN), doing, err))
            return false;
        if (PQconsumeInput(conn->pg) != 1)
            return db_conn_error(conn, NULL, doing, err);
    }
}

/* The server refused: its ReadyForQuery is read as well, so that the connection can be used. */
static bool refused(struct db_conn *conn, const PGresult *result, const char *doing,
                    struct error *err)
{
    (void)db_conn_error(conn, result, doing, err);
    for (;;) {
        struct error ignored = ERROR_INIT;
        if (!wait_for_result(conn, doing, &ignored))
            return false;
        AUTO(PGresult *, db_conn_clear_p) rest = PQgetResult(conn->pg);
        if (rest == NULL)
            return false;
    }
}

static bool start_copy(struct db_conn *conn, const char *command, const char *doing,
                       struct error *err)
{
    if (PQsendQuery(conn->pg, command) != 1)
        return db_conn_error(conn, NULL, doing, err);
    if (!wait_for_result(conn, doing, err))
        return false;
    AUTO(PGresult *, db_conn_clear_p) result = PQgetResult(conn->pg);
    return PQresultStatus(result) == PGRES_COPY_BOTH || refused(conn, result, doing, err);
}

static int enough_bytes(const struct db_conn *conn)
{
    struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
    socklen_t size = sizeof(address);
    bool known = getsockname(PQsocket(conn->pg), (struct sockaddr *)&address, &size) == 0;
    return known && address.ss_family == AF_UNIX ? READ_PACE_ENOUGH_UNIX_BYTES
                                                 : READ_PACE_ENOUGH_BYTES;
}

bool wal_stream_start(const struct wal_stream_options *options, struct db_conn *conn, lsn_t from,
                      struct wal_stream **out_stream, struct error *err)
{
    CHECK(options->status_interval_ms > 0 && PQisnonblocking(conn->pg) != 0);
    AUTO(struct buf, buf_done) command = buf_init(COMMAND_LIMIT_BYTES);
    AUTO(char *, memory_free_p) doing =
        text_format("stream from replication slot \"%s\"", options->slot);
    if (!build_command(options, conn, from, &command, err))
        return false;
    if (!start_copy(conn, buf_text(&command), doing, err))
        return false;
    struct wal_stream *stream = memory_alloc(sizeof(*stream));
    *stream = (struct wal_stream){
        .conn = conn,
        .clock = options->clock,
        .status_interval_ms = options->status_interval_ms,
        .doing = TAKE(doing),
        .pace = { .enough_bytes = enough_bytes(conn) },
        .told_at = clock_now(&options->clock),
    };
    *out_stream = stream;
    return true;
}

static bool stream_error(const struct wal_stream *stream, struct error *err)
{
    return db_conn_error(stream->conn, NULL, stream->doing, err);
}

/* Only a server that ends the copy by itself, without an error, is END. */
static enum wal_next copy_ended(struct wal_stream *stream, struct error *err)
{
    stream->ended = true;
    AUTO(PGresult *, db_conn_clear_p) result = PQgetResult(stream->conn->pg);
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_COPY_IN)
        return WAL_NEXT_END;
    (void)db_conn_error(stream->conn, result, stream->doing, err);
    return WAL_NEXT_FAILED;
}

static enum wal_next undecodable(const struct wal_stream *stream, struct slice bytes,
                                 struct error *err)
{
    (void)error_set(err, ERROR_HALT, "undecodable",
                    "%s: a CopyData message of type 0x%02x with %zu bytes is not what the "
                    "replication protocol says",
                    stream->doing, (unsigned)(unsigned char)bytes.data[0], bytes.size);
    (void)error_advise(err, "check that host and port are PostgreSQL itself and that its version "
                            "is supported");
    return WAL_NEXT_FAILED;
}

static enum wal_next read_message(struct wal_stream *stream, struct slice bytes,
                                  struct wal_message *out_message, struct error *err)
{
    if (!wal_message_read(bytes, out_message))
        return undecodable(stream, bytes, err);
    stream->reply_asked = stream->reply_asked || out_message->reply_asked;
    stream->payload_bytes += out_message->payload.size;
    stream->messages++;
    return WAL_NEXT_MESSAGE;
}

static void drop_copy_data(struct wal_stream *stream)
{
    PQfreemem(stream->copy_data);
    stream->copy_data = NULL;
}

enum wal_next wal_stream_next(struct wal_stream *stream, struct wal_message *out_message,
                              struct error *err)
{
    drop_copy_data(stream);
    int size = PQgetCopyData(stream->conn->pg, &stream->copy_data, 1);
    if (LIKELY(size > 0))
        return read_message(stream, (struct slice){ stream->copy_data, (size_t)size }, out_message,
                            err);
    if (size == 0)
        return WAL_NEXT_EMPTY;
    if (size == -1)
        return copy_ended(stream, err);
    stream->ended = true;
    (void)stream_error(stream, err);
    return WAL_NEXT_FAILED;
}

/* What the kernel holds for us. */
static int waiting_bytes(const struct wal_stream *stream)
{
    int bytes = 0;
    return ioctl(PQsocket(stream->conn->pg), FIONREAD, &bytes) == 0 ? bytes : 0;
}

/* A TLS record (16 KiB) can be larger than the room in libpq's buffer (at least 8 KiB), and what
 * OpenSSL keeps of it does not make the socket readable: read on until the kernel has more (then
 * poll() says so) or nothing can be left. A failure comes again at the next fill, after what was
 * read before it. */
static void drain_tls(struct wal_stream *stream)
{
    for (int reads = 1; reads < TLS_READS; reads++)
        if (waiting_bytes(stream) > 0 || PQconsumeInput(stream->conn->pg) != 1)
            return;
}

static bool read_socket(struct wal_stream *stream, struct error *err)
{
    if (PQconsumeInput(stream->conn->pg) != 1)
        return stream_error(stream, err);
    if (PQsslInUse(stream->conn->pg) != 0)
        drain_tls(stream);
    return true;
}

/* An interrupted pause is a shorter one. */
static void pause_before_read(struct wal_stream *stream)
{
    int32_t pause_us = read_pace_us(&stream->pace, waiting_bytes(stream), stream->messages,
                                    clock_now(&stream->clock));
    struct timespec pause = { .tv_nsec = (long)pause_us * NS_PER_US };
    if (pause_us > 0)
        (void)nanosleep(&pause, NULL);
}

bool wal_stream_fill(struct wal_stream *stream, struct error *err)
{
    pause_before_read(stream);
    return read_socket(stream, err);
}

int wal_stream_fd(const struct wal_stream *stream)
{
    return PQsocket(stream->conn->pg);
}

bool wal_stream_wants_write(const struct wal_stream *stream)
{
    return stream->unsent;
}

uint64_t wal_stream_bytes(const struct wal_stream *stream)
{
    return stream->payload_bytes;
}

void wal_stream_confirm(struct wal_stream *stream, lsn_t confirmed)
{
    stream->confirmed = lsn_max(stream->confirmed, confirmed);
}

lsn_t wal_stream_confirmed(const struct wal_stream *stream)
{
    return stream->told;
}

static bool flush(struct wal_stream *stream, struct error *err)
{
    int unsent = PQflush(stream->conn->pg);
    stream->unsent = unsent > 0;
    return unsent >= 0 || stream_error(stream, err);
}

static size_t put_u64(char *message, size_t at, uint64_t value)
{
    uint64_t wire = htobe64(value);
    memcpy(message + at, &wire, sizeof(wire));
    return at + sizeof(wire);
}

static bool put_status(struct wal_stream *stream, struct error *err)
{
    server_time_t clock = server_time_from_unix_us(clock_wall_us(&stream->clock));
    char message[STATUS_BYTES] = { 'r' };
    size_t size = 1;
    size = put_u64(message, size, stream->confirmed.value);
    size = put_u64(message, size, stream->confirmed.value);
    size = put_u64(message, size, stream->confirmed.value);
    size = put_u64(message, size, (uint64_t)clock.value);
    message[size++] = 0;
    if (PQputCopyData(stream->conn->pg, message, (int)size) != 1)
        return stream_error(stream, err);
    stream->told = stream->confirmed;
    stream->told_at = clock_now(&stream->clock);
    stream->reply_asked = false;
    return true;
}

static mono_ms_t status_due(const struct wal_stream *stream)
{
    int64_t wait_ms = stream->status_interval_ms;
    if (lsn_compare(stream->confirmed, stream->told) > 0 && wait_ms > RISE_EVERY_MS)
        wait_ms = RISE_EVERY_MS;
    if (stream->reply_asked && wait_ms > REPLY_EVERY_MS)
        wait_ms = REPLY_EVERY_MS;
    return mono_ms_add(stream->told_at, wait_ms);
}

bool wal_stream_tick(struct wal_stream *stream, mono_ms_t *out_next, struct error *err)
{
    mono_ms_t now = clock_now(&stream->clock);
    *out_next = mono_ms_add(now, stream->status_interval_ms);
    if (stream->ended)
        return true;
    if (stream->unsent && !flush(stream, err))
        return false;
    /* A server that does not read gets no second status: the socket wakes us when it does. */
    if (stream->unsent)
        return true;
    if (!mono_ms_before(now, status_due(stream)) &&
        (!put_status(stream, err) || !flush(stream, err)))
        return false;
    if (!stream->unsent)
        *out_next = status_due(stream);
    return true;
}

/* What PQgetCopyData() says once nothing whole is left: 0, or negative at the end. */
static int discard(struct wal_stream *stream, bool *out_any)
{
    *out_any = false;
    for (;;) {
        drop_copy_data(stream);
        int size = PQgetCopyData(stream->conn->pg, &stream->copy_data, 1);
        if (size <= 0)
            return size;
        *out_any = true;
    }
}

/* After the server's CopyDone the rest of the transaction may follow, so a result that is there
 * already is what ended the copy instead: an error, or the end of a server that shuts down. */
static bool server_is_done(struct wal_stream *stream, struct error *err)
{
    if (PQisBusy(stream->conn->pg) != 0)
        return true;
    AUTO(PGresult *, db_conn_clear_p) result = PQgetResult(stream->conn->pg);
    return PQresultStatus(result) == PGRES_COMMAND_OK ||
           db_conn_error(stream->conn, result, stream->doing, err);
}

/* In the middle of a transaction a walsender looks at what we sent only when its socket is full
 * (WalSndWriteData()): who reads as fast as it writes gets the whole transaction before CopyDone.
 * So whenever we caught up, we leave the socket alone, each time for longer. */
static void let_socket_fill(int64_t left_ms, int64_t *in_out_pause_ms)
{
    int64_t pause_ms = *in_out_pause_ms < left_ms / 2 ? *in_out_pause_ms : left_ms / 2;
    (void)poll(NULL, 0, (int)pause_ms);
    *in_out_pause_ms *= PAUSE_GROWTH;
}

ON_PIPELINE_THREAD static bool wait_for_end(struct wal_stream *stream, int64_t left_ms,
                                            struct error *err)
{
    struct pollfd fd = { .fd = PQsocket(stream->conn->pg), .events = POLLIN };
    if (stream->unsent)
        fd.events |= POLLOUT;
    int wait_ms = left_ms < TURN_EVERY_MS ? (int)left_ms : TURN_EVERY_MS;
    return poll(&fd, 1, wait_ms) <= 0 || read_socket(stream, err);
}

/* Until the server's CopyDone. */
ON_PIPELINE_THREAD static bool drain(struct wal_stream *stream, mono_ms_t limit, struct error *err)
{
    int64_t pause_ms = FIRST_PAUSE_MS;
    for (;;) {
        bool any;
        if (!flush(stream, err))
            return false;
        int size = discard(stream, &any);
        if (size == -1)
            return server_is_done(stream, err);
        if (size < 0)
            return stream_error(stream, err);
        int64_t left_ms = mono_ms_since(limit, clock_now(&stream->clock));
        if (left_ms <= 0)
            return error_set(err, ERROR_RECONNECT, "finish_timeout",
                             "%s: the server did not end the stream in time", stream->doing);
        if (any && !stream->unsent && waiting_bytes(stream) == 0)
            let_socket_fill(left_ms, &pause_ms);
        if (!wait_for_end(stream, left_ms, err))
            return false;
    }
}

/* The stop descriptor is not asked: it is readable already when a stream is finished. */
bool wal_stream_finish(struct wal_stream *stream, int64_t limit_ms, struct error *err)
{
    mono_ms_t limit = mono_ms_add(clock_now(&stream->clock), limit_ms);
    if (stream->ended)
        return error_set(err, ERROR_RECONNECT, "copy_ended", "%s: the stream had ended already",
                         stream->doing);
    if (!put_status(stream, err))
        return false;
    if (PQputCopyEnd(stream->conn->pg, NULL) != 1)
        return stream_error(stream, err);
    stream->ended = true;
    return drain(stream, limit, err);
}

void wal_stream_close(struct wal_stream *stream)
{
    if (stream == NULL)
        return;
    drop_copy_data(stream);
    db_conn_close(stream->conn);
    memory_free(stream->doing);
    memory_free(stream);
}
