/* The tracker against a slow and obvious model, in random interleavings.
 *
 * A simulated server sends a log of transactions; a simulated Kafka acknowledges records per
 * partition in order, across partitions in any order, and sometimes never. After every step the
 * tracker must say what the model says, and what the promise says: confirmed never falls, and every
 * transaction at or below it was delivered in full. PQCDC_SEED=n runs one seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/memory.h"
#include "progress/ack_tracker.h"

enum {
    SEED_COUNT = 120,
    STEP_COUNT = 10000,
    PARTITION_LIMIT = 8,
    GROUP_LIMIT = 12,
    ADD_LIMIT = 4,
    SENT_LIMIT = STEP_COUNT * ADD_LIMIT,
};

/* A transaction of the server's log. */
struct transaction {
    uint64_t end;
    uint32_t records;
    bool delivered; /* all of it, in one attempt or another */
};

/* The model's line: transactions and keepalives in the order they came, none ever removed. */
struct item {
    ticket_t ticket;
    struct transaction *transaction; /* NULL: a keepalive */
    uint64_t end;
    uint32_t added, done;
    uint32_t unsent;  /* of those added: the producer was full */
    uint32_t entries; /* that it takes in a ring: a keepalive behind a done one takes none */
    bool closed;
};

struct chunk {
    ticket_t ticket;
    uint32_t number, added, done;
    bool used, open;
};

/* A record on its way: of an item or of a chunk. */
struct sent {
    ticket_t ticket;
    struct item *item;
    struct chunk *chunk;
};

struct partition {
    struct sent *sent; /* in order; reports take the first */
    uint32_t count;
    bool stuck; /* its next report never comes */
};

struct run {
    uint64_t seed, random;
    uint32_t step;
    struct ack_tracker *tracker;
    uint32_t entry_limit, partition_count;
    uint32_t report_weight; /* lazy seeds let the ring fill */

    struct transaction log[STEP_COUNT];
    uint32_t log_count, log_next; /* next: the one to be sent */

    struct item items[STEP_COUNT];
    uint32_t item_count;
    struct item *open;
    struct chunk chunks[GROUP_LIMIT];
    uint64_t confirmed; /* as the model knows it */

    struct partition partitions[PARTITION_LIMIT];
    ticket_t late[SENT_LIMIT]; /* of abandoned producers */
    uint32_t late_count;

    uint32_t committed, keepalives, restarts, resumes, withdrawn, late_reports, chunk_count, full,
        most_entries;
};

#define EXPECT(run, condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("seed %llu, step %u\n", (unsigned long long)(run)->seed, (run)->step);     \
            assert_true(condition);                                                                \
        }                                                                                          \
    } while (0)

/* xorshift64*. */
static uint32_t draw(struct run *run, uint32_t below)
{
    run->random ^= run->random >> 12;
    run->random ^= run->random << 25;
    run->random ^= run->random >> 27;
    return (uint32_t)((run->random * UINT64_C(0x2545F4914F6CDD1D)) >> 33) % below;
}

/* The model. */

static bool item_done(const struct item *item)
{
    return item->closed && item->done == item->added;
}

static uint32_t model_prefix(const struct run *run)
{
    uint32_t count = 0;
    while (count < run->item_count && item_done(&run->items[count]))
        count++;
    return count;
}

static uint32_t model_entries(const struct run *run)
{
    uint32_t entries = 0;
    for (uint32_t i = model_prefix(run); i < run->item_count; i++)
        entries += run->items[i].entries;
    return entries;
}

static uint64_t model_in_flight(const struct run *run)
{
    uint64_t in_flight = 0;
    for (uint32_t i = 0; i < run->item_count; i++)
        in_flight += run->items[i].added - run->items[i].done;
    for (uint32_t i = 0; i < GROUP_LIMIT; i++)
        if (run->chunks[i].used)
            in_flight += run->chunks[i].added - run->chunks[i].done;
    return in_flight;
}

static void model_confirm(struct run *run)
{
    uint32_t prefix = model_prefix(run);
    for (uint32_t i = 0; i < prefix; i++)
        if (run->items[i].end > run->confirmed)
            run->confirmed = run->items[i].end;
}

static struct item *model_append(struct run *run, const struct item *item)
{
    run->items[run->item_count] = *item;
    return &run->items[run->item_count++];
}

/* The server. */

static struct transaction *log_at(struct run *run, uint32_t index)
{
    while (run->log_count <= index) {
        uint64_t last = run->log_count == 0 ? 0 : run->log[run->log_count - 1].end;
        run->log[run->log_count++] = (struct transaction){
            .end = last + 1 + draw(run, 20),
            .records = draw(run, 4) == 0 ? 0 : 1 + draw(run, 12),
        };
    }
    return &run->log[index];
}

static void send_record(struct run *run, const struct sent *sent)
{
    struct partition *partition = &run->partitions[draw(run, run->partition_count)];
    partition->sent[partition->count++] = *sent;
}

static void step_begin(struct run *run)
{
    if (ack_tracker_full(run->tracker)) {
        EXPECT(run, model_entries(run) == run->entry_limit);
        run->full++;
        return;
    }
    struct transaction *transaction = log_at(run, run->log_next);
    ticket_t ticket = ack_tracker_begin(run->tracker);
    run->open = model_append(
        run, &(struct item){ .ticket = ticket, .transaction = transaction, .entries = 1 });
}

static void step_close(struct run *run)
{
    struct item *item = run->open;
    item->closed = true;
    item->end = item->transaction->end;
    run->open = NULL;
    run->log_next++;
    run->committed++;
    bool complete = ack_tracker_close(run->tracker, item->ticket, (lsn_t){ item->end });
    EXPECT(run, complete == item_done(item));
    if (complete)
        item->transaction->delivered = true;
}

/* As many as the producer takes now. */
static void send_unsent(struct run *run, struct item *item)
{
    uint32_t room = draw(run, ADD_LIMIT * 2);
    for (; item->unsent > 0 && room > 0; item->unsent--, room--)
        send_record(run, &(struct sent){ .ticket = item->ticket, .item = item });
}

static void step_continue(struct run *run)
{
    struct item *item = run->open;
    send_unsent(run, item);
    if (item->unsent > 0)
        return;
    uint32_t left = item->transaction->records - item->added;
    if (left == 0) {
        step_close(run);
        return;
    }
    uint32_t count = draw(run, left < ADD_LIMIT ? left + 1 : ADD_LIMIT + 1);
    ack_tracker_add(run->tracker, item->ticket, count);
    item->added += count;
    item->unsent = count;
    send_unsent(run, item);
}

/* From the last end that was sent to just below the next; now and then a stale one. */
static uint64_t keepalive_position(struct run *run)
{
    uint64_t next = log_at(run, run->log_next)->end;
    uint64_t last = run->log_next == 0 ? 0 : log_at(run, run->log_next - 1)->end;
    if (draw(run, 8) == 0)
        return last / 2;
    return last + draw(run, (uint32_t)(next - last));
}

static void step_keepalive(struct run *run)
{
    uint64_t wal_end = keepalive_position(run);
    run->keepalives++;
    uint32_t entries = model_entries(run);
    const struct item *tail = run->item_count == 0 ? NULL : &run->items[run->item_count - 1];
    struct item item = { .end = wal_end, .closed = true };
    if (entries > 0 && !item_done(tail))
        item.entries = 1;
    ack_tracker_idle(run->tracker, (lsn_t){ wal_end });
    if (run->open != NULL)
        return;
    if (item.entries == 1) {
        /* What says nothing new, or finds the ring full, takes no entry. */
        for (uint32_t i = 0; i < run->item_count; i++)
            if (run->items[i].end >= wal_end)
                return;
        if (run->confirmed >= wal_end || entries == run->entry_limit)
            return;
    }
    (void)model_append(run, &item);
}

/* Kafka. */

static bool model_report(const struct sent *sent)
{
    if (sent->chunk != NULL) {
        sent->chunk->done++;
        bool complete = !sent->chunk->open && sent->chunk->done == sent->chunk->added;
        sent->chunk->used = !complete;
        return complete;
    }
    sent->item->done++;
    if (item_done(sent->item))
        sent->item->transaction->delivered = true;
    return item_done(sent->item);
}

static void step_report(struct run *run)
{
    struct partition *partition = &run->partitions[draw(run, run->partition_count)];
    if (partition->count == 0 || partition->stuck)
        return;
    struct sent sent = partition->sent[0];
    partition->count--;
    for (uint32_t i = 0; i < partition->count; i++)
        partition->sent[i] = partition->sent[i + 1];
    bool complete = model_report(&sent);
    EXPECT(run, ack_tracker_done(run->tracker, sent.ticket) == complete);
    if (sent.chunk != NULL)
        EXPECT(run, ack_tracker_chunk(run->tracker, sent.ticket) == sent.chunk->number);
}

static void step_late_report(struct run *run)
{
    if (run->late_count == 0)
        return;
    uint32_t chosen = draw(run, run->late_count);
    EXPECT(run, !ack_tracker_done(run->tracker, run->late[chosen]));
    run->late[chosen] = run->late[--run->late_count];
    run->late_reports++;
}

static void step_failure(struct run *run)
{
    run->partitions[draw(run, run->partition_count)].stuck = true;
}

/* Snapshot chunks. */

static void step_chunk(struct run *run)
{
    struct chunk *chunk = &run->chunks[draw(run, GROUP_LIMIT)];
    if (!chunk->used) {
        *chunk = (struct chunk){ .number = run->chunk_count++, .used = true, .open = true };
        chunk->ticket = ack_tracker_begin_group(run->tracker, chunk->number);
    } else if (chunk->open && draw(run, 3) > 0) {
        uint32_t count = draw(run, ADD_LIMIT + 1);
        ack_tracker_add(run->tracker, chunk->ticket, count);
        chunk->added += count;
        for (uint32_t i = 0; i < count; i++)
            send_record(run, &(struct sent){ .ticket = chunk->ticket, .chunk = chunk });
    } else if (chunk->open) {
        chunk->open = false;
        chunk->used = chunk->done < chunk->added;
        EXPECT(run, ack_tracker_close(run->tracker, chunk->ticket, LSN_NONE) == !chunk->used);
    }
    if (chunk->used)
        EXPECT(run, ack_tracker_chunk(run->tracker, chunk->ticket) == chunk->number);
}

/* Losing things. */

static void check(struct run *run);

/* The connection is lost and comes back: Kafka goes on meanwhile, the open transaction stays, less
 * what the producer had not taken of it; that comes again. */
static void step_resume(struct run *run)
{
    struct item *open = run->open;
    if (open != NULL && open->unsent > 0) {
        ack_tracker_withdraw(run->tracker, open->ticket, open->unsent);
        run->withdrawn += open->unsent;
        open->added -= open->unsent;
        open->unsent = 0;
        check(run);
    }
    for (uint32_t i = draw(run, 20); i > 0; i--) {
        step_report(run);
        if (draw(run, 5) == 0)
            step_keepalive(run);
        check(run);
    }
    EXPECT(run, run->open == open);
    run->resumes++;
}

/* A new producer. The server starts again at what its slot keeps, which may be older than what was
 * confirmed. */
static void step_restart(struct run *run)
{
    for (uint32_t p = 0; p < run->partition_count; p++) {
        struct partition *partition = &run->partitions[p];
        for (uint32_t i = 0; i < partition->count && run->late_count < SENT_LIMIT; i++)
            run->late[run->late_count++] = partition->sent[i].ticket;
        partition->count = 0;
        partition->stuck = false;
    }
    uint64_t slot = draw(run, 3) == 0 ? run->confirmed / 2 : run->confirmed;
    run->log_next = 0;
    while (log_at(run, run->log_next)->end <= slot)
        run->log_next++;
    run->item_count = 0;
    run->open = NULL;
    for (uint32_t i = 0; i < GROUP_LIMIT; i++)
        run->chunks[i].used = false;
    uint16_t generation = ack_tracker_generation(run->tracker);
    ack_tracker_restart(run->tracker);
    EXPECT(run, ack_tracker_generation(run->tracker) != generation);
    run->confirmed = 0;
    run->restarts++;
}

static bool any_stuck(const struct run *run)
{
    bool stuck = false;
    for (uint32_t p = 0; p < run->partition_count; p++)
        stuck = stuck || run->partitions[p].stuck;
    return stuck;
}

/* What must hold after every step. */
static void check(struct run *run)
{
    uint64_t before = run->confirmed;
    uint64_t confirmed = ack_tracker_confirmed(run->tracker).value;
    model_confirm(run);
    EXPECT(run, confirmed >= before);
    for (uint32_t i = 0; i < run->log_count && run->log[i].end <= confirmed; i++)
        EXPECT(run, run->log[i].delivered);
    EXPECT(run, confirmed == run->confirmed);
    EXPECT(run, ack_tracker_open(run->tracker) == (run->open != NULL));
    uint32_t entries = model_entries(run);
    run->most_entries = entries > run->most_entries ? entries : run->most_entries;
    EXPECT(run, ack_tracker_entries(run->tracker) == entries);
    EXPECT(run, ack_tracker_entries(run->tracker) <= run->entry_limit);
    EXPECT(run, ack_tracker_in_flight(run->tracker) == model_in_flight(run));
}

static void step(struct run *run)
{
    uint32_t choice = draw(run, 1000);
    if (choice < run->report_weight)
        step_report(run);
    else if (choice < 800 && run->open == NULL)
        step_begin(run);
    else if (choice < 800)
        step_continue(run);
    else if (choice < 880)
        step_keepalive(run);
    else if (choice < 950)
        step_chunk(run);
    else if (choice < 985)
        step_late_report(run);
    else if (choice < 992)
        step_resume(run);
    else if (choice < 995)
        step_failure(run);
    else if (draw(run, any_stuck(run) ? 4 : 8) == 0)
        step_restart(run);
}

/* Everything is acknowledged at last: nothing may be left behind. */
static void drain(struct run *run)
{
    while (run->open != NULL)
        step_continue(run);
    for (uint32_t p = 0; p < run->partition_count; p++)
        if (run->partitions[p].stuck)
            return;
    while (model_in_flight(run) > 0)
        step_report(run);
    check(run);
    EXPECT(run, ack_tracker_entries(run->tracker) == 0);
}

static void run_init(struct run *run, uint64_t seed)
{
    static const uint32_t limits[] = { 1, 2, 3, 8, 50, 64, 65, 1000 };
    *run = (struct run){ .seed = seed, .random = seed * UINT64_C(0x9E3779B97F4A7C15) | 1 };
    run->entry_limit = limits[draw(run, COUNT_OF(limits))];
    run->partition_count = 1 + draw(run, PARTITION_LIMIT);
    run->report_weight = 50 + draw(run, 600);
    run->tracker = ack_tracker_new(run->entry_limit);
    for (uint32_t p = 0; p < run->partition_count; p++)
        run->partitions[p].sent = memory_array(SENT_LIMIT + 1, sizeof(struct sent));
}

static void run_seed(uint64_t seed, struct run *run)
{
    run_init(run, seed);
    for (run->step = 0; run->step < STEP_COUNT; run->step++) {
        step(run);
        check(run);
    }
    drain(run);
    print_message("seed %llu: limit %u, partitions %u: %u commits, %u keepalives, %u chunks, "
                  "%u resumes, %u withdrawn, %u restarts, %u late reports, %u times full, %u "
                  "entries at most\n",
                  (unsigned long long)seed, run->entry_limit, run->partition_count, run->committed,
                  run->keepalives, run->chunk_count, run->resumes, run->withdrawn, run->restarts,
                  run->late_reports, run->full, run->most_entries);
    for (uint32_t p = 0; p < run->partition_count; p++)
        memory_free(run->partitions[p].sent);
    ack_tracker_free(run->tracker);
}

static void test_the_tracker_is_the_model(void **state)
{
    (void)state;
    struct run *run = memory_alloc(sizeof *run);
    const char *only = getenv("PQCDC_SEED");
    if (only != NULL) {
        run_seed(strtoull(only, NULL, 10), run);
        memory_free(run);
        return;
    }
    uint32_t resumes = 0, withdrawn = 0, restarts = 0, late_reports = 0, full = 0, large = 0;
    for (uint64_t seed = 1; seed <= SEED_COUNT; seed++) {
        run_seed(seed, run);
        resumes += run->resumes;
        withdrawn += run->withdrawn;
        restarts += run->restarts;
        late_reports += run->late_reports;
        full += run->full;
        large += run->most_entries > 128;
    }
    memory_free(run);
    /* A run that met none of these would prove nothing. */
    assert_true(resumes > SEED_COUNT);
    assert_true(withdrawn > SEED_COUNT);
    assert_true(restarts > SEED_COUNT);
    assert_true(late_reports > SEED_COUNT);
    assert_true(full > SEED_COUNT);
    assert_true(large > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_the_tracker_is_the_model) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
