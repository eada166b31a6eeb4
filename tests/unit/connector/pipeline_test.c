/* What pipeline_run() confirms. What stops it from reading: pipeline_blocked_test.c; failures and
 * the stop: pipeline_failure_test.c, pipeline_stop_test.c. */
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

static bool is_scraped(struct line *line, const char *sample)
{
    AUTO(struct buf, buf_done) out = buf_init(1 << 20);
    metrics_write(line->metrics, &out);
    return strstr(buf_text(&out), sample) != NULL;
}

static void each_transaction_is_measured_once(void **state)
{
    struct line *line = *state;
    atomic_store(&line->status.change_ns, -1);
    line_start(line);
    line_transaction(line, 100, "a,b");
    line_begin(line, 200); /* becomes no record */
    line_commit(line, 200);
    line_transaction(line, 300, "c");
    line_expect_records(line, 3);
    LINE_WAIT(is_scraped(line, "\npqcdc_commit_to_receive_seconds_count 3\n"));
    scripted_delivery_ack(&line->delivery, 0);
    scripted_delivery_ack(&line->delivery, 2);
    LINE_WAIT(is_scraped(line, "\npqcdc_end_to_end_seconds_count 1\n"));
    assert_true(is_scraped(line, "\npqcdc_receive_to_ack_seconds_count 1\n"));
    scripted_delivery_ack(&line->delivery, 1);
    line_expect_flush(line, 310);
    LINE_WAIT(is_scraped(line, "\npqcdc_end_to_end_seconds_count 2\n"));
    assert_true(is_scraped(line, "\npqcdc_receive_to_ack_seconds_count 2\n"));
    /* The commits are years old, the acknowledgements no minute. */
    assert_true(is_scraped(line, "pqcdc_end_to_end_seconds_bucket{le=\"60\"} 0\n"));
    assert_true(is_scraped(line, "pqcdc_receive_to_ack_seconds_bucket{le=\"60\"} 2\n"));
    assert_true(atomic_load(&line->status.change_ns) >= 0); /* 0: it took less than 1 us */
}

static void a_transaction_that_is_acknowledged_before_its_commit_is_measured(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_begin(line, 100);
    line_relation(line);
    line_row(line, "a");
    line_expect_records(line, 1);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_still(line, 0);
    line_commit(line, 100);
    line_expect_flush(line, 110);
    LINE_WAIT(is_scraped(line, "\npqcdc_end_to_end_seconds_count 1\n"));
    assert_true(is_scraped(line, "\npqcdc_receive_to_ack_seconds_count 1\n"));
    assert_true(is_scraped(line, "\npqcdc_receive_to_ack_seconds_sum 0\n"));
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

/* Long transactions write early and commit late: only the commit says whether one is new. */
static void a_row_older_than_what_is_confirmed_is_sent_with_its_commit(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 400, "a");
    line_expect_records(line, 1);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_flush(line, 410);
    line->position = 50;
    line_transaction(line, 500, "b");
    line_expect_records(line, 2);
    line_expect_record(line, 1, "500/0", "b");
    line_expect_still(line, 410);
    scripted_delivery_ack(&line->delivery, 1);
    line_expect_flush(line, 510);
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
    line_lose_connection(line);

    /* Where the slot stands is the server's business: what was confirmed before is not told. */
    scripted_delivery_room(&line->delivery, UINT32_MAX);
    line_start(line);
    line_expect_still(line, 0);
    line_transaction(line, 200, "b,c,d");
    line_expect_records(line, 5);
    line_expect_record(line, 2, "200/0", "b");
    line_expect_record(line, 4, "200/0", "d");
    /* A late report of the producer before counts for nothing. */
    ticket_t late = scripted_delivery_record(&line->delivery, 1).ticket;
    assert_true(late.value != scripted_delivery_record(&line->delivery, 2).ticket.value);
    scripted_delivery_push(
        &line->delivery,
        &(struct scripted_event){ .event = { .kind = DELIVERY_ACKED, .ticket = late } });
    scripted_delivery_ack(&line->delivery, 2);
    scripted_delivery_ack(&line->delivery, 3);
    line_expect_still(line, 0);
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
    line_lose_connection(line);
    uint64_t bytes = atomic_load(&line->status.received_bytes);
    line_start(line);
    line_begin(line, 200);
    line_row(line, "b");
    line_expect_failure(line, ERROR_HALT, "undecodable", "16400");
    assert_true(bytes > 0 && atomic_load(&line->status.received_bytes) > bytes); /* of both */
}

/* A server that was set back sends the same positions again: it must not be told the old ones. */
static void a_server_that_was_set_back_is_not_told_more_than_it_sent(void **state)
{
    struct line *line = *state;
    line_start(line);
    line_transaction(line, 500, "a");
    line_expect_records(line, 1);
    scripted_delivery_ack(&line->delivery, 0);
    line_expect_flush(line, 510);
    line_lose_connection(line);
    line_start(line);
    line_transaction(line, 300, "b");
    line_expect_records(line, 2);
    line_expect_still(line, 0);
    scripted_delivery_ack(&line->delivery, 1);
    line_expect_flush(line, 310);
    line_expect_still(line, 310);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINE_TEST(a_transaction_is_confirmed_once_all_its_records_are_acknowledged),
        LINE_TEST(each_transaction_is_measured_once),
        LINE_TEST(a_transaction_that_is_acknowledged_before_its_commit_is_measured),
        LINE_TEST(a_transaction_without_its_commit_is_never_confirmed),
        LINE_TEST(nothing_is_confirmed_past_an_unacknowledged_transaction),
        LINE_TEST(a_change_with_several_records_needs_all_of_them),
        LINE_TEST(records_of_begin_and_commit_count_as_well),
        LINE_TEST(transactions_without_records_are_confirmed_at_once),
        LINE_TEST(a_row_older_than_what_is_confirmed_is_sent_with_its_commit),
        LINE_TEST(a_keepalive_between_transactions_raises_it),
        LINE_TEST(a_keepalive_in_a_transaction_raises_nothing),
        LINE_TEST(a_keepalive_waits_for_the_records_before_it),
        LINE_TEST(a_reply_that_is_asked_for_comes),
        LINE_TEST(a_second_run_starts_clean),
        LINE_TEST(a_second_run_knows_no_relation_of_the_first),
        LINE_TEST(a_server_that_was_set_back_is_not_told_more_than_it_sent),
        LINE_TEST(acknowledgements_in_any_order_never_let_it_run_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
