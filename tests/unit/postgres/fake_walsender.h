/* A scripted walsender. The script (fake_postgres.h) goes up to a START_REPLICATION that is
 * granted; then the test itself is the server: fake_walsender_send_*() and
 * fake_walsender_receive(). Client and server share the test's thread from there on, so the order
 * of events is the test's own. */
#ifndef TESTS_UNIT_POSTGRES_FAKE_WALSENDER_H
#define TESTS_UNIT_POSTGRES_FAKE_WALSENDER_H

#include "unit/postgres/fake_postgres.h"

#include <netinet/tcp.h>

enum { FAKE_COPY_MAX_BYTES = 64 * 1024 * 1024 };

struct fake_walsender {
    struct fake_postgres server;
    pthread_t thread;
    bool greeting; /* the threads run */
};

static inline void fake_walsender_send(struct fake_walsender *fake, char type, const void *body,
                                       size_t size)
{
    AUTO(struct buf, buf_done) message = buf_init(FAKE_COPY_MAX_BYTES);
    buf_append_byte(&message, type);
    fake_put_u32(&message, (uint32_t)size + 4);
    buf_append(&message, body, size);
    (void)fake_write(&fake->server, &message);
}

static inline void fake_walsender_send_error(struct fake_walsender *fake, const char *severity,
                                             const char *text)
{
    AUTO(struct buf, buf_done) message = buf_init(FAKE_MESSAGE_MAX_BYTES);
    fake_put_error(&message, severity, text);
    (void)fake_write(&fake->server, &message);
}

/* CopyBothResponse when the script is played. */
static inline void *fake_walsender_main(void *self)
{
    struct fake_walsender *fake = self;
    CHECK(pthread_join(fake->server.thread, NULL) == 0);
    if (fake->server.fd >= 0)
        fake_walsender_send(fake, 'W', "\0\0\0", 3);
    return NULL;
}

/* receive_buffer_bytes: 0 = the system's. */
static inline void fake_walsender_begin(struct fake_walsender *fake, const struct fake_step *script,
                                        int receive_buffer_bytes)
{
    int small = receive_buffer_bytes, on = 1;
    fake_postgres_begin(&fake->server, script);
    /* Accepted sockets inherit both. */
    CHECK(setsockopt(fake->server.listen_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
    if (small > 0)
        CHECK(setsockopt(fake->server.listen_fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)) ==
              0);
    fake->greeting = true;
    CHECK(pthread_create(&fake->thread, NULL, fake_walsender_main, fake) == 0);
}

/* From here on the calling thread is the server. */
static inline void fake_walsender_take_over(struct fake_walsender *fake)
{
    if (!fake->greeting)
        return;
    CHECK(pthread_join(fake->thread, NULL) == 0);
    fake->greeting = false;
    assert_string_equal(fake->server.problem, "");
}

static inline void fake_walsender_cut(struct fake_walsender *fake)
{
    fake_walsender_take_over(fake);
    if (fake->server.fd >= 0)
        fake_cut(&fake->server);
}

static inline void fake_walsender_end(struct fake_walsender *fake)
{
    fake_walsender_cut(fake);
    (void)close(fake->server.listen_fd);
}

static inline void fake_put_u64(struct buf *out, uint64_t value)
{
    fake_put_u32(out, (uint32_t)(value >> 32));
    fake_put_u32(out, (uint32_t)value);
}

static inline void fake_walsender_send_data(struct fake_walsender *fake, uint64_t start,
                                            uint64_t end, int64_t sent_at, const void *payload,
                                            size_t size)
{
    AUTO(struct buf, buf_done) body = buf_init(FAKE_COPY_MAX_BYTES);
    buf_append_byte(&body, 'w');
    fake_put_u64(&body, start);
    fake_put_u64(&body, end);
    fake_put_u64(&body, (uint64_t)sent_at);
    buf_append(&body, payload, size);
    fake_walsender_send(fake, 'd', body.data, body.size);
}

static inline void fake_walsender_send_keepalive(struct fake_walsender *fake, uint64_t end,
                                                 int64_t sent_at, bool reply)
{
    AUTO(struct buf, buf_done) body = buf_init(FAKE_MESSAGE_MAX_BYTES);
    buf_append_byte(&body, 'k');
    fake_put_u64(&body, end);
    fake_put_u64(&body, (uint64_t)sent_at);
    buf_append_byte(&body, (char)reply);
    fake_walsender_send(fake, 'd', body.data, body.size);
}

/* One message of the client: its type, 0 at the end of the connection. */
static inline char fake_walsender_receive(struct fake_walsender *fake, struct buf *out_body)
{
    char type = 0;
    buf_clear(out_body);
    if (!fake_read(&fake->server, &type, 1) || !fake_read_body(&fake->server, out_body))
        return 0;
    return type;
}

#endif
