/* What the tests of session.c share: a server that plays a script, and a gate that a test decides.
 */
#ifndef TESTS_UNIT_CONNECTOR_SESSION_FIXTURE_H
#define TESTS_UNIT_CONNECTOR_SESSION_FIXTURE_H

#include "unit/postgres/fake_walsender.h"

#include "base/text.h"
#include "connector/session.h"
#include "connector/slot_only.h"

#include <sys/eventfd.h>

#define LOOK(row)                                                                                  \
    { FAKE_EXPECT, "pg_replication_slots" },                                                       \
    {                                                                                              \
        FAKE_ROWS, row                                                                             \
    }
#define FREE_SLOT LOOK("logical|f|~|pgoutput|d b|~|reserved|0/10|16/B374D848|16/B374D900|~|~")
#define NO_SLOT   LOOK("~|~|~|~|~|~|~|~|~|16/B374D900|~|~")
#define PUBLICATION                                                                                \
    { FAKE_EXPECT, "FROM pg_catalog.pg_publication" },                                             \
    {                                                                                              \
        FAKE_ROWS, "16400|t|f|t|t|t|t"                                                             \
    }
#define NO_PUBLICATION                                                                             \
    { FAKE_EXPECT, "FROM pg_catalog.pg_publication" },                                             \
    {                                                                                              \
        FAKE_ROWS, ""                                                                              \
    }
#define TABLES(rows)                                                                               \
    { FAKE_EXPECT, "pg_publication_tables" },                                                      \
    {                                                                                              \
        FAKE_ROWS, rows                                                                            \
    }
#define REPLICATION(system)                                                                        \
    { FAKE_ACCEPT, "replication|database" }, { FAKE_WELCOME, "15.4" },                             \
        { FAKE_EXPECT, "IDENTIFY_SYSTEM" },                                                        \
    {                                                                                              \
        FAKE_ROWS, system "|1|16/B374D900|d b"                                                     \
    }
#define GREET                                                                                      \
    {                                                                                              \
        FAKE_GREET, "15.4"                                                                         \
    }
#define QUIET                                                                                      \
    { FAKE_SILENCE, NULL },                                                                        \
    {                                                                                              \
        FAKE_END, NULL                                                                             \
    } /* nothing more is asked */

struct fixture {
    struct fake_walsender fake;
    struct session_options with;
    struct session_memory memory;
    struct topic_route *route;
    struct wal_stream *stream;
    struct error err;
    int starts_left; /* of the gate; -1 = without end */
    struct gate_memory recalled, remembered;
    bool recalls;
    char note[512]; /* the last line of the log */
};

static inline bool may_start(void *self)
{
    struct fixture *fixture = self;
    if (fixture->starts_left < 0)
        return true;
    return fixture->starts_left > 0 && fixture->starts_left-- > 0;
}

static inline bool recall(void *self, struct gate_memory *out_memory)
{
    struct fixture *fixture = self;
    if (fixture->recalls)
        *out_memory = fixture->recalled;
    return fixture->recalls;
}

static inline void remember(void *self, const struct gate_memory *memory)
{
    struct fixture *fixture = self;
    fixture->remembered = *memory;
}

static inline void note(void *self, enum log_level level UNUSED, const char *message,
                        const struct log_field *fields)
{
    struct fixture *fixture = self;
    const char *first = fields->type == LOG_STRING ? fields->value.string : "";
    (void)snprintf(fixture->note, sizeof(fixture->note), "%s %s", message, first);
}

static inline int setup(void **state)
{
    static const struct topic_route_pair pairs[] = { { "public.users", "users-topic" } };
    struct fixture *fixture = memory_alloc(sizeof(*fixture));
    const struct topic_route_options route = { .pairs = pairs, .pair_count = 1 };
    if (!topic_route_new(&route, &fixture->route, &fixture->err))
        return -1;
    fixture->fake = (struct fake_walsender){ .server = { .fd = -1, .listen_fd = -1 } };
    fixture->starts_left = -1;
    fixture->with = (struct session_options){
        .publication = { .name = "orders_pub", .create_if_not_exists = true },
        .slot = "orders",
        .create_slot = true,
        .wal_sender_timeout_ms = 9000,
        .route = fixture->route,
        .clock = clock_system(),
        .gate = slot_only_gate(),
        .log = log_new(&(struct log_options){
            .level = LOG_INFO, .clock = clock_system(), .sink = note, .sink_self = fixture }),
    };
    fixture->with.gate.self = fixture;
    fixture->with.gate.may_start = may_start;
    fixture->with.gate.recall = recall;
    fixture->with.gate.remember = remember;
    fixture->recalled = (struct gate_memory){ .system_id = "7301", .timeline = 1 };
    *state = fixture;
    return 0;
}

ON_PIPELINE_THREAD static inline void close_all(struct fixture *fixture)
{
    wal_stream_close(TAKE(fixture->stream));
    if (fixture->fake.server.listen_fd >= 0)
        fake_walsender_end(&fixture->fake);
    fixture->fake.server.listen_fd = -1;
}

ON_PIPELINE_THREAD static inline int teardown(void **state)
{
    struct fixture *fixture = *state;
    close_all(fixture);
    topic_route_free(fixture->route);
    log_free(fixture->with.log);
    memory_free(fixture);
    return 0;
}

static inline void serve(struct fixture *fixture, const struct fake_step *script)
{
    fake_walsender_begin(&fixture->fake, script, 0);
    fixture->with.conn = fake_options(&fixture->fake.server);
    fixture->err = ERROR_INIT;
}

ON_PIPELINE_THREAD static inline bool try_open(struct fixture *fixture,
                                               const struct fake_step *script)
{
    serve(fixture, script);
    return session_open(&fixture->with, &fixture->memory, INTERRUPT_NONE, &fixture->stream,
                        &fixture->err);
}

/* It fails so, after exactly the statements of the script. */
ON_PIPELINE_THREAD static inline void expect_refusal(struct fixture *fixture,
                                                     const struct fake_step *script,
                                                     enum error_class class, const char *code,
                                                     const char *text, const char *advice)
{
    assert_false(try_open(fixture, script));
    fake_assert_error(&fixture->err, class, code, text, advice);
    assert_null(fixture->stream);
    close_all(fixture);
}

static const struct fake_step streaming[] = {
    GREET,
    FREE_SLOT,
    PUBLICATION,
    TABLES("public|users"),
    REPLICATION("7301"),
    { FAKE_EXPECT, "START_REPLICATION SLOT \"orders\" LOGICAL 0/0 (proto_version '1', "
                   "publication_names '\"orders_pub\"')" },
    { FAKE_END, NULL },
};

#define SESSION_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
