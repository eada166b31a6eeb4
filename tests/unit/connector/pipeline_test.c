#include "pipeline_line.h"

/* ---- what may be confirmed ---- */

static void a_transaction_is_confirmed_once_all_its_records_are_acknowledged(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_begin(line, 100);
    line_relation(line);
    line_row(line, "a");
    line_row(line, "b");
    line_commit(line, 100);
    line_expect_records(line, 2);
    line_expect_record(line, 0, "100/0", "a");
    line_expect_record(line, 1, "100/1", "b");
    line_expect_still(line, 0);
    scripted_delivery_ack(&line->delivery, 1);
    line_expect_still(line, 0);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_flush(line, 110);
    assert_int_equal(atomic_load(&line->status.received_lsn), 110);
    assert_int_equal(atomic_load(&line->status.changes[CHANGE_INSERT]), 2);
    assert_int_equal(atomic_load(&line->status.changes[CHANGE_COMMIT]), 1);
    assert_int_equal(atomic_load(&line->status.commit_time_us),
                     BYTES_COMMIT_TIME + SERVER_TIME_EPOCH_US);
    assert_true(atomic_load(&line->status.lag_us) > 0);
    line_ask_to_stop(line);
    line_expect_clean_end(line, 110);
}

static void a_transaction_without_its_commit_is_never_confirmed(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_begin(line, 100);
    line_relation(line);
    line_row(line, "a");
    line_expect_records(line, 1);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_still(line, 0);
    assert_true(atomic_load(&line->status.transaction_open));
    line_commit(line, 100);
    line_expect_flush(line, 110);
}

static void nothing_is_confirmed_past_an_unacknowledged_transaction(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_transaction(line, 200, "b");
    line_transaction(line, 300, "c");
    line_transaction(line, 400, "d");
    line_expect_records(line, 4);
    scripted_delivery_ack(&line->delivery, 3);
    scripted_delivery_ack(&line->delivery, 1);
    line_expect_still(line, 0);
    assert_int_equal(atomic_load(&line->status.transactions_unconfirmed), 4);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_flush(line, 210);
    line_expect_still(line, 210);
    scripted_delivery_ack(&line->delivery, 2);
    line_expect_flush(line, 410);
}

static void a_change_with_several_records_needs_all_of_them(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a,b,c");
    line_expect_records(line, 3);
    line_expect_record(line, 0, "100/0", "a");
    line_expect_record(line, 1, "100/0", "b");
    line_expect_record(line, 2, "100/0", "c");
    scripted_delivery_ack(&line->delivery, 2);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_still(line, 0);
    scripted_delivery_ack(&line->delivery, 1);
    line_expect_flush(line, 110);
}

static void records_of_begin_and_commit_count_as_well(void **state)
{
    struct line *line = *state;
    line->handler.boundaries = true;
    line_start(line);
    line_begin(line, 100);
    line_commit(line, 100);
    line_expect_records(line, 2);
    line_expect_record(line, 0, "100/0", "begin");
    line_expect_record(line, 1, "100/0", "commit");
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_still(line, 0);
    scripted_delivery_ack(&line->delivery, 1);
    line_expect_flush(line, 110);
}

static void transactions_without_records_are_confirmed_at_once(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_begin(line, 100);
    line_commit(line, 100);
    line_expect_flush(line, 110);
    line_transaction(line, 200, "");
    line_expect_flush(line, 210);
    /* But not past one that has records. */
    line_transaction(line, 300, "a");
    line_begin(line, 400);
    line_commit(line, 400);
    line_expect_records(line, 1);
    line_expect_still(line, 210);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_flush(line, 410);
}

/* ---- keepalives ---- */

static void a_keepalive_between_transactions_raises_it(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_keepalive(line, 50, false);
    line_expect_flush(line, 50);
    line_transaction(line, 100, "a");
    line_expect_records(line, 1);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_flush(line, 110);
    line_keepalive(line, 40, false); /* an older one lowers nothing */
    line_keepalive(line, 500, false);
    line_expect_flush(line, 500);
}

static void a_keepalive_in_a_transaction_raises_nothing(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_begin(line, 100);
    line_keepalive(line, 5000, true);
    line_relation(line);
    line_row(line, "a");
    line_expect_records(line, 1);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_still(line, 0);
    line_commit(line, 100);
    line_expect_flush(line, 110);
    line_expect_still(line, 110);
}

static void a_keepalive_waits_for_the_records_before_it(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_keepalive(line, 150, false);
    line_keepalive(line, 160, false);
    line_transaction(line, 200, "b");
    line_expect_records(line, 2);
    line_expect_still(line, 0);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_flush(line, 160);
    line_expect_still(line, 160);
    scripted_delivery_ack(&line->delivery, 1);
    line_expect_flush(line, 210);
}

static void a_reply_that_is_asked_for_comes(void **state)
{
    struct line *line = *state;
    line_start(line);
    for (uint64_t end = 10; end <= 50; end += 10) {
        line_keepalive(line, end, true);
        line_expect_flush(line, end);
    }
}

/* ---- backpressure ---- */

/* Sends as much as the sockets take; returns how much of `bytes` that was. */
static size_t fill_sockets(const struct line *line, const struct buf *bytes)
{
    size_t sent = 0;
    for (;;) {
        struct pollfd ready = { .fd = line->fake.fd, .events = POLLOUT };
        if (poll(&ready, 1, 200) == 0)
            return sent;
        ssize_t taken = send(line->fake.fd, bytes->data + sent, bytes->size - sent,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
        if (taken > 0)
            sent += (size_t)taken;
        if (sent == bytes->size)
            return sent;
    }
}

enum { WIDE_ROWS = 400, WIDE_BYTES = 64 * 1024 };

/* CopyData messages of WIDE_ROWS inserts, each of whose texts begins with its number. */
static struct buf wide_rows(void)
{
    struct buf out = buf_init(2 * (size_t)WIDE_ROWS * WIDE_BYTES);
    AUTO(char *, memory_free_p) text = memory_alloc(WIDE_BYTES + 1);
    for (int i = 0; i < WIDE_ROWS; i++) {
        memset(text, 'x', WIDE_BYTES);
        (void)snprintf(text, 8, "%06d", i);
        text[6] = ' ';
        AUTO(struct buf, buf_done) row = bytes_insert(LINE_TABLE_OID, slice_of(text));
        buf_append_byte(&out, 'd');
        bytes_u32(&out, (uint32_t)(row.size + 29));
        buf_append_byte(&out, 'w');
        bytes_u64(&out, 1);
        bytes_u64(&out, LINE_SERVER_END);
        bytes_u64(&out, (uint64_t)BYTES_COMMIT_TIME);
        buf_append(&out, row.data, row.size);
    }
    CHECK(!out.failed);
    return out;
}

static void a_full_producer_stops_the_reading_and_nothing_else(void **state)
{
    struct line *line = *state;
    scripted_delivery_room(&line->delivery, 1);
    line_start(line);
    line_begin(line, 100);
    line_relation(line);
    line_row(line, "first");
    line_row(line, "second");
    LINE_WAIT(scripted_delivery_full_count(&line->delivery) > 0);
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_OUTBOX);
    /* Asked for or not, the server hears from us while the socket is not read. */
    line_keepalive(line, 70, true);
    for (int i = 0; i < 5; i++)
        line_expect_still(line, 0);
    AUTO(struct buf, buf_done) rows = wide_rows();
    size_t sent = fill_sockets(line, &rows);
    assert_true(sent < rows.size);
    assert_int_equal(scripted_handler_calls(&line->handler, CHANGE_INSERT), 2);
    line_expect_still(line, 0);

    /* Room: what waited and what came since, in order. */
    scripted_delivery_room(&line->delivery, UINT32_MAX);
    fake_write(line->fake.fd, rows.data + sent, rows.size - sent);
    line_commit(line, 100);
    line_expect_records(line, 2 + WIDE_ROWS);
    line_expect_record(line, 0, "100/0", "first");
    line_expect_record(line, 1, "100/1", "second");
    for (uint32_t i = 0; i < WIDE_ROWS; i++) {
        const struct scripted_record record = scripted_delivery_record(&line->delivery, 2 + i);
        assert_int_equal(strtoul(record.value, NULL, 10), i);
        assert_int_equal(record.value_size, WIDE_BYTES);
    }
    line_expect_still(line, 0);
    for (uint32_t i = 0; i < 2 + WIDE_ROWS; i++)
        scripted_delivery_ack(&line->delivery, i);
    line_expect_flush(line, 110);
    assert_int_equal(atomic_load(&line->status.blocked), 0);
}

static void what_waits_in_the_outbox_keeps_its_place(void **state)
{
    static const char *const expected[] = { "a", "b", "c", "d", "e", "f", "g" };
    struct line *line = *state;
    scripted_delivery_room(&line->delivery, 1);
    line_start(line);
    line_begin(line, 100);
    line_relation(line);
    line_row(line, "a,b,c,d");
    line_row(line, "e");
    line_row(line, "f,g");
    line_commit(line, 100);
    for (uint32_t count = 1; count < COUNT_OF(expected); count++) {
        LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_OUTBOX);
        line_expect_records(line, count);
        scripted_delivery_room(&line->delivery, 1);
        LINE_WAIT(scripted_delivery_count(&line->delivery) > count);
    }
    for (uint32_t i = 0; i < COUNT_OF(expected); i++) {
        assert_string_equal(scripted_delivery_record(&line->delivery, i).value, expected[i]);
        line_expect_still(line, 0);
        scripted_delivery_ack(&line->delivery, i);
    }
    line_expect_flush(line, 110);
}

static void a_record_that_does_not_fit_an_empty_queue_halts(void **state)
{
    struct line *line = *state;
    scripted_delivery_room(&line->delivery, 0);
    line_start(line);
    line_transaction(line, 100, "a");
    line_expect_failure(line, ERROR_HALT, "record_never_fits");
    line_expect_text(line->err.advice, "kafka.maxInFlightBytes");
}

static void a_full_ring_blocks_between_transactions_only(void **state)
{
    struct line *line = *state;
    line->ring_entries = 2;
    line_start(line);
    line_transaction(line, 100, "a");
    line_begin(line, 200);
    line_row(line, "b");
    line_row(line, "c");
    line_commit(line, 200);
    line_transaction(line, 300, "d");
    line_expect_records(line, 3);
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_IN_FLIGHT);
    line_expect_still(line, 0);
    assert_int_equal(scripted_handler_calls(&line->handler, CHANGE_BEGIN), 2);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_flush(line, 110);
    line_expect_records(line, 4);
    line_expect_record(line, 3, "300/0", "d");
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_IN_FLIGHT);
    for (uint32_t i = 1; i < 4; i++)
        scripted_delivery_ack(&line->delivery, i);
    line_expect_flush(line, 310);
}

static void rows_that_give_no_record_keep_no_memory(void **state)
{
    enum { ROWS = 3000 };
    struct line *line = *state;
    line_start(line);
    line_begin(line, 100);
    line_relation(line);
    for (int i = 0; i < ROWS; i++)
        line_row(line, "");
    line_commit(line, 100);
    line_expect_flush(line, 110);
    assert_int_equal(scripted_handler_calls(&line->handler, CHANGE_INSERT), ROWS);
    assert_true(atomic_load(&line->handler.footprint_bytes) < 4 * (size_t)HANDLER_SCRATCH_BYTES);
}

/* ---- a handler that must wait ---- */

/* Holds `kind`, lets it be called some times, releases it. */
static void hold_and_release(struct line *line, enum change_kind kind)
{
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_WAIT);
    uint32_t calls = scripted_handler_calls(&line->handler, kind);
    for (int i = 0; i < 3; i++) {
        uint32_t held = atomic_load(&line->handler.held);
        scripted_delivery_wake(&line->delivery);
        LINE_WAIT(atomic_load(&line->handler.held) > held);
    }
    line_expect_still(line, line->flushed);
    assert_int_equal(scripted_handler_calls(&line->handler, kind), calls);
    atomic_store(&line->handler.holds, HANDLER_NOTHING);
    scripted_delivery_wake(&line->delivery);
    LINE_WAIT(scripted_handler_calls(&line->handler, kind) > calls);
    assert_false(atomic_load(&line->handler.changed));
}

static void a_handler_that_waits_is_called_again_with_the_same_change(void **state)
{
    static const enum change_kind kinds[] = { CHANGE_BEGIN, CHANGE_RELATION, CHANGE_INSERT,
                                              CHANGE_COMMIT };
    struct line *line = *state;
    line->handler.boundaries = true;
    line_start(line);
    for (uint32_t i = 0; i < COUNT_OF(kinds); i++) {
        uint64_t final_lsn = 100 * (i + 1);
        atomic_store(&line->handler.holds, (int)kinds[i]);
        line_begin(line, final_lsn);
        line_relation(line);
        line_row(line, "a,b");
        line_commit(line, final_lsn);
        hold_and_release(line, kinds[i]);
        line_expect_records(line, 4 * (i + 1));
        static const char *const expected[] = { "begin", "a", "b", "commit" };
        for (uint32_t at = 0; at < 4; at++)
            assert_string_equal(scripted_delivery_record(&line->delivery, 4 * i + at).value,
                                expected[at]);
        for (uint32_t at = 0; at < 4; at++) {
            line_expect_still(line, line->flushed);
            scripted_delivery_ack(&line->delivery, 4 * i + at);
        }
        line_expect_flush(line, final_lsn + 10);
    }
}

/* What a change that waited became is sent before the next one is read: the next transaction has
 * another ticket, and the next Relation frees what the records may view. */
static void what_waited_is_sent_before_the_next_is_read(void **state)
{
    struct line *line = *state;
    line->handler.boundaries = true;
    atomic_store(&line->handler.holds, CHANGE_COMMIT);
    line_start(line);
    line_begin(line, 100);
    line_commit(line, 100);
    line_begin(line, 200);
    line_commit(line, 200);
    hold_and_release(line, CHANGE_COMMIT);
    line_expect_records(line, 4);
    line_expect_record(line, 1, "100/0", "commit");
    line_expect_record(line, 2, "200/0", "begin");
    ticket_t first = scripted_delivery_record(&line->delivery, 0).ticket;
    ticket_t second = scripted_delivery_record(&line->delivery, 2).ticket;
    assert_true(scripted_delivery_record(&line->delivery, 1).ticket.value == first.value);
    assert_true(scripted_delivery_record(&line->delivery, 3).ticket.value == second.value);
    assert_true(first.value != second.value);
    scripted_delivery_ack(&line->delivery, 0);
    scripted_delivery_ack(&line->delivery, 2);
    scripted_delivery_ack(&line->delivery, 3);
    line_expect_still(line, 0);
    scripted_delivery_ack(&line->delivery, 1);
    line_expect_flush(line, 210);
}

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
    line_expect_text(line->err.text, "topic \"orders\": not authorised");
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
    line_expect_text(line->err.text, "transaction at 16/B374D848: the record is too large");
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
    line_expect_text(line->warning, "the Kafka client reports");
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
    line_expect_text(line->err.text, "insert of table public.orders, transaction at 16/B374D848: "
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
        line_expect_text(line->err.text, rows[i].text);
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
    line_expect_text(line->err.text, "16/B374D848");
    assert_int_equal(scripted_handler_calls(&line->handler, CHANGE_COMMIT), 1);
    line_expect_records(line, 1);
}

static void an_error_of_the_server_ends_the_stream(void **state)
{
    static const struct {
        const char *severity, *sqlstate;
        enum error_class class;
    } rows[] = {
        { "FATAL", "57P01", ERROR_RECONNECT },
        { "ERROR", "58P01", ERROR_HALT },
    };
    struct line *line = *state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        line_start(line);
        line_transaction(line, 100 * (i + 1), "a");
        line_expect_records(line, (uint32_t)i + 1);
        fake_send_error(line->fake.fd, rows[i].severity, rows[i].sqlstate, "the server says so");
        line_expect_failure(line, rows[i].class, rows[i].sqlstate);
        line_expect_text(line->err.text, "the server says so");
        ack_tracker_restart(line->with.tracker);
    }
}

static void a_stream_that_the_server_ends_is_opened_again(void **state)
{
    struct line *line = *state;
    line_start(line);
    fake_send(line->fake.fd, 'c', NULL, 0);
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
    (void)shutdown(line->fake.fd, SHUT_WR);
    line_expect_failure(line, ERROR_RECONNECT, "connection_lost");
    line_expect_records(line, 1);
    assert_int_equal(atomic_load(&line->status.blocked), 0);
    assert_false(atomic_load(&line->status.transaction_open));
}

/* The first look of its only session is answered with a farewell, and nobody listens after that:
 * the server shuts down. */
static void *say_farewell(void *self)
{
    const int *listen_fd = self;
    char ignored;
    int fd = fake_accept(*listen_fd);
    CHECK(fake_read_startup(fd));
    fake_greet(fd);
    CHECK(fake_read(fd, &ignored, 1));
    fake_send_error(fd, "FATAL", "57P01", "terminating connection");
    (void)close(*listen_fd);
    (void)close(fd);
    return NULL;
}

static void a_server_that_shuts_down_is_let_go(void **state)
{
    struct line *line = *state;
    char port[8];
    int listen_fd = fake_listen(0, port);
    pthread_t farewell;
    line_start(line);
    line_transaction(line, 100, "a");
    line_expect_records(line, 1);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_flush(line, 110);
    line_transaction(line, 200, "b");
    line_expect_records(line, 2);
    line_ask_to_stop(line);
    line_expect_still(line, 110);
    scripted_delivery_ack(&line->delivery, 1);
    line->allowed = 210;
    line_expect_clean_end(line, 210);

    uint64_t count;
    CHECK(read(line->stop_fd, &count, sizeof(count)) == (ssize_t)sizeof(count));
    CHECK(pthread_create(&farewell, NULL, say_farewell, &listen_fd) == 0);
    watcher_stop(line->with.watcher);
    line->with.watcher = watcher_start(&(struct watcher_options){
        .conn = { .host = "127.0.0.1",
                  .port = port,
                  .user = "cdc",
                  .database = "shop",
                  .ssl_mode = "disable" },
        .slot = "orders",
        .interval_ms = 60 * 1000,
        .clock = clock_system() });
    pipeline_free(TAKE(line->pipeline));
    LINE_WAIT(watcher_shutdown_noticed(line->with.watcher));
    CHECK(pthread_join(farewell, NULL) == 0);
    line_start(line);
    line_keepalive(line, 250, true); /* with nothing in flight the stream goes on */
    line_expect_flush(line, 250);
    line_transaction(line, 300, "c");
    line_expect_failure(line, ERROR_RECONNECT, "server_shutdown");
    assert_int_equal(ack_tracker_confirmed(line->with.tracker).value, 250);
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

/* ---- again ---- */

static void a_second_run_starts_clean(void **state)
{
    struct line *line = *state;
    scripted_delivery_room(&line->delivery, 2);
    line_start(line);
    line_transaction(line, 100, "a");
    line_begin(line, 200);
    line_relation(line);
    line_row(line, "b,c,d");
    LINE_WAIT(atomic_load(&line->status.blocked) == BLOCKED_OUTBOX);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_flush(line, 110);
    fake_walsender_cut(&line->fake);
    line_expect_failure(line, ERROR_RECONNECT, "connection_lost");

    scripted_delivery_rebuild(&line->delivery);
    scripted_delivery_room(&line->delivery, UINT32_MAX);
    ack_tracker_restart(line->with.tracker);
    line_start(line);
    line_expect_still(line, 110); /* what was confirmed stays so */
    line_transaction(line, 200, "b,c,d");
    line_expect_records(line, 5);
    line_expect_record(line, 2, "200/0", "b");
    line_expect_record(line, 4, "200/0", "d");
    /* A late report of the producer before counts for nothing. */
    struct scripted_record old = scripted_delivery_record(&line->delivery, 1);
    assert_true(old.ticket.value != scripted_delivery_record(&line->delivery, 2).ticket.value);
    scripted_delivery_push(&line->delivery,
                           &(struct scripted_event){ .event = { .kind = DELIVERY_ACKED,
                                                                .ticket = old.ticket } });
    scripted_delivery_ack(&line->delivery, 2);
    scripted_delivery_ack(&line->delivery, 3);
    line_expect_still(line, 110);
    scripted_delivery_ack(&line->delivery, 4);
    line_expect_flush(line, 210);
}

/* Relations belong to a stream: the server sends them anew. */
static void a_second_run_knows_no_relation_of_the_first(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 100, "a");
    line_expect_records(line, 1);
    fake_walsender_cut(&line->fake);
    line_expect_failure(line, ERROR_RECONNECT, "connection_lost");
    ack_tracker_restart(line->with.tracker);
    line_start(line);
    line_begin(line, 200);
    line_row(line, "b");
    line_expect_failure(line, ERROR_HALT, "undecodable");
}

/* ---- all at once ---- */

enum { MODEL_TRANSACTIONS = 300, MODEL_ROWS_MAX = 3 };

struct model {
    uint32_t last_record[MODEL_TRANSACTIONS]; /* how many records there are with this one */
    bool acked[MODEL_TRANSACTIONS * MODEL_ROWS_MAX];
    uint32_t prefix; /* records acknowledged without a gap */
};

static uint64_t final_lsn_of(uint32_t transaction)
{
    return 1000 + 100 * (uint64_t)transaction;
}

static uint64_t model_confirmed(const struct model *model)
{
    uint64_t confirmed = 0;
    for (uint32_t i = 0; i < MODEL_TRANSACTIONS && model->last_record[i] <= model->prefix; i++)
        confirmed = final_lsn_of(i) + 10;
    return confirmed;
}

static void model_ack(struct model *model, struct line *line, uint32_t at)
{
    model->acked[at] = true;
    while (model->acked[model->prefix])
        model->prefix++;
    uint64_t confirmed = model_confirmed(model);
    line->allowed = confirmed > line->allowed ? confirmed : line->allowed;
    scripted_delivery_ack(&line->delivery, at);
}

static uint32_t say_transactions(struct model *model, struct line *line, unsigned *seed)
{
    uint32_t records = 0;
    for (uint32_t i = 0; i < MODEL_TRANSACTIONS; i++) {
        line_begin(line, final_lsn_of(i));
        line_relation(line);
        int rows = rand_r(seed) % (MODEL_ROWS_MAX + 1);
        for (int row = 0; row < rows; row++) {
            char text[16];
            (void)snprintf(text, sizeof(text), "%u", records++);
            line_row(line, text);
        }
        line_commit(line, final_lsn_of(i));
        model->last_record[i] = records;
    }
    return records;
}

/* Acknowledges in any order, but nothing too far ahead. */
static void ack_at_random(struct model *model, struct line *line, unsigned *seed)
{
    uint32_t count = scripted_delivery_count(&line->delivery);
    for (int i = 0; i < 8 && model->prefix < count; i++) {
        uint32_t at = model->prefix + (uint32_t)rand_r(seed) % (count - model->prefix);
        if (!model->acked[at])
            model_ack(model, line, at);
    }
}

static void acknowledgements_in_any_order_never_let_it_run_ahead(void **state)
{
    struct line *line = *state;
    struct model model = { .prefix = 0 };
    unsigned seed = 20240229;
    scripted_delivery_room(&line->delivery, 10);
    line_start(line);
    uint32_t records = say_transactions(&model, line, &seed);
    while (model.prefix < records) {
        scripted_delivery_room(&line->delivery, 1 + (uint32_t)rand_r(&seed) % 20);
        ack_at_random(&model, line, &seed);
        if (rand_r(&seed) % 8 == 0)
            (void)line_flush_now(line);
    }
    scripted_delivery_room(&line->delivery, UINT32_MAX);
    line_expect_flush(line, final_lsn_of(MODEL_TRANSACTIONS - 1) + 10);
    line_expect_records(line, records);
    for (uint32_t i = 0; i < records; i++)
        assert_int_equal(strtoul(scripted_delivery_record(&line->delivery, i).value, NULL, 10), i);
}

#define LINE_TEST(name) cmocka_unit_test_setup_teardown(name, line_setup, line_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINE_TEST(a_transaction_is_confirmed_once_all_its_records_are_acknowledged),
        LINE_TEST(a_transaction_without_its_commit_is_never_confirmed),
        LINE_TEST(nothing_is_confirmed_past_an_unacknowledged_transaction),
        LINE_TEST(a_change_with_several_records_needs_all_of_them),
        LINE_TEST(records_of_begin_and_commit_count_as_well),
        LINE_TEST(transactions_without_records_are_confirmed_at_once),
        LINE_TEST(a_keepalive_between_transactions_raises_it),
        LINE_TEST(a_keepalive_in_a_transaction_raises_nothing),
        LINE_TEST(a_keepalive_waits_for_the_records_before_it),
        LINE_TEST(a_reply_that_is_asked_for_comes),
        LINE_TEST(a_full_producer_stops_the_reading_and_nothing_else),
        LINE_TEST(what_waits_in_the_outbox_keeps_its_place),
        LINE_TEST(a_record_that_does_not_fit_an_empty_queue_halts),
        LINE_TEST(a_full_ring_blocks_between_transactions_only),
        LINE_TEST(rows_that_give_no_record_keep_no_memory),
        LINE_TEST(a_handler_that_waits_is_called_again_with_the_same_change),
        LINE_TEST(what_waited_is_sent_before_the_next_is_read),
        LINE_TEST(a_refused_record_stops_the_line_and_names_its_topic),
        LINE_TEST(a_record_that_cannot_be_sent_names_its_transaction),
        LINE_TEST(a_lost_producer_ends_the_stream),
        LINE_TEST(a_handler_that_fails_stops_the_line_with_table_and_position),
        LINE_TEST(a_failure_of_no_single_table_names_the_position_as_well),
        LINE_TEST(undecodable_bytes_name_their_position),
        LINE_TEST(an_error_of_the_server_ends_the_stream),
        LINE_TEST(a_stream_that_the_server_ends_is_opened_again),
        LINE_TEST(a_connection_that_is_cut_is_noticed),
        LINE_TEST(a_hang_up_is_noticed_while_the_socket_is_not_read),
        LINE_TEST(a_server_that_shuts_down_is_let_go),
        LINE_TEST(a_gate_that_closes_ends_the_stream),
        LINE_TEST(a_second_run_starts_clean),
        LINE_TEST(a_second_run_knows_no_relation_of_the_first),
        LINE_TEST(acknowledgements_in_any_order_never_let_it_run_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
