/* How pipeline_run() ends when something fails: with what error, and nothing confirmed too much. */
#include "pipeline_line.h"

/* ---- failures ---- */

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
    line_expect_failure(line, ERROR_HALT, "TOPIC_AUTHORIZATION_FAILED");
    fake_assert_contains(line->err.text, "topic \"orders\": not authorised");
    assert_int_equal(ack_tracker_confirmed(line->with.tracker).value, 110);
    assert_int_equal(atomic_load(&line->status.confirmed_lsn), 110);
    int64_t ignored;
    while (line_hear(line, &ignored) == 'd')
        continue;
    assert_int_equal(line->flushed, 110);
}

static void a_record_that_cannot_be_sent_names_its_transaction(void **state)
{
    struct line *line = *state;
    line_start(line);
    scripted_delivery_fails(&line->delivery, true);
    line_transaction(line, 0x16B374D848, "a");
    line_expect_failure(line, ERROR_HALT, "MSG_SIZE_TOO_LARGE");
    fake_assert_contains(line->err.text, "transaction at 16/B374D848: the record is too large");
}

static void a_lost_producer_ends_the_stream(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_expect_records(line, 1);
    scripted_delivery_say(&line->delivery, DELIVERY_NOTE); /* only a line in the log */
    line_expect_still(line, 0);
    scripted_delivery_say(&line->delivery, DELIVERY_LOST);
    line_expect_failure(line, ERROR_RECONNECT, "_FATAL");
    fake_assert_contains(line->warning, "the Kafka client reports");
    assert_int_equal(ack_tracker_confirmed(line->with.tracker).value, 0);
}

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
    line_expect_failure(line, ERROR_HALT, "handler_says_no");
    fake_assert_contains(line->err.text,
                         "insert of table public.orders, transaction at 16/B374D848: "
                         "it cannot become a record");
    assert_int_equal(scripted_handler_calls(&line->handler, CHANGE_INSERT), 2);
    assert_int_equal(scripted_handler_calls(&line->handler, CHANGE_COMMIT), 0);
    line_expect_records(line, 1);
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
        line_expect_failure(line, ERROR_HALT, "handler_says_no");
        fake_assert_contains(line->err.text, rows[i].text);
        ack_tracker_restart(line->with.tracker);
    }
}

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
    line_expect_failure(line, ERROR_HALT, "undecodable");
    fake_assert_contains(line->err.text, "16/B374D848");
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
        line_transaction(line, 0x16B374D848, "");
        if (i == 0)
            line_row(line, "a");
        else if (i == 1)
            line_commit(line, 200);
        else if (i == 2)
            line_say(line, bytes_truncate(LINE_TABLE_OID));
        if (i == 3) {
            line_begin(line, 0x16B374D848);
            line_begin(line, 300);
        }
        line_expect_failure(line, ERROR_HALT, "undecodable");
        fake_assert_contains(line->err.text, i == 3 ? "begin message inside a transaction"
                                                    : "message outside a transaction");
        fake_assert_contains(line->err.text, "16/B374D848");
        line_expect_records(line, 0);
        ack_tracker_restart(line->with.tracker);
        line->allowed = 0x16B374D848 + 10;
    }
}

static void an_error_of_the_server_ends_the_stream(void **state)
{
    static const struct {
        const char *severity, *error, *code;
        enum error_class class;
    } rows[] = {
        { "FATAL", "57P01:the server says so", "57P01", ERROR_RECONNECT },
        { "ERROR", "58P01:the server says so", "58P01", ERROR_HALT },
    };
    struct line *line = *state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        line_start(line);
        line_transaction(line, 100 * (i + 1), "a");
        line_expect_records(line, (uint32_t)i + 1);
        fake_walsender_send_error(&line->fake, rows[i].severity, rows[i].error);
        line_expect_failure(line, rows[i].class, rows[i].code);
        fake_assert_contains(line->err.text, "the server says so");
        ack_tracker_restart(line->with.tracker);
    }
}

static void a_stream_that_the_server_ends_is_opened_again(void **state)
{
    struct line *line = *state;
    line_start(line);
    fake_walsender_send(&line->fake, 'c', NULL, 0);
    line_expect_failure(line, ERROR_RECONNECT, "stream_ended");
}

static void a_connection_that_is_cut_is_noticed(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_expect_records(line, 1);
    fake_walsender_cut(&line->fake);
    line_expect_failure(line, ERROR_RECONNECT, "connection_lost");
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
    (void)shutdown(line->fake.server.fd, SHUT_WR);
    line_expect_failure(line, ERROR_RECONNECT, "connection_lost");
    line_expect_records(line, 1);
    assert_int_equal(atomic_load(&line->status.blocked), 0);
    assert_false(atomic_load(&line->status.transaction_open));
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

static void a_server_that_shuts_down_is_let_go(void **state)
{
    struct line *line = *state;
    struct fake_postgres farewell;
    fake_postgres_begin(&farewell, shutting_down);
    watcher_stop(line->with.watcher);
    line->with.watcher = watcher_start(&(struct watcher_options){ .conn = fake_options(&farewell),
                                                                  .slot = "orders",
                                                                  .interval_ms = 60 * 1000,
                                                                  .clock = clock_system() });
    LINE_WAIT(watcher_shutdown_noticed(line->with.watcher));
    line_start(line);
    line_keepalive(line, 50, true); /* with nothing in flight there is nothing to wait for */
    line_expect_flush(line, 50);
    line_transaction(line, 100, "a");
    line_expect_failure(line, ERROR_RECONNECT, "server_shutdown");
    assert_int_equal(ack_tracker_confirmed(line->with.tracker).value, 50);
    fake_postgres_end(&farewell);
}

/* ---- who may stream ---- */

static bool asked(void *self)
{
    return atomic_load((atomic_bool *)self);
}

static void a_gate_that_closes_ends_the_stream(void **state)
{
    struct line *line = *state;
    atomic_bool closed = false;
    line->with.gate.self = &closed;
    line->with.gate.must_stop = asked;
    line_start(line);
    line_transaction(line, 100, "a");
    line_expect_records(line, 1);
    line_expect_still(line, 0);
    atomic_store(&closed, true);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_failure(line, ERROR_STEP_DOWN, "not_leader");
    line_expect_records(line, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINE_TEST(a_refused_record_stops_the_line_and_names_its_topic),
        LINE_TEST(a_record_that_cannot_be_sent_names_its_transaction),
        LINE_TEST(a_lost_producer_ends_the_stream),
        LINE_TEST(a_handler_that_fails_stops_the_line_with_table_and_position),
        LINE_TEST(a_failure_of_no_single_table_names_the_position_as_well),
        LINE_TEST(undecodable_bytes_name_their_position),
        LINE_TEST(messages_out_of_order_are_undecodable),
        LINE_TEST(an_error_of_the_server_ends_the_stream),
        LINE_TEST(a_stream_that_the_server_ends_is_opened_again),
        LINE_TEST(a_connection_that_is_cut_is_noticed),
        LINE_TEST(a_hang_up_is_noticed_while_the_socket_is_not_read),
        LINE_TEST(a_server_that_shuts_down_is_let_go),
        LINE_TEST(a_gate_that_closes_ends_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
