/* What session_open() asks, in which order, and what it makes of the answers. The creation of a
 * slot needs two sessions at once, which the scripted server does not have: it is shown with a real
 * one (tests/integration), here only up to the replication connection. */
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
    char note[512];  /* the last line of the log */
};

static bool may_start(void *self)
{
    struct fixture *fixture = self;
    if (fixture->starts_left < 0)
        return true;
    return fixture->starts_left > 0 && fixture->starts_left-- > 0;
}

static void note(void *self, enum log_level level UNUSED, const char *message,
                 const struct log_field *fields)
{
    struct fixture *fixture = self;
    const char *first = fields->type == LOG_STRING ? fields->value.string : "";
    (void)snprintf(fixture->note, sizeof(fixture->note), "%s %s", message, first);
}

static int setup(void **state)
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
    *state = fixture;
    return 0;
}

ON_PIPELINE_THREAD static void close_all(struct fixture *fixture)
{
    wal_stream_close(TAKE(fixture->stream));
    if (fixture->fake.server.listen_fd >= 0)
        fake_walsender_end(&fixture->fake);
    fixture->fake.server.listen_fd = -1;
}

ON_PIPELINE_THREAD static int teardown(void **state)
{
    struct fixture *fixture = *state;
    close_all(fixture);
    topic_route_free(fixture->route);
    log_free(fixture->with.log);
    memory_free(fixture);
    return 0;
}

static void serve(struct fixture *fixture, const struct fake_step *script)
{
    fake_walsender_begin(&fixture->fake, script, 0);
    fixture->with.conn = fake_options(&fixture->fake.server);
    fixture->err = ERROR_INIT;
}

ON_PIPELINE_THREAD static bool try_open(struct fixture *fixture, const struct fake_step *script)
{
    serve(fixture, script);
    return session_open(&fixture->with, &fixture->memory, INTERRUPT_NONE, &fixture->stream,
                        &fixture->err);
}

/* It fails so, after exactly the statements of the script. */
ON_PIPELINE_THREAD static void expect_refusal(struct fixture *fixture,
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

/* ---- a slot that is free ---- */

ON_PIPELINE_THREAD static void a_free_slot_is_streamed_from_where_it_stands(void **state)
{
    struct fixture *fixture = *state;
    struct wal_message message;
    if (!try_open(fixture, streaming))
        fail_msg("%s", fixture->err.text);
    fake_walsender_take_over(&fixture->fake);
    assert_true(fixture->memory.slot_seen);
    assert_true(fixture->memory.last_confirmed.value == 0x16B374D848);
    assert_string_equal(fixture->memory.system_id, "7301");
    fake_walsender_send_keepalive(&fixture->fake, 42, 1, false);
    struct pollfd ready = { .fd = wal_stream_fd(fixture->stream), .events = POLLIN };
    assert_int_equal(poll(&ready, 1, FAKE_PATIENCE_MS), 1);
    assert_true(wal_stream_fill(fixture->stream, &fixture->err));
    assert_int_equal(wal_stream_next(fixture->stream, &message, &fixture->err), WAL_NEXT_MESSAGE);
    assert_int_equal(message.server_end.value, 42);
}

/* The memory of what was confirmed never goes back, whatever the slot says after a crash. */
ON_PIPELINE_THREAD static void what_was_confirmed_is_remembered(void **state)
{
    struct fixture *fixture = *state;
    fixture->memory.last_confirmed.value = 0x16B374D900;
    assert_true(try_open(fixture, streaming));
    assert_true(fixture->memory.last_confirmed.value == 0x16B374D900);
    close_all(fixture);
    assert_true(try_open(fixture, streaming));
    assert_true(fixture->memory.last_confirmed.value == 0x16B374D900);
}

/* ---- a slot that is somebody else's ---- */

ON_PIPELINE_THREAD static void a_slot_that_is_read_is_waited_for(void **state)
{
    static const struct fake_step script[] = {
        GREET,
        LOOK("logical|t|4711|pgoutput|d b|pqcdc:other|reserved|0/10|16/B374D848|16/B374D900|~|~"),
        QUIET
    };
    struct fixture *fixture = *state;
    expect_refusal(fixture, script, ERROR_WAIT, "slot_busy",
                   "replication slot \"orders\" is read by pid 4711 (pqcdc:other)", "");
    assert_true(fixture->memory.slot_seen);
}

ON_PIPELINE_THREAD static void a_slot_that_is_being_created_is_waited_for(void **state)
{
    static const struct fake_step script[] = {
        GREET, LOOK("logical|t|4711|pgoutput|d b|~|reserved|0/10|~|16/B374D900|~|~"), QUIET
    };
    expect_refusal(*state, script, ERROR_WAIT, "slot_creating", "being created by pid 4711", "");
}

/* Somebody was faster between our look and our START. */
ON_PIPELINE_THREAD static void a_slot_that_was_taken_meanwhile_is_waited_for(void **state)
{
    static const struct fake_step script[] = {
        GREET,
        FREE_SLOT,
        PUBLICATION,
        TABLES("public|users"),
        REPLICATION("7301"),
        { FAKE_EXPECT, "START_REPLICATION" },
        { FAKE_ERROR, "55006:replication slot \"orders\" is active for PID 4711" },
        QUIET
    };
    struct fixture *fixture = *state;
    expect_refusal(fixture, script, ERROR_WAIT, "55006", "PID 4711", "");
    assert_true(fixture->memory.slot_seen);
}

ON_PIPELINE_THREAD static void a_slot_of_another_plugin_is_not_ours(void **state)
{
    static const struct fake_step script[] = {
        GREET, LOOK("logical|f|~|test_decoding|d b|~|reserved|0/10|16/B374D848|16/B374D900|~|~"),
        QUIET
    };
    expect_refusal(*state, script, ERROR_HALT, "slot_other_plugin", "\"orders\"", "");
}

/* ---- a slot that is not there ---- */

ON_PIPELINE_THREAD static void a_slot_that_vanished_is_never_created_again(void **state)
{
    static const struct fake_step script[] = { GREET, NO_SLOT, QUIET };
    struct fixture *fixture = *state;
    fixture->memory.slot_seen = true;
    fixture->memory.last_confirmed.value = 0x16B374D848;
    expect_refusal(fixture, script, ERROR_HALT, "slot_lost",
                   "replication slot \"orders\" is gone; this process confirmed up to 16/B374D848",
                   "pqcdc slot create --accept-gap");
    assert_true(fixture->memory.slot_seen);
}

/* What a standby saw of it counts as well: who read it may have confirmed, and it is gone now. */
ON_PIPELINE_THREAD static void a_slot_that_a_standby_saw_is_never_created_again(void **state)
{
    static const struct fake_step busy[] = {
        GREET,
        LOOK("logical|t|4711|pgoutput|d b|pqcdc:other|reserved|0/10|16/B374D848|16/B374D900|~|~"),
        QUIET
    };
    static const struct fake_step gone[] = { GREET, NO_SLOT, QUIET };
    struct fixture *fixture = *state;
    expect_refusal(fixture, busy, ERROR_WAIT, "slot_busy", "pid 4711", "");
    expect_refusal(fixture, gone, ERROR_HALT, "slot_lost", "confirmed up to 16/B374D848", "");
}

/* Dropped between our look and our START. */
ON_PIPELINE_THREAD static void a_slot_that_vanishes_before_the_start_is_lost(void **state)
{
    static const struct fake_step script[] = {
        GREET,
        FREE_SLOT,
        PUBLICATION,
        TABLES("public|users"),
        REPLICATION("7301"),
        { FAKE_EXPECT, "START_REPLICATION" },
        { FAKE_ERROR, "42704:replication slot \"orders\" does not exist" },
        QUIET
    };
    expect_refusal(*state, script, ERROR_HALT, "slot_lost", "16/B374D848", "--accept-gap");
}

ON_PIPELINE_THREAD static void a_missing_slot_is_created_only_when_it_may_be(void **state)
{
    static const struct fake_step script[] = { GREET, NO_SLOT, PUBLICATION, TABLES("public|users"),
                                               QUIET };
    struct fixture *fixture = *state;
    fixture->with.create_slot = false;
    expect_refusal(fixture, script, ERROR_HALT, "slot_missing", "\"orders\" does not exist",
                   "SELECT pg_create_logical_replication_slot('orders', 'pgoutput');");
}

/* A slot that is older than its publication cannot decode: that order, whatever happens next. */
ON_PIPELINE_THREAD static void the_publication_is_made_before_the_slot(void **state)
{
    static const struct fake_step script[] = { GREET,
                                               NO_SLOT,
                                               NO_PUBLICATION,
                                               { FAKE_EXPECT, "CREATE PUBLICATION \"orders_pub\"" },
                                               { FAKE_DONE, NULL },
                                               TABLES("public|users"),
                                               { FAKE_ACCEPT, "replication|database" },
                                               { FAKE_FATAL,
                                                 "53300:all replication connections are in use" },
                                               { FAKE_END, NULL } };
    struct fixture *fixture = *state;
    assert_false(try_open(fixture, script));
    assert_string_equal(fixture->err.code, "53300");
    assert_string_equal(fixture->note, "publication \"orders_pub\" created orders_pub");
    assert_false(fixture->memory.slot_seen);
}

/* ---- what must be right before ---- */

ON_PIPELINE_THREAD static void a_publication_is_never_made_after_its_slot(void **state)
{
    static const struct fake_step script[] = { GREET, FREE_SLOT, NO_PUBLICATION, QUIET };
    expect_refusal(*state, script, ERROR_HALT, "publication_missing_slot_exists", "orders_pub", "");
}

ON_PIPELINE_THREAD static void a_table_without_a_topic_refuses_the_start(void **state)
{
    static const struct fake_step script[] = { GREET, FREE_SLOT, PUBLICATION,
                                               TABLES("public|users\nsales|other"), QUIET };
    expect_refusal(*state, script, ERROR_HALT, "topic_unmapped", "sales.other", "");
}

/* Maybe a misspelled name: said, and said once. */
ON_PIPELINE_THREAD static void a_mapping_for_no_published_table_is_noted_once(void **state)
{
    static const struct fake_step script[] = { GREET,      FREE_SLOT,           PUBLICATION,
                                               TABLES(""), REPLICATION("7302"), QUIET };
    struct fixture *fixture = *state;
    memcpy(fixture->memory.system_id, "7301", sizeof("7301"));
    expect_refusal(fixture, script, ERROR_HALT, "other_server", "", "");
    assert_string_equal(fixture->note, "a table has a topic but is not published public.users");
    fixture->note[0] = '\0';
    expect_refusal(fixture, script, ERROR_HALT, "other_server", "", "");
    assert_string_equal(fixture->note, "");
}

/* It would begin at the wrong place of another history. */
ON_PIPELINE_THREAD static void another_server_behind_the_same_address_halts(void **state)
{
    static const struct fake_step script[] = {
        GREET, FREE_SLOT, PUBLICATION, TABLES("public|users"), REPLICATION("7302"), QUIET
    };
    struct fixture *fixture = *state;
    assert_true(try_open(fixture, streaming));
    close_all(fixture);
    expect_refusal(fixture, script, ERROR_HALT, "other_server", "7302, before it was 7301",
                   "cdc.host");
    assert_string_equal(fixture->memory.system_id, "7301");
}

/* What it writes next would stand where other changes, already delivered, stood. */
ON_PIPELINE_THREAD static void a_server_that_was_set_back_halts(void **state)
{
    static const struct fake_step script[] = {
        GREET, FREE_SLOT, PUBLICATION, TABLES("public|users"), REPLICATION("7301"), QUIET
    };
    struct fixture *fixture = *state;
    fixture->memory.last_confirmed.value = 0x16B374D901;
    expect_refusal(fixture, script, ERROR_HALT, "diverged",
                   "its WAL ends at 16/B374D900, but changes up to 16/B374D901 were delivered",
                   "restored or failed over");
}

/* ---- the gate and the stop ---- */

ON_PIPELINE_THREAD static void who_may_not_lead_does_not_even_connect(void **state)
{
    struct fixture *fixture = *state;
    fixture->starts_left = 0;
    fixture->with.conn = (struct db_conn_options){ .host = "127.0.0.1", .port = "1" };
    assert_false(session_open(&fixture->with, &fixture->memory, INTERRUPT_NONE, &fixture->stream,
                              &fixture->err));
    fake_assert_error(&fixture->err, ERROR_STEP_DOWN, "not_leader", "another replica leads", "");
}

/* The last look is right before START_REPLICATION. */
ON_PIPELINE_THREAD static void who_stops_leading_meanwhile_does_not_start(void **state)
{
    static const struct fake_step script[] = {
        GREET, FREE_SLOT, PUBLICATION, TABLES("public|users"), REPLICATION("7301"), QUIET
    };
    struct fixture *fixture = *state;
    fixture->starts_left = 1;
    expect_refusal(fixture, script, ERROR_STEP_DOWN, "not_leader", "another replica leads", "");
    assert_true(fixture->memory.slot_seen);
}

/* The server lets the connection wait: without the stop it would take ten seconds. */
ON_PIPELINE_THREAD static void a_stop_ends_a_start_that_waits(void **state)
{
    static const struct fake_step script[] = { { FAKE_END, NULL } };
    struct fixture *fixture = *state;
    const struct interrupt interrupt = { .stop_fd = eventfd(1, EFD_CLOEXEC) };
    serve(fixture, script);
    assert_false(
        session_open(&fixture->with, &fixture->memory, interrupt, &fixture->stream, &fixture->err));
    assert_int_equal(fixture->err.class, ERROR_STOPPED);
    (void)close(interrupt.stop_fd);
}

ON_PIPELINE_THREAD static void nobody_at_the_address_is_tried_again_later(void **state)
{
    struct fixture *fixture = *state;
    fixture->with.conn =
        (struct db_conn_options){ .host = "127.0.0.1", .port = "1", .user = "u", .database = "d" };
    assert_false(session_open(&fixture->with, &fixture->memory, INTERRUPT_NONE, &fixture->stream,
                              &fixture->err));
    assert_int_equal(fixture->err.class, ERROR_RECONNECT);
}

/* ---- pqcdc slot create ---- */

static void a_slot_that_exists_is_not_created(void **state)
{
    static const struct fake_step script[] = { GREET, FREE_SLOT, QUIET };
    struct fixture *fixture = *state;
    lsn_t point = { 7 };
    serve(fixture, script);
    assert_false(session_create_slot(&fixture->with, INTERRUPT_NONE, true, &point, &fixture->err));
    fake_assert_error(&fixture->err, ERROR_HALT, "slot_exists", "\"orders\" exists already",
                      "pqcdc slot drop");
    assert_int_equal(point.value, 7);
}

static void a_slot_that_is_read_exists_as_well(void **state)
{
    static const struct fake_step script[] = {
        GREET,
        LOOK("logical|t|4711|pgoutput|d b|pqcdc:other|reserved|0/10|16/B374D848|16/B374D900|~|~"),
        QUIET
    };
    struct fixture *fixture = *state;
    lsn_t point = { 7 };
    serve(fixture, script);
    assert_false(session_create_slot(&fixture->with, INTERRUPT_NONE, true, &point, &fixture->err));
    fake_assert_error(&fixture->err, ERROR_HALT, "slot_exists", "\"orders\" exists already", "");
}

/* Its publication tells that there was a slot, whose changes are lost to the new one. */
static void a_gap_is_accepted_in_words_only(void **state)
{
    static const struct fake_step refused[] = { GREET, NO_SLOT, PUBLICATION, QUIET };
    static const struct fake_step accepted[] = { GREET,
                                                 NO_SLOT,
                                                 PUBLICATION,
                                                 { FAKE_ACCEPT, "replication|database" },
                                                 { FAKE_FATAL, "53300:no connection is left" },
                                                 { FAKE_END, NULL } };
    struct fixture *fixture = *state;
    lsn_t point = { 7 };
    serve(fixture, refused);
    assert_false(session_create_slot(&fixture->with, INTERRUPT_NONE, false, &point, &fixture->err));
    fake_assert_error(&fixture->err, ERROR_HALT, "gap",
                      "begins now, and changes committed before are not delivered",
                      "pqcdc slot create --accept-gap");
    fake_walsender_end(&fixture->fake);
    serve(fixture, accepted);
    assert_false(session_create_slot(&fixture->with, INTERRUPT_NONE, true, &point, &fixture->err));
    assert_string_equal(fixture->err.code, "53300"); /* it came as far as the creation */
}

static void a_slot_is_created_after_its_publication(void **state)
{
    static const struct fake_step script[] = { GREET,
                                               NO_SLOT,
                                               NO_PUBLICATION,
                                               NO_PUBLICATION,
                                               { FAKE_EXPECT, "CREATE PUBLICATION \"orders_pub\"" },
                                               { FAKE_DONE, NULL },
                                               { FAKE_ACCEPT, "replication|database" },
                                               { FAKE_FATAL,
                                                 "53300:all replication connections are in use" },
                                               { FAKE_END, NULL } };
    struct fixture *fixture = *state;
    lsn_t point = { 7 };
    serve(fixture, script);
    assert_false(session_create_slot(&fixture->with, INTERRUPT_NONE, false, &point, &fixture->err));
    assert_string_equal(fixture->err.code, "53300");
    assert_int_equal(point.value, 7);
}

#define SESSION_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SESSION_TEST(a_free_slot_is_streamed_from_where_it_stands),
        SESSION_TEST(what_was_confirmed_is_remembered),
        SESSION_TEST(a_slot_that_is_read_is_waited_for),
        SESSION_TEST(a_slot_that_is_being_created_is_waited_for),
        SESSION_TEST(a_slot_that_was_taken_meanwhile_is_waited_for),
        SESSION_TEST(a_slot_of_another_plugin_is_not_ours),
        SESSION_TEST(a_slot_that_vanished_is_never_created_again),
        SESSION_TEST(a_slot_that_a_standby_saw_is_never_created_again),
        SESSION_TEST(a_slot_that_vanishes_before_the_start_is_lost),
        SESSION_TEST(a_missing_slot_is_created_only_when_it_may_be),
        SESSION_TEST(the_publication_is_made_before_the_slot),
        SESSION_TEST(a_publication_is_never_made_after_its_slot),
        SESSION_TEST(a_table_without_a_topic_refuses_the_start),
        SESSION_TEST(a_mapping_for_no_published_table_is_noted_once),
        SESSION_TEST(another_server_behind_the_same_address_halts),
        SESSION_TEST(a_server_that_was_set_back_halts),
        SESSION_TEST(who_may_not_lead_does_not_even_connect),
        SESSION_TEST(who_stops_leading_meanwhile_does_not_start),
        SESSION_TEST(a_stop_ends_a_start_that_waits),
        SESSION_TEST(nobody_at_the_address_is_tried_again_later),
        SESSION_TEST(a_slot_that_exists_is_not_created),
        SESSION_TEST(a_slot_that_is_read_exists_as_well),
        SESSION_TEST(a_gap_is_accepted_in_words_only),
        SESSION_TEST(a_slot_is_created_after_its_publication),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
