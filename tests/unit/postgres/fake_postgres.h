/* A scripted PostgreSQL on loopback: a thread that plays one script, step by step, and notes the
 * first thing that was not as the script says. fake_postgres_end() tells the test.
 *
 * Protocol: https://www.postgresql.org/docs/current/protocol-message-formats.html */
#ifndef TESTS_UNIT_POSTGRES_FAKE_POSTGRES_H
#define TESTS_UNIT_POSTGRES_FAKE_POSTGRES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "postgres/db_conn.h"

enum { FAKE_PATIENCE_MS = 20 * 1000, FAKE_MESSAGE_MAX_BYTES = 1024 * 1024, FAKE_TEXT_SIZE = 2048 };

/* Of every error: it may hold rows, so that it must not be seen. */
#define FAKE_DETAIL "a secret row"

enum fake_act {
    FAKE_END,      /* of the script */
    FAKE_GREET,    /* accepts; text = server_version, settings: "15.4;DateStyle=German" */
    FAKE_ACCEPT,   /* accepts and reads the start packet; text (or NULL) must be part of it */
    FAKE_PASSWORD, /* asks for a clear-text password, which must be text */
    FAKE_WELCOME,  /* the rest of a greeting, text as there */
    FAKE_EXPECT,   /* a statement; text must be part of its SQL and parameters (NUL is '|') */
    FAKE_ROWS,     /* its rows: "a|b\nc|~", ~ = null, \f = a newline in a value; "" = none. Then
                      ready again */
    FAKE_DONE,     /* CommandComplete, ready again */
    FAKE_ERROR,    /* "42704:message" or "42704:message\tcontext"; ready again */
    FAKE_FATAL,    /* "57P03:message" and the connection is closed */
    FAKE_CANCELED, /* a cancel request on a connection of its own */
    FAKE_CUT,      /* closes the connection */
    FAKE_SILENCE,  /* until the client closes */
};

struct fake_step {
    enum fake_act act;
    const char *text;
};

struct fake_postgres {
    int listen_fd;
    int fd; /* the connection; -1 = none */
    char port[8];
    pthread_t thread;
    const struct fake_step *script;
    char problem[FAKE_TEXT_SIZE]; /* "" = as the script says */
};

static inline bool fake_fail(struct fake_postgres *fake, const char *what, const char *detail)
{
    (void)snprintf(fake->problem, sizeof(fake->problem), "%s: %.1500s", what, detail);
    return false;
}

/* ---- bytes ---- */

static inline bool fake_write(struct fake_postgres *fake, const struct buf *bytes)
{
    size_t sent = 0;
    while (sent < bytes->size) {
        ssize_t count = send(fake->fd, bytes->data + sent, bytes->size - sent, MSG_NOSIGNAL);
        if (count <= 0)
            return true; /* the client left: what it missed is not the script's matter */
        sent += (size_t)count;
    }
    return true;
}

static inline bool fake_read(struct fake_postgres *fake, void *out, size_t size)
{
    size_t have = 0;
    while (have < size) {
        struct pollfd ready = { .fd = fake->fd, .events = POLLIN };
        if (poll(&ready, 1, FAKE_PATIENCE_MS) <= 0)
            return fake_fail(fake, "read", "nothing came");
        ssize_t count = recv(fake->fd, (char *)out + have, size - have, 0);
        if (count <= 0)
            return fake_fail(fake, "read", "the client left");
        have += (size_t)count;
    }
    return true;
}

static inline void fake_put_u32(struct buf *out, uint32_t value)
{
    uint32_t wire = htonl(value);
    buf_append(out, &wire, sizeof(wire));
}

static inline void fake_put_u16(struct buf *out, uint16_t value)
{
    uint16_t wire = htons(value);
    buf_append(out, &wire, sizeof(wire));
}

static inline void fake_put_text(struct buf *out, const char *text)
{
    buf_append(out, text, strlen(text) + 1);
}

static inline void fake_put_message(struct buf *out, char type, const struct buf *body)
{
    buf_append_byte(out, type);
    fake_put_u32(out, (uint32_t)body->size + 4);
    buf_append(out, body->data, body->size);
}

/* ---- what the server says ---- */

static inline void fake_put_setting(struct buf *out, const char *name, const char *value)
{
    AUTO(struct buf, buf_done) body = buf_init(FAKE_MESSAGE_MAX_BYTES);
    fake_put_text(&body, name);
    fake_put_text(&body, value);
    fake_put_message(out, 'S', &body);
}

static inline void fake_put_ready(struct buf *out)
{
    buf_append(out, "Z\0\0\0\5I", 6);
}

static inline void fake_put_complete(struct buf *out, const char *tag)
{
    AUTO(struct buf, buf_done) body = buf_init(FAKE_MESSAGE_MAX_BYTES);
    fake_put_text(&body, tag);
    fake_put_message(out, 'C', &body);
    fake_put_ready(out);
}

/* "42704:message" */
static inline void fake_put_error(struct buf *out, const char *severity, const char *text)
{
    AUTO(struct buf, buf_done) body = buf_init(FAKE_MESSAGE_MAX_BYTES);
    buf_append_byte(&body, 'S');
    fake_put_text(&body, severity);
    buf_append_byte(&body, 'C');
    buf_append(&body, text, 5);
    buf_append_byte(&body, '\0');
    const char *context = strchr(text, '\t');
    size_t message_size = context != NULL ? (size_t)(context - text) - 6 : strlen(text + 6);
    buf_append_byte(&body, 'M');
    buf_append(&body, text + 6, message_size);
    buf_append_byte(&body, '\0');
    if (context != NULL) {
        buf_append_byte(&body, 'W');
        fake_put_text(&body, context + 1);
    }
    buf_append_byte(&body, 'D');
    fake_put_text(&body, FAKE_DETAIL);
    buf_append_byte(&body, 'F');
    fake_put_text(&body, "file.c");
    buf_append_byte(&body, '\0');
    fake_put_message(out, 'E', &body);
}

static inline void fake_put_row(struct buf *out, const char *row, size_t length)
{
    AUTO(struct buf, buf_done) body = buf_init(FAKE_MESSAGE_MAX_BYTES);
    AUTO(struct buf, buf_done) values = buf_init(FAKE_MESSAGE_MAX_BYTES);
    uint16_t count = 0;
    for (size_t at = 0; at <= length; count++) {
        size_t size = strcspn(row + at, "|\n");
        if (size == 1 && row[at] == '~') {
            fake_put_u32(&values, UINT32_MAX);
        } else {
            fake_put_u32(&values, (uint32_t)size);
            for (size_t i = 0; i < size; i++)
                buf_append_byte(&values, row[at + i] == '\f' ? '\n' : row[at + i]);
        }
        at += size + 1;
    }
    fake_put_u16(&body, count);
    buf_append(&body, values.data, values.size);
    fake_put_message(out, 'D', &body);
}

static inline void fake_put_columns(struct buf *out, const char *row)
{
    AUTO(struct buf, buf_done) body = buf_init(FAKE_MESSAGE_MAX_BYTES);
    uint16_t count = *row == '\0' ? 0 : 1;
    for (const char *at = row; *at != '\0' && *at != '\n'; at++)
        count = (uint16_t)(count + (*at == '|'));
    fake_put_u16(&body, count);
    for (uint16_t i = 0; i < count; i++) {
        fake_put_text(&body, "column");
        buf_append(&body, "\0\0\0\0\0\0\0\0\0\31\xff\xff\xff\xff\xff\xff\0\0", 18);
    }
    fake_put_message(out, 'T', &body);
}

static inline void fake_put_rows(struct buf *out, const char *rows)
{
    fake_put_columns(out, rows);
    for (const char *row = rows; *row != '\0';) {
        size_t length = strcspn(row, "\n");
        fake_put_row(out, row, length);
        row += row[length] == '\n' ? length + 1 : length;
    }
    fake_put_complete(out, "SELECT 1");
}

/* "15.4;DateStyle=German;TimeZone=UTC" */
static inline void fake_put_settings(struct buf *out, const char *settings)
{
    AUTO(char *, memory_free_p) copy = memory_text(settings);
    char *rest = NULL;
    fake_put_setting(out, "server_version", strtok_r(copy, ";", &rest));
    for (char *name = strtok_r(NULL, "=", &rest); name != NULL; name = strtok_r(NULL, "=", &rest))
        fake_put_setting(out, name, strtok_r(NULL, ";", &rest));
}

static inline void fake_put_welcome(struct buf *out, const char *settings)
{
    buf_append(out, "R\0\0\0\10\0\0\0\0", 9); /* AuthenticationOk */
    fake_put_setting(out, "server_encoding", "UTF8");
    fake_put_setting(out, "client_encoding", "UTF8");
    fake_put_setting(out, "standard_conforming_strings", "on");
    fake_put_settings(out, settings);
    buf_append(out, "K\0\0\0\14\0\0\0\7\0\0\0\7", 13); /* BackendKeyData: pid 7 */
    fake_put_ready(out);
}

/* ---- what the client says ---- */

static inline bool fake_expect_part(struct fake_postgres *fake, struct buf *message,
                                    const char *part)
{
    for (size_t i = 0; i < message->size; i++)
        if (message->data[i] == '\0')
            message->data[i] = '|';
    if (part == NULL || strstr(buf_text(message), part) != NULL)
        return true;
    char detail[FAKE_TEXT_SIZE];
    (void)snprintf(detail, sizeof(detail), "\"%s\" is not in \"%.1000s\"", part, buf_text(message));
    return fake_fail(fake, "expect", detail);
}

static inline bool fake_read_body(struct fake_postgres *fake, struct buf *out)
{
    uint32_t size = 0;
    if (!fake_read(fake, &size, sizeof(size)))
        return false;
    size = ntohl(size) - 4;
    if (size > FAKE_MESSAGE_MAX_BYTES || !buf_reserve(out, size + 1) ||
        !fake_read(fake, out->data + out->size, size))
        return fake_fail(fake, "read", "a broken message");
    out->size += size;
    return true;
}

/* The start packet; requests for TLS and GSS are declined before it. */
static inline bool fake_accept(struct fake_postgres *fake, const char *part)
{
    struct pollfd ready = { .fd = fake->listen_fd, .events = POLLIN };
    if (poll(&ready, 1, FAKE_PATIENCE_MS) <= 0)
        return fake_fail(fake, "accept", "nobody came");
    if (fake->fd >= 0)
        (void)close(fake->fd);
    fake->fd = accept4(fake->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    AUTO(struct buf, buf_done) packet = buf_init(FAKE_MESSAGE_MAX_BYTES);
    for (;;) {
        buf_clear(&packet);
        if (!fake_read_body(fake, &packet))
            return false;
        if (packet.size != 4)
            return fake_expect_part(fake, &packet, part);
        buf_clear(&packet);
        buf_append_byte(&packet, 'N');
        (void)fake_write(fake, &packet);
    }
}

static inline bool fake_accept_cancel(struct fake_postgres *fake)
{
    static const char expected[] = "\0\0\0\20\4\322\26\56\0\0\0\7\0\0\0\7";
    char packet[16] = "";
    struct pollfd ready = { .fd = fake->listen_fd, .events = POLLIN };
    if (poll(&ready, 1, FAKE_PATIENCE_MS) <= 0)
        return fake_fail(fake, "cancel", "nobody came");
    int saved = fake->fd;
    fake->fd = accept4(fake->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    bool same =
        fake_read(fake, packet, sizeof(packet)) && memcmp(packet, expected, sizeof(packet)) == 0;
    (void)close(fake->fd);
    fake->fd = saved;
    return same || fake_fail(fake, "cancel", "another packet came");
}

/* A simple query, or the messages of an extended one up to Sync. */
static inline bool fake_expect(struct fake_postgres *fake, const char *part)
{
    AUTO(struct buf, buf_done) statement = buf_init(FAKE_MESSAGE_MAX_BYTES);
    for (;;) {
        char type = 0;
        if (!fake_read(fake, &type, 1) || !fake_read_body(fake, &statement))
            return false;
        if (type == 'Q' || type == 'S')
            return fake_expect_part(fake, &statement, part);
    }
}

static inline bool fake_ask_password(struct fake_postgres *fake, const char *password)
{
    AUTO(struct buf, buf_done) message = buf_init(FAKE_MESSAGE_MAX_BYTES);
    buf_append(&message, "R\0\0\0\10\0\0\0\3", 9); /* AuthenticationCleartextPassword */
    (void)fake_write(fake, &message);
    buf_clear(&message);
    char type = 0;
    if (!fake_read(fake, &type, 1) || !fake_read_body(fake, &message))
        return false;
    return type == 'p' && strcmp(buf_text(&message), password) == 0
               ? true
               : fake_fail(fake, "password", "another one came");
}

static inline bool fake_stay_silent(struct fake_postgres *fake)
{
    char ignored[256];
    struct pollfd ready = { .fd = fake->fd, .events = POLLIN };
    for (;;) {
        if (poll(&ready, 1, FAKE_PATIENCE_MS) <= 0)
            return fake_fail(fake, "silence", "the client stays");
        if (recv(fake->fd, ignored, sizeof(ignored), 0) <= 0)
            return true;
    }
}

static inline void fake_cut(struct fake_postgres *fake)
{
    (void)close(fake->fd);
    fake->fd = -1;
}

static inline bool fake_say(struct fake_postgres *fake, const struct fake_step *step)
{
    AUTO(struct buf, buf_done) out = buf_init(FAKE_MESSAGE_MAX_BYTES);
    if (step->act == FAKE_WELCOME || step->act == FAKE_GREET)
        fake_put_welcome(&out, step->text);
    else if (step->act == FAKE_ROWS)
        fake_put_rows(&out, step->text);
    else if (step->act == FAKE_DONE)
        fake_put_complete(&out, "SET");
    else if (step->act == FAKE_ERROR)
        fake_put_error(&out, "ERRORE", step->text);
    else
        fake_put_error(&out, "FATALE", step->text);
    if (step->act == FAKE_ERROR)
        fake_put_ready(&out);
    return fake_write(fake, &out);
}

/* ---- the script ---- */

static inline bool fake_play(struct fake_postgres *fake, const struct fake_step *step)
{
    switch (step->act) {
    case FAKE_GREET:
        return fake_accept(fake, NULL) && fake_say(fake, step);
    case FAKE_ACCEPT:
        return fake_accept(fake, step->text);
    case FAKE_PASSWORD:
        return fake_ask_password(fake, step->text);
    case FAKE_EXPECT:
        return fake_expect(fake, step->text);
    case FAKE_WELCOME:
    case FAKE_ROWS:
    case FAKE_DONE:
    case FAKE_ERROR:
        return fake_say(fake, step);
    case FAKE_FATAL:
        (void)fake_say(fake, step);
        fake_cut(fake);
        return true;
    case FAKE_CANCELED:
        return fake_accept_cancel(fake);
    case FAKE_CUT:
        fake_cut(fake);
        return true;
    case FAKE_SILENCE:
        return fake_stay_silent(fake);
    case FAKE_END:
        break;
    }
    return true;
}

static inline void *fake_main(void *self)
{
    struct fake_postgres *fake = self;
    const struct fake_step *step = fake->script;
    while (step->act != FAKE_END && fake_play(fake, step))
        step++;
    if (step->act != FAKE_END) {
        char where[32];
        (void)snprintf(where, sizeof(where), " (step %td)", step - fake->script);
        strncat(fake->problem, where, sizeof(fake->problem) - strlen(fake->problem) - 1);
        if (fake->fd >= 0)
            fake_cut(fake);
    }
    return NULL;
}

static inline void fake_postgres_begin(struct fake_postgres *fake, const struct fake_step *script)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    *fake = (struct fake_postgres){ .fd = -1, .script = script };
    fake->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fake->listen_fd >= 0);
    CHECK(bind(fake->listen_fd, (struct sockaddr *)&address, size) == 0);
    CHECK(listen(fake->listen_fd, 4) == 0);
    CHECK(getsockname(fake->listen_fd, (struct sockaddr *)&address, &size) == 0);
    (void)snprintf(fake->port, sizeof(fake->port), "%u", (unsigned)ntohs(address.sin_port));
    CHECK(pthread_create(&fake->thread, NULL, fake_main, fake) == 0);
}

/* The script was played to its end. Close the client's connections before. */
static inline void fake_postgres_end(struct fake_postgres *fake)
{
    CHECK(pthread_join(fake->thread, NULL) == 0);
    if (fake->fd >= 0)
        fake_cut(fake);
    (void)close(fake->listen_fd);
    assert_string_equal(fake->problem, "");
}

/* ---- the client's side ---- */

static inline struct db_conn_options fake_options(const struct fake_postgres *fake)
{
    return (struct db_conn_options){
        .host = "127.0.0.1",
        .port = fake->port,
        .user = "us'er",
        .database = "d b",
        .application_name = "pqcdc:unit",
    };
}

static inline struct db_conn *fake_open(const struct fake_postgres *fake)
{
    struct db_conn_options options = fake_options(fake);
    struct error err = ERROR_INIT;
    struct db_conn *conn = NULL;
    if (!db_conn_open(&options, INTERRUPT_NONE, &conn, &err))
        fail_msg("%s; the fake: %s", err.text, fake->problem);
    return conn;
}

static inline void fake_assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static inline void fake_assert_error(const struct error *err, enum error_class class,
                                     const char *code, const char *text, const char *advice)
{
    if (strcmp(err->code, code) != 0 || err->class != class)
        fail_msg("%s %s is expected, not %s [%s]: %s", error_class_name(class), code,
                 error_class_name(err->class), err->code, err->text);
    assert_null(strstr(err->text, FAKE_DETAIL));
    fake_assert_contains(err->text, text);
    fake_assert_contains(err->advice, advice);
}

#endif
