/* How pipeline_run() ends when something fails: with what error, what it still waits for, and
 * nothing confirmed too much. */
#include "pipeline_line.h"

#include <errno.h>

/* ---- records ---- */

static void a_refused_record_stops_the_line_and_names_its_topic(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_transaction(line, 200, "b");
    line_transaction(line, 300, "c");
    line_expect_records(line, 3);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_flush(line, 110);
    scripted_delivery_ack(&line->delivery, 2);
    line_expect_still(line, 110);
    scripted_delivery_refuse(&line->delivery, 1);
    line_expect_goodbye(line, 110);
    line_expect_error(
        line, ERROR_HALT, "TOPIC_AUTHORIZATION_FAILED",
        "a record of topic \"orders\", transaction that ends at 0/D2: not authorised");
    assert_int_equal(ack_tracker_confirmed(line->with.tracker).value, 110);
}

static void what_was_sent_before_a_refused_record_is_waited_for(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_transaction(line, 200, "b,c");
    line_transaction(line, 300, "d");
    line_expect_records(line, 4);
    scripted_delivery_refuse(&line->delivery, 3);
    LINE_WAIT(scripted_delivery_read(&line->delivery));
    for (uint32_t i = 0; i < 3; i++)
        scripted_delivery_ack(&line->delivery, i);
    line->allowed = 210;
    line_expect_goodbye(line, 210);
    line_expect_error(line, ERROR_HALT, "TOPIC_AUTHORIZATION_FAILED", "topic \"orders\"");
}

static void a_record_that_cannot_be_sent_names_its_transaction(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_expect_records(line, 1);
    scripted_delivery_fails(&line->delivery, true);
    line_transaction(line, 0x16B374D848, "b");
    LINE_WAIT(scripted_handler_calls(&line->handler, CHANGE_INSERT) == 2);
    scripted_delivery_ack(&line->delivery, 0);
    line->allowed = 110;
    line_expect_goodbye(line, 110);
    line_expect_error(line, ERROR_HALT, "MSG_SIZE_TOO_LARGE",
                      "transaction at 16/B374D848: the record is too large");
}

/* What it holds will not arrive: nothing is waited for. */
static void a_lost_producer_ends_the_stream_at_once(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_expect_records(line, 1);
    scripted_delivery_say(&line->delivery, DELIVERY_NOTE); /* only a line in the log */
    line_expect_still(line, 0);
    line_stop_time(line);
    scripted_delivery_say(&line->delivery, DELIVERY_LOST);
    line_expect_no_goodbye(line);
    line_join_in_no_time(line);
    line_expect_error(line, ERROR_RECONNECT, "_FATAL", "the producer says so");
    assert_int_equal(ack_tracker_confirmed(line->with.tracker).value, 0);
}

/* ---- changes ---- */

static void a_handler_that_fails_stops_the_line_with_table_and_position(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_begin(line, 0x16B374D848);
    line_relation(line);
    line_row(line, "a");
    line_row(line, "fail");
    line_row(line, "b");
    line_commit(line, 0x16B374D848);
    line_expect_failure(line, ERROR_HALT, "handler_says_no",
                        "insert of table public.orders, transaction at 16/B374D848: "
                        "it cannot become a record");
    assert_int_equal(scripted_handler_calls(&line->handler, CHANGE_INSERT), 2);
    assert_int_equal(scripted_handler_calls(&line->handler, CHANGE_COMMIT), 0);
    line_expect_records(line, 1);
}

/* The transactions before it are delivered; the half one is not confirmed. */
static void what_was_sent_before_a_failed_change_is_waited_for(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_begin(line, 200);
    line_row(line, "b");
    line_row(line, "fail");
    line_expect_records(line, 2);
    LINE_WAIT(scripted_handler_calls(&line->handler, CHANGE_INSERT) == 3);
    scripted_delivery_ack(&line->delivery, 1);
    scripted_delivery_ack(&line->delivery, 0);
    line->allowed = 110;
    line_expect_goodbye(line, 110);
    line_expect_error(line, ERROR_HALT, "handler_says_no", "insert of table public.orders");
    fake_assert_contains(line->warning, "transaction=0/C8 transaction_cut=1");
}

static void a_failure_of_no_single_table_names_the_position_as_well(void **state)
{
    static const struct {
        enum change_kind kind;
        const char *text;
    } rows[] = {
        { CHANGE_BEGIN, "begin, transaction at 16/B374D848: it cannot" },
        { CHANGE_TRUNCATE, "truncate, transaction at 16/B374D848: it cannot" },
        { CHANGE_COMMIT, "commit, transaction at 16/B374D848: it cannot" },
    };
    struct line *line = *state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        atomic_store(&line->handler.fails, (int)rows[i].kind);
        line_start(line);
        line_begin(line, 0x16B374D848);
        line_relation(line);
        line_say(line, bytes_truncate(LINE_TABLE_OID));
        line_commit(line, 0x16B374D848);
        line_expect_failure(line, ERROR_HALT, "handler_says_no", rows[i].text);
    }
}

/* ---- bytes ---- */

static void undecodable_bytes_name_their_position(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_begin(line, 200);
    line_expect_records(line, 1);
    line->position = 0x16B374D848;
    struct buf broken = bytes_insert(LINE_TABLE_OID, SLICE_TEXT("b"));
    broken.size--;
    line_say(line, broken);
    line_commit(line, 200);
    line_expect_failure(line, ERROR_HALT, "undecodable", "at WAL position 16/B374D848");
    assert_int_equal(scripted_handler_calls(&line->handler, CHANGE_COMMIT), 1);
    line_expect_records(line, 1);
}

/* The decoder knows messages; that rows and Commit belong into a transaction is the line's matter.
 */
static void messages_out_of_order_are_undecodable(void **state)
{
    struct line *line = *state;
    for (int i = 0; i < 4; i++) {
        line_start(line);
        line->allowed = 0x16B374D848 + 10;
        line_transaction(line, 0x16B374D848, "");
        if (i == 0)
            line_row(line, "a");
        else if (i == 1)
            line_commit(line, 200);
        else if (i == 2)
            line_say(line, bytes_truncate(LINE_TABLE_OID));
        else
            line_begin(line, 0x16B374D848);
        if (i == 3)
            line_begin(line, 300);
        line_expect_failure(line, ERROR_HALT, "undecodable",
                            i == 3 ? "begin message inside a transaction"
                                   : "message outside a transaction");
        fake_assert_contains(line->err.text, "16/B374D848");
        line_expect_records(line, 0);
    }
}

/* ---- the server ---- */

/* Nothing is wound up: the producer goes on, and so may the next stream. */
static void an_error_of_the_server_cuts_the_stream(void **state)
{
    static const struct {
        const char *severity, *error, *code;
        enum error_class class;
    } rows[] = {
        { "FATAL", "57P01:the server says so", "57P01", ERROR_RECONNECT },
        { "ERROR", "XX000:the server says so", "XX000", ERROR_RETRY },
    };
    struct line *line = *state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        line_start(line);
        line_transaction(line, 100, "a");
        line_expect_records(line, (uint32_t)i + 1);
        line_stop_time(line);
        fake_walsender_send_error(&line->fake, rows[i].severity, rows[i].error);
        line_expect_cut(line, rows[i].class, rows[i].code, "the server says so");
    }
}

/* A person must act: that takes its time, and somebody else may read the slot meanwhile. */
static void an_error_that_a_person_must_mend_winds_up(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_expect_records(line, 1);
    line_stop_time(line);
    fake_walsender_send_error(&line->fake, "ERROR", "XX001:a page is broken");
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_no_goodbye(line);
    line_join_in_no_time(line);
    line_expect_failure_said(line, ERROR_HALT, "XX001", "a page is broken");
    assert_int_equal(ack_tracker_confirmed(line->with.tracker).value, 110);
}

static void a_stream_that_the_server_ends_is_cut(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_stop_time(line);
    fake_walsender_send(&line->fake, 'c', NULL, 0);
    line_expect_cut(line, ERROR_RECONNECT, "stream_ended", "the server ended");
}

static void a_connection_that_is_lost_cuts_the_pipeline(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_expect_records(line, 1);
    line_lose_connection(line);
    assert_int_equal(ack_tracker_confirmed(line->with.tracker).value, 0);
}

/* Nobody reads the socket then; only its hang-up says so. */
static void a_hang_up_is_noticed_while_the_socket_is_not_read(void **state)
{
    struct line *line = *state;
    scripted_delivery_room(&line->delivery, 1);
    line_start(line);
    line_transaction(line, 100, "a,b");
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_OUTBOX);
    line_row(line, "never read");
    line_stop_time(line);
    (void)shutdown(line->fake.server.fd, SHUT_WR);
    line_expect_cut(line, ERROR_RECONNECT, "connection_lost", "closed the replication");
    line_expect_records(line, 1);
}

/* It is neither waited for nor taken back: it becomes progress while nothing streams. */
static void what_was_sent_goes_on_when_the_server_is_gone(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_transaction(line, 200, "b");
    line_expect_records(line, 2);
    LINE_WAIT(atomic_load(&line->status.received_lsn) == 210);
    line_lose_connection(line);
    fake_assert_contains(line->loss, "received=0/D2 transaction_cut=0 records_unconfirmed=2");
    scripted_delivery_ack(&line->delivery, 0);
    line_serve(line);
    assert_int_equal(ack_tracker_confirmed(line->with.tracker).value, 110);
    scripted_delivery_ack(&line->delivery, 1);
    line_serve(line);
    assert_int_equal(ack_tracker_confirmed(line->with.tracker).value, 210);
    assert_true(pipeline_is_cut(line->pipeline));
}

/* What was sent is waited for though nobody can be told: else it would be sent twice at once. */
static void what_was_sent_is_waited_for_when_the_stream_is_of_no_use(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_transaction(line, 200, "b");
    line_expect_records(line, 2);
    line_stop_time(line);
    line_row(line, "out of order");
    scripted_delivery_ack(&line->delivery, 0);
    LINE_WAIT(scripted_delivery_read(&line->delivery));
    assert_false(scripted_delivery_abandoned(&line->delivery));
    scripted_delivery_ack(&line->delivery, 1);
    line_expect_no_goodbye(line);
    line_join_in_no_time(line);
    line_expect_failure_said(line, ERROR_HALT, "undecodable", "");
    assert_int_equal(ack_tracker_confirmed(line->with.tracker).value, 210);
    assert_string_equal(line->warning, "");
}

/* Three things end that wait early; it_does_not_wait_for_ever shows the fourth, time. */
static void it_does_not_wait_for_what_will_not_come(void **state)
{
    struct line *line = *state;
    for (int i = 0; i < 3; i++) {
        scripted_delivery_connected(&line->delivery, true);
        line_start(line);
        line_transaction(line, 100, "a");
        line_expect_records(line, (uint32_t)i + 1);
        line_begin(line, 200); /* so that a stop goes on reading */
        LINE_WAIT(scripted_handler_calls(&line->handler, CHANGE_BEGIN) == 2 * (uint32_t)(i + 1));
        if (i == 0)
            scripted_delivery_connected(&line->delivery, false);
        line_stop_time(line);
        line_begin(line, 300);
        if (i == 1)
            scripted_delivery_say(&line->delivery, DELIVERY_LOST);
        else if (i == 2)
            line_ask_to_stop(line);
        line_join_in_no_time(line);
        fake_assert_contains(line->warning, "what is unconfirmed comes again");
        fake_assert_contains(line->warning, "records_unconfirmed=1");
        assert_true(scripted_delivery_abandoned(&line->delivery));
    }
}

static void it_does_not_wait_for_ever(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_expect_records(line, 1);
    line_row(line, "out of order");
    line_expect_failure(line, ERROR_HALT, "undecodable", "");
    assert_int_equal(ack_tracker_confirmed(line->with.tracker).value, 0);
    fake_assert_contains(line->warning, "records_unconfirmed=1");
}

/* The watcher's session ends with a farewell, and the next one is refused: the server shuts down,
 * and waits for a confirmation that Kafka does not let us give. */
static const struct fake_step shutting_down[] = {
    { FAKE_GREET, "15.4" },
    { FAKE_EXPECT, "pg_replication_slots" },
    { FAKE_FATAL, "57P01:terminating connection due to administrator command" },
    { FAKE_ACCEPT, NULL },
    { FAKE_FATAL, "57P03:the database system is shutting down" },
    { FAKE_END, NULL },
};
static const struct fake_step not_yet[] = { { FAKE_END, NULL } };

static void a_server_that_shuts_down_is_let_go(void **state)
{
    struct line *line = *state;
    struct fake_postgres farewell;
    fake_postgres_begin(&farewell, not_yet);
    watcher_stop(line->with.watcher);
    line->with.watcher = watcher_start(&(struct watcher_options){ .conn = fake_options(&farewell),
                                                                  .slot = "orders",
                                                                  .interval_ms = 60 * 1000,
                                                                  .clock = clock_system() });
    line_start(line);
    line_keepalive(line, 50, false);
    line_expect_flush(line, 50);
    assert_int_equal(pthread_join(farewell.thread, NULL), 0);
    farewell.script = shutting_down;
    assert_int_equal(pthread_create(&farewell.thread, NULL, fake_main, &farewell), 0);
    LINE_WAIT(watcher_shutdown_noticed(line->with.watcher));
    line_keepalive(line, 60, true); /* with nothing in flight there is nothing to wait for */
    line_expect_flush(line, 60);
    line_stop_time(line);
    line_transaction(line, 100, "a");
    line_expect_cut(line, ERROR_RECONNECT, "server_shutdown", "PostgreSQL shuts down");
    assert_int_equal(ack_tracker_confirmed(line->with.tracker).value, 60);

    /* A notice from before a stream says nothing of the server that it streams from. */
    line_start(line);
    line_transaction(line, 100, "a");
    line_expect_records(line, 2);
    line_expect_still(line, 0);
    scripted_delivery_ack(&line->delivery, 1);
    line_expect_flush(line, 110);
    fake_postgres_end(&farewell);
}

/* ---- the producer's last writes ---- */

static void the_slot_is_kept_until_the_producer_is_quiet(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "");
    line_expect_flush(line, 110);
    scripted_delivery_unanswered(&line->delivery, true);
    line_stop_time(line);
    line_row(line, "out of order");
    LINE_WAIT(scripted_delivery_abandoned(&line->delivery));
    assert_int_equal(pthread_tryjoin_np(line->thread, NULL), EBUSY);
    scripted_delivery_unanswered(&line->delivery, false);
    line_join_in_no_time(line);
    line_expect_error(line, ERROR_HALT, "undecodable", "");
    assert_string_equal(line->warning, "");
}

static void a_producer_that_does_not_become_quiet_is_said(void **state)
{
    struct line *line = *state;
    line_start(line);
    scripted_delivery_unanswered(&line->delivery, true);
    line_row(line, "out of order");
    line_expect_failure(line, ERROR_HALT, "undecodable", "");
    fake_assert_contains(line->warning, "requests to Kafka are still unanswered");
}

/* ---- who may stream ---- */

static bool asked(void *self)
{
    return atomic_load((atomic_bool *)self);
}

/* Somebody else leads: nothing is waited for, not even an acknowledgement that is there. */
static void a_gate_that_closes_ends_the_stream_at_once(void **state)
{
    struct line *line = *state;
    atomic_bool closed = false;
    line->with.gate.self = &closed;
    line->with.gate.must_stop = asked;
    line_start(line);
    line_transaction(line, 100, "a");
    line_expect_records(line, 1);
    line_expect_still(line, 0);
    line_stop_time(line);
    atomic_store(&closed, true);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_no_goodbye(line);
    line_join_in_no_time(line);
    line_expect_error(line, ERROR_STEP_DOWN, "not_leader", "another replica leads now");
    assert_true(scripted_delivery_abandoned(&line->delivery));
    line_expect_records(line, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINE_TEST(a_refused_record_stops_the_line_and_names_its_topic),
        LINE_TEST(what_was_sent_before_a_refused_record_is_waited_for),
        LINE_TEST(a_record_that_cannot_be_sent_names_its_transaction),
        LINE_TEST(a_lost_producer_ends_the_stream_at_once),
        LINE_TEST(a_handler_that_fails_stops_the_line_with_table_and_position),
        LINE_TEST(what_was_sent_before_a_failed_change_is_waited_for),
        LINE_TEST(a_failure_of_no_single_table_names_the_position_as_well),
        LINE_TEST(undecodable_bytes_name_their_position),
        LINE_TEST(messages_out_of_order_are_undecodable),
        LINE_TEST(an_error_of_the_server_cuts_the_stream),
        LINE_TEST(an_error_that_a_person_must_mend_winds_up),
        LINE_TEST(a_stream_that_the_server_ends_is_cut),
        LINE_TEST(a_connection_that_is_lost_cuts_the_pipeline),
        LINE_TEST(a_hang_up_is_noticed_while_the_socket_is_not_read),
        LINE_TEST(what_was_sent_goes_on_when_the_server_is_gone),
        LINE_TEST(what_was_sent_is_waited_for_when_the_stream_is_of_no_use),
        LINE_TEST(it_does_not_wait_for_what_will_not_come),
        LINE_TEST(it_does_not_wait_for_ever),
        LINE_TEST(a_server_that_shuts_down_is_let_go),
        LINE_TEST(the_slot_is_kept_until_the_producer_is_quiet),
        LINE_TEST(a_producer_that_does_not_become_quiet_is_said),
        LINE_TEST(a_gate_that_closes_ends_the_stream_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
