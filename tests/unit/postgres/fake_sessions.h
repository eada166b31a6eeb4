/* A server for ordinary sessions, one after the other, that answers by what the SQL asks for: looks
 * at the slot, keys, and heartbeats (simple queries); there is no publication. The test changes
 * what it answers while it runs.
 */
#ifndef TESTS_UNIT_POSTGRES_FAKE_SESSIONS_H
#define TESTS_UNIT_POSTGRES_FAKE_SESSIONS_H

#include "unit/postgres/fake_postgres.h"

#include <netinet/tcp.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

enum { FAKE_BEAT_SIZE = 512 };

/* What a login gets. */
enum login { LOGIN_SERVED, LOGIN_SHUTTING_DOWN, LOGIN_BAD_PASSWORD, LOGIN_UNANSWERED };

struct fake_sessions {
    struct fake_postgres peer; /* its sockets; no script */
    pthread_t thread;
    int control_fd; /* wakes its thread */
    _Atomic enum login login;
    atomic_bool terminate; /* ends the session with 57P01 */
    atomic_bool cut;       /* ends it without a word */
    atomic_bool hold;      /* no statement is answered */
    atomic_bool alternate; /* looks see orders_sight twice, no_sight twice, ... */
    atomic_bool stop;
    atomic_int sessions, looks, keys, beats;
    _Atomic(const char *) beat_error; /* what each beat gets, "SQLSTATE:text"; NULL = it is well */
    atomic_bool beat_nothing;         /* each beat gets a null */
    _Atomic(const char *) sight;      /* rows of the answers, as fake_put_rows() takes them */
    _Atomic(const char *) key;

    pthread_mutex_t lock;
    char last_key[FAKE_TEXT_SIZE]; /* the statements with their parameters */
    char last_look[FAKE_TEXT_SIZE];
    char last_beat[FAKE_BEAT_SIZE];
};

static const char orders_sight[] = "logical|t|4711|pgoutput|shop|pqcdc:one|extended|0/10|"
                                   "16/B374D848|16/B374D900|1073741824|~";
static const char no_sight[] = "~|~|~|~|~|~|~|~|~|0/77|~|~";
static const char two_columns[] = "1|region|~\n2|id|~";
static const char other_column[] = "1|sku|~";
static const char no_columns[] = "";

static inline void fake_sessions_refuse(struct fake_sessions *server, const char *error)
{
    AUTO(struct buf, buf_done) out = buf_init(FAKE_MESSAGE_MAX_BYTES);
    fake_put_error(&out, "FATAL", error);
    (void)fake_write(&server->peer, &out);
}

static inline bool fake_sessions_asks(const struct buf *statement, const char *table)
{
    return memmem(statement->data, statement->size, table, strlen(table)) != NULL;
}

static inline void fake_sessions_answer(struct fake_sessions *server, const struct buf *statement)
{
    AUTO(struct buf, buf_done) out = buf_init(FAKE_MESSAGE_MAX_BYTES);
    bool key = fake_sessions_asks(statement, "pg_index");
    if (fake_sessions_asks(statement, "pg_publication")) {
        fake_put_rows(&out, "");
        (void)fake_write(&server->peer, &out);
        return;
    }
    pthread_mutex_lock(&server->lock);
    char *last = key ? server->last_key : server->last_look;
    memset(last, '\0', FAKE_TEXT_SIZE);
    for (size_t i = 0; i < FAKE_TEXT_SIZE - 1 && i < statement->size; i++)
        last[i] = statement->data[i] != '\0' ? statement->data[i] : '|';
    pthread_mutex_unlock(&server->lock);
    int turn = atomic_load(&server->looks) / 2;
    bool other = atomic_load(&server->alternate) && turn % 2 == 1;
    fake_put_rows(&out, key     ? atomic_load(&server->key)
                        : other ? no_sight
                                : atomic_load(&server->sight));
    atomic_fetch_add(key ? &server->keys : &server->looks, 1);
    (void)fake_write(&server->peer, &out);
}

static inline void fake_sessions_answer_beat(struct fake_sessions *server, const struct buf *query)
{
    AUTO(struct buf, buf_done) out = buf_init(FAKE_MESSAGE_MAX_BYTES);
    const char *error = atomic_load(&server->beat_error);
    pthread_mutex_lock(&server->lock);
    (void)snprintf(server->last_beat, FAKE_BEAT_SIZE, "%s", query->data);
    pthread_mutex_unlock(&server->lock);
    if (error != NULL) {
        fake_put_error(&out, "ERROR", error);
        fake_put_ready(&out);
    } else {
        fake_put_rows(&out, atomic_load(&server->beat_nothing) ? "~" : "0/1");
    }
    atomic_fetch_add(&server->beats, 1);
    (void)fake_write(&server->peer, &out);
}

/* True = the client says something; false = the session ends. */
static inline bool fake_sessions_wait(struct fake_sessions *server)
{
    while (!atomic_load(&server->stop)) {
        if (atomic_exchange(&server->cut, false))
            return false;
        if (atomic_exchange(&server->terminate, false)) {
            fake_sessions_refuse(server,
                                 "57P01:terminating connection due to administrator command");
            return false;
        }
        struct pollfd fds[] = { { .fd = server->control_fd, .events = POLLIN },
                                { .fd = server->peer.fd, .events = POLLIN } };
        CHECK(poll(fds, 2, -1) > 0);
        eventfd_t ignored;
        if (fds[0].revents != 0)
            (void)eventfd_read(server->control_fd, &ignored);
        else if (!atomic_load(&server->hold))
            return true;
        else
            (void)usleep(1000);
    }
    return false;
}

static inline void fake_sessions_serve(struct fake_sessions *server)
{
    AUTO(struct buf, buf_done) out = buf_init(FAKE_MESSAGE_MAX_BYTES);
    AUTO(struct buf, buf_done) statement = buf_init(FAKE_MESSAGE_MAX_BYTES);
    fake_put_welcome(&out, "15.20;DateStyle=ISO, MDY;TimeZone=UTC");
    (void)fake_write(&server->peer, &out);
    atomic_fetch_add(&server->sessions, 1);
    while (fake_sessions_wait(server)) {
        char type = 0;
        if (!fake_read(&server->peer, &type, 1) || !fake_read_body(&server->peer, &statement))
            return;
        if (type == 'S') { /* Sync ends a statement */
            fake_sessions_answer(server, &statement);
            buf_clear(&statement);
        } else if (type == 'Q') {
            fake_sessions_answer_beat(server, &statement);
            buf_clear(&statement);
        }
    }
}

static inline void fake_sessions_log_in(struct fake_sessions *server)
{
    switch (atomic_load(&server->login)) {
    case LOGIN_SERVED:
        fake_sessions_serve(server);
        break;
    case LOGIN_SHUTTING_DOWN:
        fake_sessions_refuse(server, "57P03:the database system is shutting down");
        break;
    case LOGIN_BAD_PASSWORD:
        fake_sessions_refuse(server, "28P01:password authentication failed");
        break;
    case LOGIN_UNANSWERED:
        atomic_fetch_add(&server->sessions, 1);
        (void)fake_sessions_wait(server);
        break;
    }
}

static inline void *fake_sessions_main(void *self)
{
    struct fake_sessions *server = self;
    while (!atomic_load(&server->stop)) {
        struct pollfd fds[] = { { .fd = server->control_fd, .events = POLLIN },
                                { .fd = server->peer.listen_fd, .events = POLLIN } };
        CHECK(poll(fds, 2, -1) > 0);
        eventfd_t ignored;
        if (fds[0].revents != 0)
            (void)eventfd_read(server->control_fd, &ignored);
        if ((fds[1].revents & POLLHUP) != 0) /* it does not listen any more */
            return NULL;
        if (fds[1].revents != 0 && fake_accept(&server->peer, NULL))
            fake_sessions_log_in(server);
        if (server->peer.fd >= 0)
            fake_cut(&server->peer);
    }
    return NULL;
}

static inline void fake_sessions_begin(struct fake_sessions *server, enum login login)
{
    static const struct fake_step no_script[] = { { FAKE_END, NULL } };
    int on = 1;
    *server = (struct fake_sessions){ .login = login, .sight = orders_sight, .key = two_columns };
    CHECK(pthread_mutex_init(&server->lock, NULL) == 0);
    server->control_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    fake_postgres_begin(&server->peer, no_script);
    CHECK(pthread_join(server->peer.thread, NULL) == 0);
    CHECK(setsockopt(server->peer.listen_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
    CHECK(pthread_create(&server->thread, NULL, fake_sessions_main, server) == 0);
}

static inline void fake_sessions_close(struct fake_sessions *server, atomic_bool *how)
{
    atomic_store(how, true);
    (void)eventfd_write(server->control_fd, 1);
}

static inline void fake_sessions_end(struct fake_sessions *server)
{
    fake_sessions_close(server, &server->stop);
    CHECK(pthread_join(server->thread, NULL) == 0);
    (void)close(server->peer.listen_fd);
    (void)close(server->control_fd);
    CHECK(pthread_mutex_destroy(&server->lock) == 0);
}

/* Bind has the parameter after its length, and the formats of the results after it. */
static inline bool fake_sessions_parameter_was(struct fake_sessions *server, const char *statement,
                                               const char *expected)
{
    char part[64];
    (void)snprintf(part, sizeof(part), "%c%s|", (char)strlen(expected), expected);
    pthread_mutex_lock(&server->lock);
    bool found = strstr(statement, part) != NULL;
    pthread_mutex_unlock(&server->lock);
    return found;
}

#endif
