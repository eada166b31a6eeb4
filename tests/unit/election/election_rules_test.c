/* Who may take the lease, and when. */
#include "election_script.h"

#include "election/election_rules.h"

static void the_lease_is_read_before_anything_else(void **state)
{
    (void)state;
    struct script script = script_new();
    script.reads_hang = true;
    script_tick(&script);
    ASSERT_CALL(&script, READ);
    script_tell_worker(&script);
    script_pass(&script, 1000);
    ASSERT_CALL(&script, READ);
    ASSERT_STATE(&script, FOLLOWING);
}

static void an_absent_lease_is_created(void **state)
{
    (void)state;
    struct script script = script_new();
    script_lead(&script);
    ASSERT_STATE(&script, LEADING);
    ASSERT_ROW(&script, "won");
    ASSERT_PHASE(&script, STARTING);
    assert_true(script_may_start(&script));
    assert_false(script.orders.must_stop);
}

static void a_deleted_lease_is_left_to_the_holder_that_still_reads_the_slot(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, OTHER_READS);
    script_delete_lease(&script);
    script_pass(&script, 2 * LEASE_MS);
    ASSERT_STATE(&script, FOLLOWING);
    assert_int_equal(script.calls[ELECTION_CALL_CREATE], 0);
    script_read_slot(&script, NULL);
    script_pass(&script, POLL_MS);
    ASSERT_CALL(&script, CREATE);
    ASSERT_ROW(&script, "lease_absent");
}

static void an_empty_holder_is_followed_at_once(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, OTHER_READS);
    script_show_lease(&script, "", ELECTION_PHASE_NONE);
    ASSERT_STATE(&script, ACQUIRING);
    ASSERT_CALL(&script, TAKE);
    ASSERT_ROW(&script, "holder_left");
    assert_int_equal(script.orders.version, script.lease.version);
    ASSERT_PHASE(&script, STARTING);
}

static void a_stalled_holder_is_followed_at_once(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, OTHER_READS);
    script_show_lease(&script, OTHER, ELECTION_PHASE_STALLED);
    ASSERT_CALL(&script, TAKE);
    ASSERT_ROW(&script, "holder_stalled");
}

static void the_unfit_never_take(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, OTHER_READS);
    script.worker.brokers = false;
    script_tell_worker(&script);
    script_show_lease(&script, "", ELECTION_PHASE_NONE);
    ASSERT_CALL(&script, NONE);
    script.worker.brokers = true;
    script.poll.answered = false;
    script_pass(&script, POLL_MS);
    script_tell_worker(&script);
    ASSERT_CALL(&script, NONE);
    script.poll.answered = true;
    script_pass(&script, POLL_MS);
    ASSERT_CALL(&script, NONE);
    script_pass(&script, POLL_MS);
    ASSERT_CALL(&script, TAKE);
}

static void fitness_fades_without_new_looks(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, OTHER_READS);
    script_doze(&script, ELECTION_RULES_FIT_GAP_MS + 1);
    script_show_lease(&script, "", ELECTION_PHASE_NONE);
    ASSERT_CALL(&script, NONE);
}

/* Looks that take long are further apart: each begins an interval behind the end of the last. */
static void script_pass_slowly(struct script *script, int64_t time_ms, int64_t look_ms)
{
    for (int64_t i = 0; i < time_ms / (POLL_MS + look_ms); i++) {
        script_doze(script, POLL_MS + look_ms);
        script_look(script);
    }
}

/* Once nobody ever led when a look took longer than its interval. */
static void a_server_that_is_far_away_makes_nobody_unfit(void **state)
{
    (void)state;
    struct script script = script_new();
    script_tell_worker(&script);
    script_pass_slowly(&script, 2000, 600);
    ASSERT_CALL(&script, CREATE);
}

static void a_slot_of_a_server_that_is_far_away_is_seen_to_be_abandoned(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, OTHER_READS);
    script_read_slot(&script, NULL);
    script_pass_slowly(&script, 1000, 150);
    ASSERT_CALL(&script, TAKE);
    ASSERT_ROW(&script, "holder_abandoned_slot");
}

static void a_halted_worker_is_no_candidate(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, OTHER_READS);
    script_work(&script, ELECTION_WORKER_HALTED);
    script_show_lease(&script, "", ELECTION_PHASE_NONE);
    script_pass(&script, LEASE_MS);
    ASSERT_STATE(&script, FOLLOWING);
    script_work(&script, ELECTION_WORKER_IDLE);
    ASSERT_CALL(&script, TAKE);
}

/* Expired. */

static void a_lease_that_does_not_change_expires(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STARTING, NULL);
    script_pass(&script, LEASE_MS - 4 * POLL_MS);
    ASSERT_STATE(&script, FOLLOWING);
    script_pass(&script, POLL_MS);
    ASSERT_CALL(&script, TAKE);
    ASSERT_ROW(&script, "holder_expired");
}

static void each_renewal_begins_the_duration_anew(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STARTING, NULL);
    for (int i = 0; i < 20; i++) {
        script_pass(&script, RETRY_MS);
        script_set_lease(&script, OTHER, ELECTION_PHASE_STARTING);
    }
    ASSERT_STATE(&script, FOLLOWING);
}

static void the_duration_is_the_records_own_when_it_is_sane(void **state)
{
    (void)state;
    const int64_t durations[][2] = { { 4000, 4000 },
                                     { 0, LEASE_MS },
                                     { -5, LEASE_MS },
                                     { 999, LEASE_MS },
                                     { INT64_MAX, LEASE_MS } };
    for (size_t i = 0; i < COUNT_OF(durations); i++) {
        struct script script = script_new();
        script_set_lease(&script, OTHER, ELECTION_PHASE_STARTING);
        script.lease.duration_ms = durations[i][0];
        script_tell_worker(&script);
        script_pass(&script, durations[i][1] - POLL_MS);
        ASSERT_STATE(&script, FOLLOWING);
        script_pass(&script, POLL_MS);
        ASSERT_CALL(&script, TAKE);
    }
}

static void an_expired_holder_that_reads_the_slot_is_left(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, OTHER_READS);
    script_pass(&script, 4 * LEASE_MS);
    ASSERT_STATE(&script, FOLLOWING);
    script_read_slot(&script, THIRD_READS);
    script_pass(&script, POLL_MS);
    ASSERT_CALL(&script, TAKE);
    ASSERT_ROW(&script, "holder_expired");
}

static void a_reader_without_a_name_may_be_the_holder(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, "");
    script_pass(&script, 4 * LEASE_MS);
    ASSERT_STATE(&script, FOLLOWING);
}

static void a_holder_with_a_foreign_name_expires(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STARTING, OTHER_READS);
    script_show_lease(&script, "bob", ELECTION_PHASE_STARTING);
    script_pass(&script, LEASE_MS);
    ASSERT_CALL(&script, TAKE);
}

static void a_holder_whose_slot_does_not_exist_expires(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STARTING, NULL);
    script.poll.exists = false;
    script_pass(&script, LEASE_MS);
    ASSERT_CALL(&script, TAKE);
}

/* Abandoned. */

static void a_slot_that_is_free_for_the_grace_is_abandoned(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, OTHER_READS);
    script_read_slot(&script, NULL);
    script_pass(&script, GRACE_MS);
    ASSERT_STATE(&script, FOLLOWING);
    script_pass(&script, POLL_MS);
    ASSERT_CALL(&script, TAKE);
    ASSERT_ROW(&script, "holder_abandoned_slot");
}

static void the_grace_needs_so_many_looks(void **state)
{
    (void)state;
    struct election_options options = script_options();
    options.poll_interval_ms = 200;
    struct script script = script_new_with(&options);
    script_set_lease(&script, OTHER, ELECTION_PHASE_STREAMING);
    script_tell_worker(&script);
    for (int i = 0; i < 4; i++) {
        script.now_ms += 200;
        script_look(&script);
    }
    ASSERT_STATE(&script, FOLLOWING);
    script.now_ms += 200;
    script_look(&script);
    ASSERT_CALL(&script, TAKE);
}

static void one_look_at_a_busy_slot_begins_the_grace_anew(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, NULL);
    script_read_slot(&script, OTHER_READS);
    script_pass(&script, POLL_MS);
    script_read_slot(&script, NULL);
    script_pass(&script, GRACE_MS);
    ASSERT_STATE(&script, FOLLOWING);
    script_pass(&script, POLL_MS);
    ASSERT_CALL(&script, TAKE);
}

static void a_failed_look_begins_the_grace_anew(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, NULL);
    script.poll.answered = false;
    script_pass(&script, POLL_MS);
    script.poll.answered = true;
    script_pass(&script, GRACE_MS);
    ASSERT_STATE(&script, FOLLOWING);
    script_pass(&script, POLL_MS);
    ASSERT_CALL(&script, TAKE);
}

static void a_gap_between_looks_begins_the_grace_anew(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, NULL);
    script_pass(&script, GRACE_MS - 4 * POLL_MS);
    script_doze(&script, GRACE_MS + 1);
    script_pass(&script, GRACE_MS);
    ASSERT_STATE(&script, FOLLOWING);
    script_pass(&script, POLL_MS);
    ASSERT_ROW(&script, "holder_abandoned_slot");
}

static void what_was_seen_longer_ago_than_the_grace_is_no_reason(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, NULL);
    script.worker.brokers = false;
    script_tell_worker(&script);
    script_pass(&script, 2 * GRACE_MS);
    script_doze(&script, GRACE_MS + 1);
    script.worker.brokers = true;
    script_tell_worker(&script);
    ASSERT_STATE(&script, FOLLOWING);
}

static void a_slot_that_does_not_exist_is_not_free(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, NULL);
    script.poll.exists = false;
    script_pass(&script, LEASE_MS / 2);
    ASSERT_STATE(&script, FOLLOWING);
}

static void another_holder_begins_the_grace_anew(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, NULL);
    script_pass(&script, GRACE_MS - 4 * POLL_MS);
    script_show_lease(&script, THIRD, ELECTION_PHASE_STREAMING);
    script_pass(&script, GRACE_MS);
    ASSERT_STATE(&script, FOLLOWING);
    script_pass(&script, POLL_MS);
    ASSERT_CALL(&script, TAKE);
}

/* Somebody wrote between the last sight and the take: what, is not known. */
static void a_refused_take_begins_the_grace_anew(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, NULL);
    script_pass(&script, GRACE_MS - 2 * POLL_MS);
    ASSERT_CALL(&script, TAKE);
    script_set_lease(&script, OTHER, ELECTION_PHASE_STREAMING);
    script_answer(&script, ELECTION_CONFLICT, NULL);
    ASSERT_STATE(&script, FOLLOWING);
    script_pass(&script, GRACE_MS);
    ASSERT_STATE(&script, FOLLOWING);
    script_pass(&script, POLL_MS);
    ASSERT_CALL(&script, TAKE);
}

/* It has just begun to stream: the looks before that say nothing of it. */
static void a_slot_that_was_free_while_the_holder_started_is_not_abandoned(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STARTING, NULL);
    script_pass(&script, 5000);
    script_show_lease(&script, OTHER, ELECTION_PHASE_STREAMING);
    ASSERT_STATE(&script, FOLLOWING);
    script_pass(&script, GRACE_MS);
    ASSERT_STATE(&script, FOLLOWING);
}

/* Whoever renews lives, and may have begun to stream just now. */
static void a_renewal_begins_the_grace_anew(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, NULL);
    script_show_lease(&script, OTHER, ELECTION_PHASE_STREAMING);
    script_pass(&script, GRACE_MS);
    ASSERT_STATE(&script, FOLLOWING);
    script_pass(&script, POLL_MS);
    ASSERT_CALL(&script, TAKE);
}

static void a_holder_that_renews_without_its_slot_is_followed_all_the_same(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, OTHER_READS);
    script_pass(&script, 10 * POLL_MS);
    script_read_slot(&script, NULL);
    script_pass(&script, GRACE_MS - POLL_MS);
    script_show_lease(&script, OTHER, ELECTION_PHASE_STREAMING);
    script_pass(&script, RETRY_MS / 2);
    ASSERT_CALL(&script, TAKE);
    ASSERT_ROW(&script, "holder_abandoned_slot");
}

static void a_holder_that_starts_is_not_robbed_of_a_free_slot(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STARTING, NULL);
    script_pass(&script, LEASE_MS / 2);
    ASSERT_STATE(&script, FOLLOWING);
}

/* After a freeze. */

static void what_was_seen_before_a_freeze_does_not_count(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, NULL);
    script_pass(&script, GRACE_MS - 4 * POLL_MS);
    script.reads_hang = true;
    script.now_ms += 60000;
    script_look(&script);
    ASSERT_STATE(&script, FOLLOWING);
    script_pass(&script, POLL_MS);
    ASSERT_STATE(&script, FOLLOWING); /* fit again, and the lease looks expired */
    ASSERT_CALL(&script, READ);
    script_set_lease(&script, OTHER, ELECTION_PHASE_STREAMING);
    script_answer_read(&script);
    ASSERT_CALL(&script, NONE);
    script_read_slot(&script, OTHER_READS);
    script_pass(&script, 1000);
    ASSERT_STATE(&script, FOLLOWING);
}

static void a_lease_that_is_read_again_unchanged_has_expired_in_a_freeze(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STARTING, NULL);
    script.now_ms += 60000;
    script_pass(&script, 2 * POLL_MS);
    ASSERT_CALL(&script, TAKE);
    assert_int_equal(script.calls[ELECTION_CALL_READ], 2);
}

static void who_cannot_read_after_a_freeze_takes_nothing(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, NULL);
    script.reads_hang = true;
    script.now_ms += 60000;
    script_pass_in_outage(&script, 60000);
    ASSERT_STATE(&script, FOLLOWING);
    assert_int_equal(script.calls[ELECTION_CALL_TAKE], 0);
}

/* The watch and the reads. */

static void the_lease_is_read_each_retry_period(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, OTHER_READS);
    unsigned before = script.calls[ELECTION_CALL_READ];
    script_pass(&script, 10 * RETRY_MS);
    assert_int_equal(script.calls[ELECTION_CALL_READ] - before, 10);
}

static void a_hint_that_names_us_is_only_a_reason_to_read(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, OTHER_READS);
    struct election_record truth = script.lease;
    script.reads_hang = true;
    script_show_lease(&script, ME, ELECTION_PHASE_STREAMING);
    ASSERT_STATE(&script, FOLLOWING);
    ASSERT_CALL(&script, READ);
    script.lease = truth;
    script_answer_read(&script);
    ASSERT_STATE(&script, FOLLOWING);
}

static void an_old_hint_costs_a_refused_take_at_most(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, OTHER_READS);
    struct election_record truth = script.lease;
    script_show_lease(&script, "", ELECTION_PHASE_NONE);
    script.lease = truth;
    script_answer(&script, ELECTION_CONFLICT, NULL);
    ASSERT_STATE(&script, FOLLOWING);
    ASSERT_ROW(&script, "must_read");
    ASSERT_CALL(&script, NONE);
    script_pass(&script, 2 * RETRY_MS);
    assert_int_equal(script.calls[ELECTION_CALL_TAKE], 1);
}

/* Acquiring. */

static void who_was_slower_reads_and_follows(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, OTHER_READS);
    script_show_lease(&script, "", ELECTION_PHASE_NONE);
    script_set_lease(&script, THIRD, ELECTION_PHASE_STARTING);
    script_answer(&script, ELECTION_CONFLICT, NULL);
    ASSERT_STATE(&script, FOLLOWING);
    assert_string_equal(script.election.record.holder, THIRD);
}

static void a_take_whose_answer_was_lost_is_recognised(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, OTHER_READS);
    script_show_lease(&script, "", ELECTION_PHASE_NONE);
    script.now_ms += 5000;
    script_set_lease(&script, ME, ELECTION_PHASE_STARTING);
    script_answer(&script, ELECTION_UNKNOWN, NULL);
    ASSERT_STATE(&script, LEADING);
    ASSERT_ROW(&script, "renewal_is_due");
}

static void a_take_that_did_not_arrive_is_tried_again(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, OTHER_READS);
    script_show_lease(&script, "", ELECTION_PHASE_NONE);
    script_answer(&script, ELECTION_UNKNOWN, NULL);
    ASSERT_STATE(&script, FOLLOWING);
    ASSERT_CALL(&script, NONE);
    script_pass(&script, RETRY_MS);
    ASSERT_CALL(&script, TAKE);
    assert_int_equal(script.calls[ELECTION_CALL_TAKE], 2);
}

/* The PUT was slow: it arrives after its sender has given up, and after the next read. */
static void a_take_that_arrives_late_is_recognised_by_the_next_read(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, OTHER_READS);
    script_show_lease(&script, OTHER, ELECTION_PHASE_STALLED);
    script_answer(&script, ELECTION_UNKNOWN, NULL);
    script_set_lease(&script, OTHER, ELECTION_PHASE_STREAMING);
    script_pass(&script, RETRY_MS);
    ASSERT_STATE(&script, FOLLOWING);
    script_set_lease(&script, ME, ELECTION_PHASE_STARTING);
    script_pass(&script, RETRY_MS);
    ASSERT_STATE(&script, LEADING);
}

static void a_create_that_is_refused_though_nothing_is_there_is_not_repeated_at_once(void **state)
{
    (void)state;
    struct script script = script_new();
    script_tell_worker(&script);
    script_pass(&script, 2 * POLL_MS);
    for (unsigned i = 1; i < 5; i++) {
        ASSERT_CALL(&script, CREATE);
        script_answer(&script, ELECTION_NOT_FOUND, NULL); /* the namespace */
        ASSERT_CALL(&script, NONE);
        script_pass(&script, RETRY_MS);
        assert_int_equal(script.calls[ELECTION_CALL_CREATE], i + 1);
    }
}

static void denied_is_told_and_tried_again_each_retry_period(void **state)
{
    (void)state;
    struct script script = script_new();
    script_tell_worker(&script);
    script_pass(&script, 2 * POLL_MS);
    ASSERT_CALL(&script, CREATE);
    script_answer(&script, ELECTION_DENIED, NULL);
    ASSERT_STATE(&script, FOLLOWING);
    ASSERT_ROW(&script, "denied");
    script_pass(&script, RETRY_MS);
    assert_int_equal(script.calls[ELECTION_CALL_CREATE], 2);
    script_answer(&script, ELECTION_DENIED, NULL);
    script.reads_hang = true;
    script_delete_lease(&script);
    script_pass(&script, POLL_MS);
    ASSERT_STATE(&script, FOLLOWING);
}

static void a_read_that_is_denied_is_told_too(void **state)
{
    (void)state;
    struct script script = script_new();
    script.reads_hang = true;
    script_tick(&script);
    script_answer(&script, ELECTION_DENIED, NULL);
    ASSERT_ROW(&script, "denied");
    ASSERT_CALL(&script, NONE);
    script_doze(&script, RETRY_MS);
    ASSERT_CALL(&script, READ);
}

static void who_won_while_it_was_frozen_may_not_start(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, OTHER_READS);
    script_show_lease(&script, "", ELECTION_PHASE_NONE);
    script.now_ms += DEADLINE_MS;
    script_grant(&script);
    ASSERT_STATE(&script, LEADING);
    assert_false(script_may_start(&script));
    ASSERT_CALL(&script, RENEW);
    script_set_lease(&script, THIRD, ELECTION_PHASE_STARTING);
    script_answer(&script, ELECTION_CONFLICT, NULL);
    ASSERT_STATE(&script, FOLLOWING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lease_is_read_before_anything_else),
        cmocka_unit_test(an_absent_lease_is_created),
        cmocka_unit_test(a_deleted_lease_is_left_to_the_holder_that_still_reads_the_slot),
        cmocka_unit_test(an_empty_holder_is_followed_at_once),
        cmocka_unit_test(a_stalled_holder_is_followed_at_once),
        cmocka_unit_test(the_unfit_never_take),
        cmocka_unit_test(fitness_fades_without_new_looks),
        cmocka_unit_test(a_halted_worker_is_no_candidate),
        cmocka_unit_test(a_lease_that_does_not_change_expires),
        cmocka_unit_test(each_renewal_begins_the_duration_anew),
        cmocka_unit_test(the_duration_is_the_records_own_when_it_is_sane),
        cmocka_unit_test(an_expired_holder_that_reads_the_slot_is_left),
        cmocka_unit_test(a_reader_without_a_name_may_be_the_holder),
        cmocka_unit_test(a_holder_with_a_foreign_name_expires),
        cmocka_unit_test(a_holder_whose_slot_does_not_exist_expires),
        cmocka_unit_test(a_slot_that_is_free_for_the_grace_is_abandoned),
        cmocka_unit_test(the_grace_needs_so_many_looks),
        cmocka_unit_test(one_look_at_a_busy_slot_begins_the_grace_anew),
        cmocka_unit_test(a_failed_look_begins_the_grace_anew),
        cmocka_unit_test(a_gap_between_looks_begins_the_grace_anew),
        cmocka_unit_test(what_was_seen_longer_ago_than_the_grace_is_no_reason),
        cmocka_unit_test(a_server_that_is_far_away_makes_nobody_unfit),
        cmocka_unit_test(a_slot_of_a_server_that_is_far_away_is_seen_to_be_abandoned),
        cmocka_unit_test(a_slot_that_does_not_exist_is_not_free),
        cmocka_unit_test(another_holder_begins_the_grace_anew),
        cmocka_unit_test(a_refused_take_begins_the_grace_anew),
        cmocka_unit_test(a_slot_that_was_free_while_the_holder_started_is_not_abandoned),
        cmocka_unit_test(a_renewal_begins_the_grace_anew),
        cmocka_unit_test(a_holder_that_renews_without_its_slot_is_followed_all_the_same),
        cmocka_unit_test(a_holder_that_starts_is_not_robbed_of_a_free_slot),
        cmocka_unit_test(what_was_seen_before_a_freeze_does_not_count),
        cmocka_unit_test(a_lease_that_is_read_again_unchanged_has_expired_in_a_freeze),
        cmocka_unit_test(who_cannot_read_after_a_freeze_takes_nothing),
        cmocka_unit_test(the_lease_is_read_each_retry_period),
        cmocka_unit_test(a_hint_that_names_us_is_only_a_reason_to_read),
        cmocka_unit_test(an_old_hint_costs_a_refused_take_at_most),
        cmocka_unit_test(who_was_slower_reads_and_follows),
        cmocka_unit_test(a_take_whose_answer_was_lost_is_recognised),
        cmocka_unit_test(a_take_that_did_not_arrive_is_tried_again),
        cmocka_unit_test(a_take_that_arrives_late_is_recognised_by_the_next_read),
        cmocka_unit_test(a_create_that_is_refused_though_nothing_is_there_is_not_repeated_at_once),
        cmocka_unit_test(denied_is_told_and_tried_again_each_retry_period),
        cmocka_unit_test(a_read_that_is_denied_is_told_too),
        cmocka_unit_test(who_won_while_it_was_frozen_may_not_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
