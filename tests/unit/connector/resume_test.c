#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "connector/resume.h"
#include "unit/base/child.h"

enum { XID = 7 };

static const lsn_t FINAL = { 100 };

/* The next item comes: it is skipped, or handed over at once. */
static bool take(struct resume *resume)
{
    if (resume_skips(resume))
        return false;
    resume_handed(resume);
    return true;
}

static void begin(struct resume *resume, uint32_t xid, lsn_t final_lsn)
{
    assert_true(resume_begin(resume, xid, final_lsn));
}

/* Begin and `items - 1` rows, all of them handed over. */
static struct resume handed(uint32_t items)
{
    struct resume resume = { .open = false };
    begin(&resume, XID, FINAL);
    for (uint32_t i = 0; i < items; i++)
        assert_true(take(&resume));
    return resume;
}

static void nothing_is_skipped_without_a_cut(void **state UNUSED)
{
    struct resume resume = { .open = false };
    for (uint32_t xid = 1; xid < 4; xid++) {
        begin(&resume, xid, (lsn_t){ 100 * (uint64_t)xid });
        for (int item = 0; item < 5; item++) {
            assert_true(take(&resume));
            assert_int_equal(resume_sent(&resume, 3), 0);
        }
        resume_closed(&resume);
        assert_false(resume.open);
    }
}

static void what_was_handed_over_is_skipped_and_no_more(void **state UNUSED)
{
    for (uint32_t count = 0; count < 6; count++) {
        struct resume resume = handed(count);
        resume_cut(&resume, 0);
        begin(&resume, XID, FINAL);
        for (uint32_t item = 0; item < count; item++) {
            assert_false(take(&resume));
            assert_int_equal(resume.seen, item + 1);
        }
        assert_true(take(&resume));
        assert_true(take(&resume));
        assert_int_equal(resume.seen, count + 2);
    }
}

/* The item in hand at the cut is handled again, and only what was not sent of it is sent. */
static void of_the_item_in_hand_the_rest_is_left(void **state UNUSED)
{
    struct resume resume = handed(2);
    assert_false(resume_skips(&resume));
    resume_cut(&resume, 3);
    begin(&resume, XID, FINAL);
    assert_true(resume_skips(&resume));
    assert_true(resume_skips(&resume));
    assert_false(resume_skips(&resume));
    assert_int_equal(resume_sent(&resume, 5), 3);
    assert_int_equal(resume_sent(&resume, 3), 3);
    assert_int_equal(resume_sent(&resume, 2), 2); /* it became less: never more than there is */
    assert_int_equal(resume_sent(&resume, 0), 0);
    resume_handed(&resume);
    assert_false(resume_skips(&resume));
    assert_int_equal(resume_sent(&resume, 5), 0);
}

/* Cut again before the item in hand came back: what was sent of it is still sent. */
static void a_cut_before_it_came_back_forgets_nothing(void **state UNUSED)
{
    struct resume resume = handed(3);
    assert_false(resume_skips(&resume));
    resume_cut(&resume, 2);
    for (uint32_t came = 0; came < 4; came++) {
        if (came > 0) {
            begin(&resume, XID, FINAL);
            for (uint32_t item = 1; item < came; item++)
                assert_true(resume_skips(&resume));
        }
        resume_cut(&resume, 0);
        assert_true(resume.awaited);
        assert_int_equal(resume.handed, 3);
        assert_int_equal(resume.sent, 2);
    }
}

/* The second time it was in hand, more of it went out. */
static void what_is_sent_adds_up(void **state UNUSED)
{
    struct resume resume = handed(1);
    assert_false(resume_skips(&resume));
    resume_cut(&resume, 1);
    begin(&resume, XID, FINAL);
    assert_true(resume_skips(&resume));
    assert_false(resume_skips(&resume));
    resume_cut(&resume, 4); /* the one that was left out among them */
    begin(&resume, XID, FINAL);
    assert_true(resume_skips(&resume));
    assert_false(resume_skips(&resume));
    assert_int_equal(resume_sent(&resume, 9), 4);
}

static void another_transaction_is_told_apart(void **state UNUSED)
{
    static const struct {
        uint32_t xid;
        uint64_t final_lsn;
    } rows[] = { { XID + 1, 100 }, { XID, 101 }, { XID, 99 }, { XID + 1, 200 } };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct resume resume = handed(2);
        resume_cut(&resume, 0);
        assert_false(resume_begin(&resume, rows[i].xid, (lsn_t){ rows[i].final_lsn }));
        assert_true(resume.awaited);
    }
}

static void a_cut_between_transactions_awaits_nothing(void **state UNUSED)
{
    struct resume never = { .open = false };
    resume_cut(&never, 0);
    assert_false(never.awaited);
    struct resume resume = handed(3);
    resume_closed(&resume);
    resume_cut(&resume, 0);
    assert_false(resume.awaited);
    assert_false(resume_missed(&resume, (lsn_t){ UINT64_MAX }));
    begin(&resume, XID + 1, (lsn_t){ 200 });
    assert_true(take(&resume));
}

/* After it came back whole, the next one counts from the start. */
static void a_transaction_that_came_back_leaves_nothing_behind(void **state UNUSED)
{
    struct resume resume = handed(2);
    assert_false(resume_skips(&resume));
    resume_cut(&resume, 2);
    begin(&resume, XID, FINAL);
    for (int item = 0; item < 3; item++)
        (void)take(&resume);
    resume_closed(&resume);
    begin(&resume, XID, FINAL); /* even if it looks the same */
    for (int item = 0; item < 3; item++) {
        assert_true(take(&resume));
        assert_int_equal(resume_sent(&resume, 5), 0);
    }
}

/* The server sends a transaction when it reads its commit record, at final_lsn. */
static void it_is_missed_once_the_server_is_beyond_it(void **state UNUSED)
{
    struct resume resume = handed(2);
    assert_false(resume_missed(&resume, (lsn_t){ 500 })); /* open, but not cut */
    resume_cut(&resume, 0);
    assert_false(resume_missed(&resume, (lsn_t){ 99 }));
    assert_false(resume_missed(&resume, FINAL));
    assert_true(resume_missed(&resume, (lsn_t){ 101 }));
    begin(&resume, XID, FINAL);
    assert_false(resume_missed(&resume, (lsn_t){ 500 }));
}

static void an_item_before_the_begin(void *self UNUSED)
{
    struct resume resume = { .open = false };
    (void)resume_skips(&resume);
}

static void an_item_before_the_begin_came_again(void *self UNUSED)
{
    struct resume resume = { .xid = XID, .open = true, .awaited = true };
    (void)resume_skips(&resume);
}

static void an_item_handed_over_twice(void *self UNUSED)
{
    struct resume resume = handed(1);
    resume_handed(&resume);
}

static void a_skipped_item_handed_over(void *self UNUSED)
{
    struct resume resume = handed(2);
    resume_cut(&resume, 0);
    (void)resume_begin(&resume, XID, FINAL);
    (void)resume_skips(&resume);
    resume_handed(&resume);
}

static void assert_aborts(void (*broken)(void *self), const char *text)
{
    assert_true(child_aborted(child_run(broken, NULL), text));
}

static void broken_calls_abort(void **state UNUSED)
{
    assert_aborts(an_item_before_the_begin, "awaited");
    assert_aborts(an_item_before_the_begin_came_again, "awaited");
    assert_aborts(an_item_handed_over_twice, "handed");
    assert_aborts(a_skipped_item_handed_over, "handed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_skipped_without_a_cut),
        cmocka_unit_test(what_was_handed_over_is_skipped_and_no_more),
        cmocka_unit_test(of_the_item_in_hand_the_rest_is_left),
        cmocka_unit_test(a_cut_before_it_came_back_forgets_nothing),
        cmocka_unit_test(what_is_sent_adds_up),
        cmocka_unit_test(another_transaction_is_told_apart),
        cmocka_unit_test(a_cut_between_transactions_awaits_nothing),
        cmocka_unit_test(a_transaction_that_came_back_leaves_nothing_behind),
        cmocka_unit_test(it_is_missed_once_the_server_is_beyond_it),
        cmocka_unit_test(broken_calls_abort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
