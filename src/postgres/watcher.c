#include "postgres/watcher.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/memory.h"
#include "base/thread.h"
#include "base/thread_role.h"

enum {
    PING_EVERY_MS = 500,
    QUERY_DEADLINE_MS = 5000,
    CONNECT_TIMEOUT_MS = 5000,
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 5000,
    PASSES_OVER_FROM = 180000, /* server versions to which a missing publication is no error */
};

/* What readers get in one piece. */
struct report {
    bool seen;
    int64_t seen_at_ms;
    struct slot_sight sight;
    bool publication_seen;
    struct watcher_publication publication;
    bool blind;
    int64_t blind_since_ms, blind_since_us;
    struct error error; /* of the last attempt, while blind */
    struct watcher_heart heart;
};

enum { REPORT_WORDS = (sizeof(struct report) + sizeof(uint64_t) - 1) / sizeof(uint64_t) };

/* Two copies: `version` says which one is whole, and the writer fills the other. A reader that was
 * overtaken by two writes sees that the version moved, and takes the newer copy; it never waits for
 * the writer. Each word is stored with release and loaded with acquire: who has read a word of the
 * next but one report sees the version of the next one. */
struct board {
    _Atomic uint64_t version;
    _Atomic uint64_t words[2][REPORT_WORDS];
};

/* `request` is the wish that it answers; the result stays libpq's. */
struct answer {
    uint64_t request;
    PGresult *rows;
};

struct watcher {
    struct arena texts; /* behind `conn_options` and `slot` */
    struct db_conn_options conn_options;
    const char *slot;
    const char *publication;
    bool timescaledb;
    struct heartbeat_options heartbeat;
    struct clock clock;
    pthread_t thread;
    int stop_fd;  /* readable for ever once watcher_stop() was called */
    int wake_fd;  /* towards the watcher's thread: a relation is asked for */
    int ready_fd; /* towards the pipeline */

    /* Written by the watcher's thread, read by any. */
    struct board board;
    _Atomic uint64_t sights;
    _Atomic int64_t answered_at_ms; /* INT64_MIN = never */
    atomic_bool connected;
    atomic_bool shutdown_noticed;
    _Atomic uint64_t publication_changes;
    _Atomic uint64_t heart_turns;

    _Atomic int64_t period_ms; /* written by any thread, as the next */
    atomic_bool beating;

    /* The mailbox: a request is a number that never comes again, with the relation's OID in its
     * lower half, so that a late answer is not taken for a new one. */
    _Atomic uint64_t asked;
    _Atomic(struct answer *) answer;

    /* The pipeline's thread only. */
    uint64_t request; /* 0 = nothing is asked */
    uint32_t request_count;

    /* The watcher's thread only. */
    struct report report;
    uint64_t answered;   /* the last request that was answered */
    bool was_lost;       /* the last session did not end by our will */
    bool was_terminated; /* it ended with 57P01 */
    bool beats;          /* it was told to, when it looked last */
    mono_ms_t next_beat;
    struct backoff backoff;
};

/* ---- the board ---- */

static void board_put(struct board *board, const struct report *report)
{
    uint64_t words[REPORT_WORDS] = { 0 };
    memcpy(words, report, sizeof(*report));
    uint64_t version = atomic_load_explicit(&board->version, memory_order_relaxed) + 1;
    _Atomic uint64_t *copy = board->words[version % 2];
    for (size_t i = 0; i < REPORT_WORDS; i++)
        atomic_store_explicit(&copy[i], words[i], memory_order_release);
    atomic_store_explicit(&board->version, version, memory_order_release);
}

static struct report board_get(const struct board *board)
{
    uint64_t words[REPORT_WORDS];
    uint64_t before;
    do {
        before = atomic_load_explicit(&board->version, memory_order_acquire);
        const _Atomic uint64_t *copy = board->words[before % 2];
        for (size_t i = 0; i < REPORT_WORDS; i++)
            words[i] = atomic_load_explicit(&copy[i], memory_order_acquire);
    } while (atomic_load_explicit(&board->version, memory_order_relaxed) != before);
    struct report report;
    memcpy(&report, words, sizeof(report));
    return report;
}

/* ---- the watcher's thread ---- */

static void signal_fd(int fd)
{
    uint64_t one = 1;
    ssize_t written = write(fd, &one, sizeof(one));
    CHECK(written == (ssize_t)sizeof(one));
}

static void clear_fd(int fd)
{
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof(count));
    CHECK(got == (ssize_t)sizeof(count) || got == -1);
}

static void become_blind(struct watcher *watcher)
{
    struct report *report = &watcher->report;
    if (report->blind)
        return;
    report->blind = true;
    report->blind_since_ms = clock_now(&watcher->clock).value;
    report->blind_since_us = clock_wall_us(&watcher->clock);
}

static void publish_sight(struct watcher *watcher, const struct slot_sight *sight)
{
    int64_t now_ms = clock_now(&watcher->clock).value;
    watcher->report.seen = true;
    watcher->report.seen_at_ms = now_ms;
    watcher->report.sight = *sight;
    watcher->report.blind = false;
    watcher->report.error = ERROR_INIT;
    board_put(&watcher->board, &watcher->report);
    atomic_fetch_add(&watcher->sights, 1);
    atomic_store(&watcher->answered_at_ms, now_ms);
    atomic_store(&watcher->shutdown_noticed, false);
    atomic_store(&watcher->connected, true);
    signal_fd(watcher->ready_fd);
}

static void publish_error(struct watcher *watcher, const struct error *err)
{
    atomic_store(&watcher->connected, false);
    if (err->class == ERROR_STOPPED)
        return;
    become_blind(watcher);
    watcher->report.error = *err;
    board_put(&watcher->board, &watcher->report);
}

static void free_answer(struct answer *answer)
{
    if (answer == NULL)
        return;
    PQclear(answer->rows);
    memory_free(answer);
}

static bool answer_request(struct watcher *watcher, struct db_conn *conn, struct error *err)
{
    uint64_t request = atomic_load(&watcher->asked);
    if (request == watcher->answered)
        return true;
    PGresult *rows = NULL;
    if (!relation_facts_query(conn, QUERY_DEADLINE_MS, (uint32_t)request, watcher->timescaledb,
                              &rows, err))
        return false;
    struct answer *answer = memory_alloc(sizeof(*answer));
    *answer = (struct answer){ .request = request, .rows = rows };
    free_answer(atomic_exchange(&watcher->answer, answer));
    watcher->answered = request;
    signal_fd(watcher->ready_fd);
    return true;
}

/* True: it differs from the look before. What changed last is kept by looks that see no change. */
static bool note_publication(struct report *report, const struct publication_sight *now)
{
    struct watcher_publication *known = &report->publication;
    char change[PUBLICATION_CHANGE_SIZE];
    bool changed =
        report->publication_seen && publication_watch_changed(&known->sight, now, change);
    if (changed)
        memcpy(known->change, change, sizeof(change));
    known->sight = *now;
    report->publication_seen = true;
    return changed;
}

static bool look(struct watcher *watcher, struct db_conn *conn, struct error *err)
{
    struct slot_sight sight = { .exists = false };
    struct publication_sight publication = { .exists = false };
    bool changed = false;
    if (!slot_look(conn, watcher->slot, &sight, err))
        return false;
    if (watcher->publication != NULL) {
        if (!publication_watch_look(conn, watcher->publication, &publication, err))
            return false;
        changed = note_publication(&watcher->report, &publication);
        watcher->report.publication.passed_over = conn->server_version >= PASSES_OVER_FROM;
    }
    publish_sight(watcher, &sight);
    if (changed)
        atomic_fetch_add(&watcher->publication_changes, 1);
    backoff_reset(&watcher->backoff);
    return true;
}

/* False once the watcher shall stop. The session's socket (-1 = none) becomes readable when the
 * server has something to say unasked, which is mostly its farewell: the next look reads it. */
static bool pause_for(struct watcher *watcher, int64_t wait_ms, int session_fd)
{
    struct pollfd fds[] = { { .fd = watcher->stop_fd, .events = POLLIN },
                            { .fd = watcher->wake_fd, .events = POLLIN },
                            { .fd = session_fd, .events = POLLIN } };
    if (poll(fds, session_fd >= 0 ? 3 : 1, (int)wait_ms) > 0 && fds[1].revents != 0)
        clear_fd(watcher->wake_fd);
    return fds[0].revents == 0;
}

/* ---- the heartbeat ---- */

/* Who begins anew waits an interval: a stream that ends at once writes nothing. */
static bool is_beat_due(struct watcher *watcher)
{
    mono_ms_t now = clock_now(&watcher->clock);
    bool before = watcher->beats;
    watcher->beats = watcher->heartbeat.interval_ms > 0 && atomic_load(&watcher->beating);
    if (!watcher->beats)
        return false;
    bool due = before && !mono_ms_before(now, watcher->next_beat);
    if (!before || due)
        watcher->next_beat = mono_ms_add(now, watcher->heartbeat.interval_ms);
    return due;
}

static void note_beat(struct watcher *watcher, const struct error *err)
{
    struct watcher_heart *heart = &watcher->report.heart;
    bool turned = strcmp(heart->error.code, err->code) != 0;
    *(err->class == ERROR_NONE ? &heart->beats : &heart->failures) += 1;
    heart->error = *err;
    board_put(&watcher->board, &watcher->report);
    if (turned)
        atomic_fetch_add(&watcher->heart_turns, 1);
}

/* A beat that fails is told, and the session goes on. */
static bool beat(struct watcher *watcher, struct db_conn *conn, struct error *err)
{
    struct error failure = ERROR_INIT;
    bool usable = true;
    if (!is_beat_due(watcher))
        return true;
    bool done = heartbeat_beat(conn, &watcher->heartbeat, &usable, &failure);
    if (!done && failure.class == ERROR_STOPPED)
        return true;
    note_beat(watcher, &failure);
    if (!usable)
        *err = failure;
    return usable;
}

static int64_t until_next(const struct watcher *watcher)
{
    int64_t period_ms = atomic_load(&watcher->period_ms);
    int64_t beat_ms = mono_ms_since(watcher->next_beat, clock_now(&watcher->clock));
    if (!watcher->beats || beat_ms > period_ms)
        return period_ms;
    return beat_ms > 0 ? beat_ms : 0;
}

/* Until the session fails (*err) or the watcher shall stop (true). */
static bool run_session(struct watcher *watcher, struct db_conn *conn, struct error *err)
{
    watcher->was_lost = watcher->was_terminated = false;
    do {
        if (!answer_request(watcher, conn, err) || !look(watcher, conn, err) ||
            !beat(watcher, conn, err))
            return false;
    } while (pause_for(watcher, until_next(watcher), PQsocket(conn->pg)));
    return true;
}

/* A server that refuses (57P03) who was in before shuts down, or has; after 57P01 one that is not
 * there as well; one that answers with anything else still runs. libpq can meet the end of the
 * session before its 57P01, so that one alone does not tell. */
static void judge_refusal(struct watcher *watcher, const struct error *err)
{
    if ((watcher->was_lost && strcmp(err->code, "57P03") == 0) ||
        (watcher->was_terminated && err->class == ERROR_RECONNECT))
        atomic_store(&watcher->shutdown_noticed, true);
}

static void run_once(struct watcher *watcher, struct error *err)
{
    const struct interrupt interrupt = { .stop_fd = watcher->stop_fd };
    AUTO(struct db_conn *, db_conn_close_p) conn = NULL;
    if (!db_conn_open(&watcher->conn_options, interrupt, &conn, err)) {
        judge_refusal(watcher, err);
    } else if (!run_session(watcher, conn, err)) {
        watcher->was_lost = err->class == ERROR_RECONNECT;
        watcher->was_terminated = strcmp(err->code, "57P01") == 0;
    }
}

static void *watch(void *self)
{
    struct watcher *watcher = self;
    thread_role_enter_watcher();
    do {
        struct error err = ERROR_INIT;
        run_once(watcher, &err);
        publish_error(watcher, &err);
    } while (pause_for(watcher, backoff_next_ms(&watcher->backoff), -1));
    thread_role_leave_watcher();
    return NULL;
}

/* ---- life ---- */

static const char *copy_text(struct arena *arena, const char *text)
{
    return text == NULL ? NULL : arena_copy(arena, slice_of(text)).data;
}

static struct db_conn_options copy_options(struct arena *arena, const struct db_conn_options *from)
{
    struct db_conn_options options = *from;
    const char **texts[] = {
        &options.host,
        &options.port,
        &options.user,
        &options.database,
        &options.password,
        &options.password_file,
        &options.ssl_mode,
        &options.ssl_cert,
        &options.ssl_root_cert,
        &options.ssl_key,
        &options.channel_binding,
        &options.application_name,
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        *texts[i] = copy_text(arena, *texts[i]);
    options.replication = false;
    options.wal_sender_timeout_ms = 0;
    options.decoding_work_mem = NULL;
    if (options.connect_timeout_ms == 0)
        options.connect_timeout_ms = CONNECT_TIMEOUT_MS;
    return options;
}

static struct heartbeat_options copy_heartbeat(struct arena *arena,
                                               const struct heartbeat_options *from)
{
    return (struct heartbeat_options){
        .interval_ms = from->interval_ms,
        .schema = copy_text(arena, from->schema),
        .table = copy_text(arena, from->table),
        .query = copy_text(arena, from->query),
    };
}

static int new_eventfd(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(fd >= 0);
    return fd;
}

/* The ping is at most so far apart. */
static int64_t period_of(int64_t interval_ms)
{
    CHECK(interval_ms > 0);
    return interval_ms < PING_EVERY_MS ? interval_ms : PING_EVERY_MS;
}

struct watcher *watcher_start(const struct watcher_options *options)
{
    struct watcher *watcher = memory_alloc(sizeof(*watcher));
    watcher->texts = arena_init(0);
    watcher->conn_options = copy_options(&watcher->texts, &options->conn);
    watcher->slot = copy_text(&watcher->texts, options->slot);
    watcher->publication = copy_text(&watcher->texts, options->publication);
    watcher->timescaledb = options->timescaledb;
    watcher->heartbeat = copy_heartbeat(&watcher->texts, &options->heartbeat);
    atomic_init(&watcher->period_ms, period_of(options->interval_ms));
    watcher->clock = options->clock;
    become_blind(watcher);
    board_put(&watcher->board, &watcher->report);
    atomic_init(&watcher->answered_at_ms, INT64_MIN);
    watcher->stop_fd = new_eventfd();
    watcher->wake_fd = new_eventfd();
    watcher->ready_fd = new_eventfd();
    uint64_t seed = (uint64_t)clock_wall_us(&options->clock);
    watcher->backoff = backoff_init(BACKOFF_FIRST_MS, BACKOFF_MAX_MS, seed);
    CHECK(thread_start("watcher", watch, watcher, &watcher->thread));
    return watcher;
}

void watcher_set_interval(struct watcher *watcher, int64_t interval_ms)
{
    int64_t period_ms = period_of(interval_ms);
    if (atomic_exchange(&watcher->period_ms, period_ms) > period_ms)
        signal_fd(watcher->wake_fd);
}

void watcher_set_beating(struct watcher *watcher, bool beating)
{
    if (atomic_exchange(&watcher->beating, beating) != beating && beating)
        signal_fd(watcher->wake_fd);
}

void watcher_stop(struct watcher *watcher)
{
    if (watcher == NULL)
        return;
    signal_fd(watcher->stop_fd);
    CHECK(pthread_join(watcher->thread, NULL) == 0);
    free_answer(atomic_load(&watcher->answer));
    (void)close(watcher->stop_fd);
    (void)close(watcher->wake_fd);
    (void)close(watcher->ready_fd);
    arena_done(&watcher->texts);
    memory_free(watcher);
}

/* ---- what others read ---- */

static int64_t age_ms(const struct watcher *watcher, int64_t since_ms)
{
    return mono_ms_since(clock_now(&watcher->clock), (mono_ms_t){ since_ms });
}

bool watcher_sight(const struct watcher *watcher, struct slot_sight *out_sight, int64_t *out_age_ms)
{
    struct report report = board_get(&watcher->board);
    *out_sight = report.sight;
    *out_age_ms = report.seen ? age_ms(watcher, report.seen_at_ms) : INT64_MAX;
    return report.seen;
}

uint64_t watcher_sights(const struct watcher *watcher)
{
    return atomic_load_explicit(&watcher->sights, memory_order_acquire);
}

bool watcher_publication(const struct watcher *watcher, struct watcher_publication *out_seen)
{
    struct report report = board_get(&watcher->board);
    *out_seen = report.publication;
    return report.publication_seen;
}

uint64_t watcher_publication_changes(const struct watcher *watcher)
{
    return atomic_load_explicit(&watcher->publication_changes, memory_order_acquire);
}

int64_t watcher_ping_age_ms(const struct watcher *watcher)
{
    int64_t answered_at_ms = atomic_load(&watcher->answered_at_ms);
    return answered_at_ms == INT64_MIN ? INT64_MAX : age_ms(watcher, answered_at_ms);
}

bool watcher_connected(const struct watcher *watcher)
{
    return atomic_load(&watcher->connected);
}

bool watcher_shutdown_noticed(const struct watcher *watcher)
{
    return atomic_load(&watcher->shutdown_noticed);
}

bool watcher_last_error(const struct watcher *watcher, struct watcher_blindness *out_blindness)
{
    struct report report = board_get(&watcher->board);
    if (!report.blind)
        return false;
    *out_blindness = (struct watcher_blindness){
        .error = report.error,
        .age_ms = age_ms(watcher, report.blind_since_ms),
        .since_unix_us = report.blind_since_us,
    };
    return true;
}

void watcher_heart(const struct watcher *watcher, struct watcher_heart *out_heart)
{
    struct report report = board_get(&watcher->board);
    *out_heart = report.heart;
}

uint64_t watcher_heart_turns(const struct watcher *watcher)
{
    return atomic_load_explicit(&watcher->heart_turns, memory_order_acquire);
}

int watcher_fd(const struct watcher *watcher)
{
    return watcher->ready_fd;
}

void watcher_acknowledge(struct watcher *watcher)
{
    clear_fd(watcher->ready_fd);
}

/* ---- look-ups, on the pipeline's thread ---- */

static bool is_asked(const struct watcher *watcher, uint32_t relation_oid)
{
    return watcher->request != 0 && (uint32_t)watcher->request == relation_oid;
}

void watcher_ask(struct watcher *watcher, uint32_t relation_oid)
{
    if (is_asked(watcher, relation_oid))
        return;
    watcher->request = (uint64_t)++watcher->request_count << 32 | relation_oid;
    atomic_store(&watcher->asked, watcher->request);
    signal_fd(watcher->wake_fd);
}

enum watcher_answered watcher_answer(struct watcher *watcher, uint32_t relation_oid,
                                     struct arena *arena, struct relation_facts *out_facts)
{
    if (!is_asked(watcher, relation_oid))
        return WATCHER_PENDING;
    struct answer *answer = atomic_exchange(&watcher->answer, NULL);
    bool found = answer != NULL && answer->request == watcher->request;
    if (found) {
        *out_facts = relation_facts_read(answer->rows, arena);
        watcher->request = 0;
    }
    free_answer(answer);
    return found ? WATCHER_FOUND : WATCHER_PENDING;
}
