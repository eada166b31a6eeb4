/* What the gate has to say in a session, and what it is told; pqcdc slot create. */
#include "unit/connector/session_fixture.h"

/* ---- what the gate remembers ---- */

ON_PIPELINE_THREAD static void a_stream_is_noted_before_it_starts(void **state)
{
    struct fixture *fixture = *state;
    assert_true(try_open(fixture, streaming));
    assert_string_equal(fixture->remembered.system_id, "7301");
    assert_int_equal(fixture->remembered.timeline, 1);
    assert_true(fixture->remembered.delivered.value == 0x16B374D848); /* where the slot stands */
    assert_true(lsn_is_none(fixture->remembered.consistent_point));
}

/* A replica that never saw the slot itself must not begin anew. */
ON_PIPELINE_THREAD static void a_slot_that_another_replica_saw_is_never_created_again(void **state)
{
    static const struct fake_step script[] = { GREET, NO_SLOT, QUIET };
    struct fixture *fixture = *state;
    fixture->recalls = true;
    fixture->recalled.delivered.value = 0x16B374D848;
    fixture->with.gate.how_to_forget = "kubectl annotate lease x pqcdc.io/source-";
    expect_refusal(fixture, script, ERROR_HALT, "slot_lost", "up to 16/B374D848 of it",
                   "kubectl annotate lease x pqcdc.io/source-");
    fake_assert_contains(fixture->err.advice, "--accept-gap");
}

/* What one replica found out holds for each: the note says how far changes were delivered. */
ON_PIPELINE_THREAD static void a_server_that_has_diverged_has_so_for_every_replica(void **state)
{
    static const struct fake_step script[] = { GREET,
                                               FREE_SLOT,
                                               PUBLICATION,
                                               TABLES("public|users"),
                                               REPLICATION("7301"),
                                               { FAKE_EXPECT, "pg_is_in_recovery" },
                                               { FAKE_ROWS, "f" },
                                               QUIET };
    struct fixture *fixture = *state;
    memcpy(fixture->memory.identity.system_id, "7301", sizeof("7301"));
    fixture->memory.identity.timeline = 1;
    fixture->memory.identity.published.value = 0x16B374D901;
    fixture->with.gate.how_to_forget = "forget it so";
    expect_refusal(fixture, script, ERROR_HALT, "diverged", "16/B374D901", "forget it so");
    assert_true(fixture->remembered.delivered.value == 0x16B374D901);
    fixture->memory = (struct session_memory){ .mapping_noted = true };
    fixture->recalls = true;
    fixture->recalled = fixture->remembered;
    expect_refusal(fixture, script, ERROR_HALT, "diverged", "16/B374D901", "forget it so");
}

ON_PIPELINE_THREAD static void other_failures_are_not_advised_to_forget(void **state)
{
    static const struct fake_step script[] = { GREET, FREE_SLOT, NO_PUBLICATION, QUIET };
    struct fixture *fixture = *state;
    fixture->with.gate.how_to_forget = "forget it so";
    expect_refusal(fixture, script, ERROR_HALT, "publication_missing_slot_exists", "", "");
    assert_null(strstr(fixture->err.advice, "forget it so"));
}

/* ---- the gate and the stop ---- */

ON_PIPELINE_THREAD static void who_may_not_lead_does_not_even_connect(void **state)
{
    struct fixture *fixture = *state;
    fixture->starts_left = 0;
    fixture->with.conn = (struct db_conn_options){ .host = "127.0.0.1", .port = "1" };
    assert_false(session_open(&fixture->with, &fixture->memory, INTERRUPT_NONE, &fixture->stream,
                              &fixture->err));
    fake_assert_error(&fixture->err, ERROR_STEP_DOWN, "not_leader",
                      "another replica leads, or nobody can prove that this one does", "");
}

/* The last look is right before START_REPLICATION. */
ON_PIPELINE_THREAD static void who_stops_leading_meanwhile_does_not_start(void **state)
{
    static const struct fake_step script[] = {
        GREET, FREE_SLOT, PUBLICATION, TABLES("public|users"), REPLICATION("7301"), QUIET
    };
    struct fixture *fixture = *state;
    fixture->starts_left = 1;
    expect_refusal(fixture, script, ERROR_STEP_DOWN, "not_leader",
                   "another replica leads, or nobody can prove that this one does", "");
    assert_true(fixture->memory.identity.slot_seen);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        SESSION_TEST(a_stream_is_noted_before_it_starts),
        SESSION_TEST(a_slot_that_another_replica_saw_is_never_created_again),
        SESSION_TEST(a_server_that_has_diverged_has_so_for_every_replica),
        SESSION_TEST(other_failures_are_not_advised_to_forget),
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
