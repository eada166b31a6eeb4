/* From nothing to a stream, against a server that plays a script. */
#include "unit/connector/session_fixture.h"

/* ---- a slot that is free ---- */

ON_PIPELINE_THREAD static void a_free_slot_is_streamed_from_where_it_stands(void **state)
{
    struct fixture *fixture = *state;
    struct wal_message message;
    if (!try_open(fixture, streaming))
        fail_msg("%s", fixture->err.text);
    fake_walsender_take_over(&fixture->fake);
    assert_true(fixture->memory.identity.slot_seen);
    assert_true(fixture->memory.identity.confirmed.value == 0x16B374D848);
    assert_string_equal(fixture->memory.identity.system_id, "7301");
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
    fixture->memory.identity.confirmed.value = 0x16B374D900;
    assert_true(try_open(fixture, streaming));
    assert_true(fixture->memory.identity.confirmed.value == 0x16B374D900);
    close_all(fixture);
    assert_true(try_open(fixture, streaming));
    assert_true(fixture->memory.identity.confirmed.value == 0x16B374D900);
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
    assert_true(fixture->memory.identity.slot_seen);
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
    assert_true(fixture->memory.identity.slot_seen);
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
    fixture->memory.identity.slot_seen = true;
    fixture->memory.identity.confirmed.value = 0x16B374D848;
    expect_refusal(fixture, script, ERROR_HALT, "slot_lost",
                   "replication slot \"orders\" is gone; up to 16/B374D848 of it was confirmed",
                   "pqcdc slot create --accept-gap");
    assert_true(fixture->memory.identity.slot_seen);
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
    expect_refusal(fixture, gone, ERROR_HALT, "slot_lost", "up to 16/B374D848 of it was confirmed",
                   "");
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
    assert_false(fixture->memory.identity.slot_seen);
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
    memcpy(fixture->memory.identity.system_id, "7301", sizeof("7301"));
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
    assert_string_equal(fixture->memory.identity.system_id, "7301");
}

/* What it writes next would stand where other changes, already delivered, stood. */
ON_PIPELINE_THREAD static void a_server_that_was_set_back_halts(void **state)
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
    expect_refusal(fixture, script, ERROR_HALT, "diverged",
                   "its WAL ends at 16/B374D900, but changes up to 16/B374D901 were delivered",
                   "restored or failed over");
}

/* ---- a stream that was cut ---- */

/* It had confirmed up to where the slot stands, and received a little more. */
static void cut_stream(struct fixture *fixture)
{
    struct identity *identity = &fixture->memory.identity;
    memcpy(identity->system_id, "7301", sizeof("7301"));
    identity->timeline = 1;
    identity_note_start(identity, 4711);
    identity_note_end(identity, (lsn_t){ 0x16B374D848 }, (lsn_t){ 0x16B374D891 },
                      (lsn_t){ 0x16B374D880 }, true);
    assert_true(identity->resume_from.value == 0x16B374D880);
}

ON_PIPELINE_THREAD static void a_stream_that_was_cut_goes_on_where_it_was(void **state)
{
    static const struct fake_step script[] = {
        GREET,
        FREE_SLOT,
        PUBLICATION,
        TABLES("public|users"),
        REPLICATION("7301"),
        { FAKE_EXPECT, "START_REPLICATION SLOT \"orders\" LOGICAL 16/B374D880 (" },
        { FAKE_END, NULL },
    };
    struct fixture *fixture = *state;
    cut_stream(fixture);
    if (!try_open(fixture, script))
        fail_msg("%s", fixture->err.text);
    assert_non_null(fixture->stream);
    assert_int_equal(fixture->memory.identity.own_pid,
                     7); /* the fake's: it may hold the slot now */
}

/* The next attempt begins anew, once what was sent is taken back. */
ON_PIPELINE_THREAD static void expect_start_anew(struct fixture *fixture)
{
    assert_true(lsn_is_none(fixture->memory.identity.resume_from));
    if (!try_open(fixture, streaming))
        fail_msg("%s", fixture->err.text);
    assert_non_null(fixture->stream);
}

ON_PIPELINE_THREAD static void who_finds_somebody_at_the_slot_does_not_go_on(void **state)
{
    static const struct fake_step busy[] = {
        GREET,
        LOOK("logical|t|4712|pgoutput|d b|pqcdc:other|reserved|0/10|16/B374D848|16/B374D900|~|~"),
        QUIET
    };
    struct fixture *fixture = *state;
    cut_stream(fixture);
    expect_refusal(fixture, busy, ERROR_WAIT, "slot_busy", "is read by pid 4712", "");
    expect_start_anew(fixture);
}

ON_PIPELINE_THREAD static void a_slot_that_was_moved_on_is_not_resumed(void **state)
{
    static const struct fake_step moved[] = {
        GREET, LOOK("logical|f|~|pgoutput|d b|~|reserved|0/10|16/B374D881|16/B374D900|~|~"), QUIET
    };
    struct fixture *fixture = *state;
    cut_stream(fixture);
    expect_refusal(fixture, moved, ERROR_RETRY, "no_resume", "moved on to 16/B374D881", "");
    expect_start_anew(fixture);
}

/* Nothing is started, though the new timeline has all that was delivered. */
ON_PIPELINE_THREAD static void a_failover_is_not_resumed(void **state)
{
    static const struct fake_step failed_over[] = {
        GREET,
        FREE_SLOT,
        PUBLICATION,
        TABLES("public|users"),
        { FAKE_ACCEPT, "replication|database" },
        { FAKE_WELCOME, "15.4" },
        { FAKE_EXPECT, "IDENTIFY_SYSTEM" },
        { FAKE_ROWS, "7301|2|16/B374D900|d b" },
        { FAKE_EXPECT, "TIMELINE_HISTORY 2" },
        { FAKE_ROWS, "00000002.history|1\t16/B374D900\tx" },
        QUIET,
    };
    struct fixture *fixture = *state;
    cut_stream(fixture);
    expect_refusal(fixture, failed_over, ERROR_RETRY, "no_resume", "is on timeline 2;", "");
    assert_int_equal(fixture->memory.identity.timeline, 2);
    fixture->memory.identity.timeline = 1; /* of `streaming` */
    expect_start_anew(fixture);
}

/* All that was delivered is there, but the server was further when the stream was cut. */
ON_PIPELINE_THREAD static void a_server_that_lost_its_end_is_not_resumed(void **state)
{
    static const struct fake_step shorter[] = {
        GREET, FREE_SLOT, PUBLICATION, TABLES("public|users"), REPLICATION("7301"), QUIET
    };
    struct fixture *fixture = *state;
    cut_stream(fixture);
    fixture->memory.identity.resume_from.value = 0x16B374D901;
    expect_refusal(fixture, shorter, ERROR_RETRY, "no_resume", "WAL ends at 16/B374D900", "");
    expect_start_anew(fixture);
}

/* The server has not noticed yet that our last connection is gone: it will. */
ON_PIPELINE_THREAD static void a_slot_that_our_last_stream_holds_is_waited_for(void **state)
{
    static const struct fake_step held[] = {
        GREET,
        LOOK("logical|t|4711|pgoutput|d b|pqcdc:unit|reserved|0/10|16/B374D848|16/B374D900|~|~"),
        QUIET
    };
    struct fixture *fixture = *state;
    cut_stream(fixture);
    expect_refusal(fixture, held, ERROR_WAIT, "slot_held",
                   "replication slot \"orders\" is still held by our last stream, pid 4711", "");
    assert_true(fixture->memory.identity.resume_from.value == 0x16B374D880);
}

/* What has nothing to do with the resume does not end it. */
ON_PIPELINE_THREAD static void a_start_that_failed_may_still_go_on(void **state)
{
    static const struct fake_step refused[] = {
        GREET,
        FREE_SLOT,
        PUBLICATION,
        TABLES("public|users"),
        REPLICATION("7301"),
        { FAKE_EXPECT, "START_REPLICATION SLOT \"orders\" LOGICAL 16/B374D880 (" },
        { FAKE_ERROR, "53300:all replication slots are in use" },
        QUIET
    };
    static const struct fake_step full[] = { { FAKE_ACCEPT, NULL },
                                             { FAKE_FATAL, "53300:too many clients" },
                                             { FAKE_END, NULL } };
    struct fixture *fixture = *state;
    cut_stream(fixture);
    expect_refusal(fixture, refused, ERROR_RETRY, "53300", "", "");
    expect_refusal(fixture, full, ERROR_RETRY, "53300", "", "");
    assert_true(fixture->memory.identity.resume_from.value == 0x16B374D880);
    /* The start that was refused may have been ours for a moment. */
    assert_int_equal(fixture->memory.identity.older_pid, 4711);
}

/* Whoever leads may write by now. */
ON_PIPELINE_THREAD static void who_does_not_lead_any_more_does_not_go_on(void **state)
{
    static const struct fake_step before_start[] = {
        GREET, FREE_SLOT, PUBLICATION, TABLES("public|users"), REPLICATION("7301"), QUIET
    };
    struct fixture *fixture = *state;
    for (int starts = 0; starts < 2; starts++) {
        cut_stream(fixture);
        fixture->starts_left = starts;
        if (starts > 0)
            expect_refusal(fixture, before_start, ERROR_STEP_DOWN, "not_leader", "", "");
        else
            assert_false(session_open(&fixture->with, &fixture->memory, INTERRUPT_NONE,
                                      &fixture->stream, &fixture->err));
        assert_true(lsn_is_none(fixture->memory.identity.resume_from));
    }
    fixture->starts_left = -1;
    expect_start_anew(fixture);
}

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
        SESSION_TEST(a_stream_that_was_cut_goes_on_where_it_was),
        SESSION_TEST(who_finds_somebody_at_the_slot_does_not_go_on),
        SESSION_TEST(a_slot_that_was_moved_on_is_not_resumed),
        SESSION_TEST(a_failover_is_not_resumed),
        SESSION_TEST(a_server_that_lost_its_end_is_not_resumed),
        SESSION_TEST(a_slot_that_our_last_stream_holds_is_waited_for),
        SESSION_TEST(a_start_that_failed_may_still_go_on),
        SESSION_TEST(who_does_not_lead_any_more_does_not_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
