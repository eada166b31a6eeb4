/* Who leads: renewing, losing, giving back, leaving. */
#include "election_script.h"

/* Renewing. */

static void a_leader_renews_each_retry_period(void **state)
{
    (void)state;
    struct script script = script_leader();
    unsigned before = script.calls[ELECTION_CALL_RENEW];
    script_pass_served(&script, 60000);
    ASSERT_STATE(&script, LEADING);
    assert_int_equal(script.calls[ELECTION_CALL_RENEW] - before, 30);
    assert_int_equal(script.calls[ELECTION_CALL_READ], 1);
    ASSERT_PHASE(&script, STREAMING);
}

static void a_renewal_is_built_on_the_last_version(void **state)
{
    (void)state;
    struct script script = script_leader();
    uint64_t version = script.lease.version;
    script_pass(&script, RETRY_MS);
    ASSERT_CALL(&script, RENEW);
    assert_int_equal(script.orders.version, version);
}

static void the_right_to_start_counts_from_when_the_call_began(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_pass(&script, RETRY_MS);
    int64_t began_ms = script.now_ms;
    script_pass(&script, 5000);
    script_grant(&script);
    assert_int_equal(script.orders.may_start_until.value, began_ms + DEADLINE_MS);
}

static void a_read_that_names_us_is_a_proof_too(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_pass(&script, RETRY_MS);
    script_answer(&script, ELECTION_BUSY, NULL);
    script_pass(&script, RETRY_MS - POLL_MS);
    ASSERT_CALL(&script, NONE);
    script_pass(&script, POLL_MS);
    assert_int_equal(script.orders.may_start_until.value, script.now_ms + DEADLINE_MS);
    ASSERT_CALL(&script, RENEW);
}

static void a_renewal_without_an_answer_is_followed_by_a_read(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_pass(&script, RETRY_MS);
    script.reads_hang = true;
    script.now_ms += 5000;
    script_answer(&script, ELECTION_UNKNOWN, NULL);
    ASSERT_CALL(&script, READ);
    script_answer_read(&script);
    ASSERT_STATE(&script, LEADING);
    ASSERT_CALL(&script, RENEW);
}

static void somebodys_edit_costs_a_read(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_pass(&script, RETRY_MS);
    script_set_lease(&script, ME, ELECTION_PHASE_STREAMING); /* kubectl annotate */
    script_answer(&script, ELECTION_CONFLICT, NULL);
    ASSERT_STATE(&script, LEADING);
    ASSERT_CALL(&script, RENEW);
    assert_int_equal(script.orders.version, script.lease.version);
}

static void a_deleted_lease_is_made_anew(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_pass(&script, RETRY_MS);
    script_delete_lease(&script);
    script_answer(&script, ELECTION_NOT_FOUND, NULL);
    ASSERT_CALL(&script, CREATE);
    ASSERT_PHASE(&script, STREAMING);
    script_grant(&script);
    ASSERT_STATE(&script, LEADING);
    assert_int_equal(script.calls[ELECTION_CALL_READ], 1);
}

static void a_lease_made_anew_by_another_is_lost(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_pass(&script, RETRY_MS);
    script_answer(&script, ELECTION_NOT_FOUND, NULL);
    script_set_lease(&script, OTHER, ELECTION_PHASE_STARTING);
    script_answer(&script, ELECTION_CONFLICT, NULL);
    ASSERT_STATE(&script, LOSING);
    ASSERT_ROW(&script, "replaced");
}

/* What a leader says of itself. */

static void a_stream_is_told_at_once(void **state)
{
    (void)state;
    struct script script = script_new();
    script_lead(&script);
    ASSERT_PHASE(&script, STARTING);
    script_work(&script, ELECTION_WORKER_STREAMING);
    ASSERT_CALL(&script, RENEW);
    ASSERT_ROW(&script, "phase_changed");
    ASSERT_PHASE(&script, STREAMING);
}

static void a_stream_that_is_opened_again_stays_streaming(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_work(&script, ELECTION_WORKER_STARTING);
    script_read_slot(&script, NULL);
    script_pass_served(&script, DEADLINE_MS / 2);
    ASSERT_PHASE(&script, STREAMING);
    script_work(&script, ELECTION_WORKER_IDLE);
    script_pass_served(&script, DEADLINE_MS / 2);
    ASSERT_PHASE(&script, STREAMING);
}

static void waiting_for_a_slot_is_starting(void **state)
{
    (void)state;
    struct script script = script_new();
    script_lead(&script);
    script_read_slot(&script, "psql");
    script_pass_served(&script, 120000);
    ASSERT_PHASE(&script, STARTING);
    script.poll.exists = false;
    script_pass_served(&script, 120000);
    ASSERT_PHASE(&script, STARTING);
}

static void without_a_look_at_the_slot_it_is_stalled(void **state)
{
    (void)state;
    struct script script = script_leader();
    script.poll.answered = false;
    script_pass_served(&script, 9950);
    ASSERT_PHASE(&script, STREAMING);
    script_pass_served(&script, POLL_MS);
    ASSERT_PHASE(&script, STALLED);
    script.poll.answered = true;
    script_pass_served(&script, POLL_MS);
    ASSERT_PHASE(&script, STREAMING);
}

static void records_without_a_broker_are_stalled(void **state)
{
    (void)state;
    struct script script = script_leader();
    script.worker.brokers = false;
    script_tell_worker(&script);
    script_pass_served(&script, 60000);
    ASSERT_PHASE(&script, STREAMING);
    script.worker.records_waiting = true;
    script_tell_worker(&script);
    script_pass_served(&script, 29900);
    ASSERT_PHASE(&script, STREAMING);
    script_pass_served(&script, RETRY_MS);
    ASSERT_PHASE(&script, STALLED);
}

/* It could not begin to stream, and nobody else might. */
static void who_cannot_start_without_a_broker_is_stalled(void **state)
{
    (void)state;
    struct script script = script_new();
    script_lead(&script);
    script.worker.brokers = false;
    script_tell_worker(&script);
    script_pass_served(&script, 30000);
    ASSERT_PHASE(&script, STALLED);
}

static void a_freeze_is_not_taken_for_a_stall(void **state)
{
    (void)state;
    struct script script = script_leader();
    script.now_ms += DEADLINE_MS - 1000;
    script_tick(&script);
    ASSERT_CALL(&script, RENEW);
    ASSERT_PHASE(&script, STREAMING);
}

/* Short of CPU it is woken late again and again; that it cannot work shows all the same. */
static void who_is_often_woken_late_stalls_all_the_same(void **state)
{
    (void)state;
    struct script script = script_leader();
    int64_t began_ms = script.now_ms;
    script.worker.brokers = false;
    script.worker.records_waiting = true;
    script_tell_worker(&script);
    while (script.phase != ELECTION_PHASE_STALLED && script.now_ms < began_ms + 60000) {
        script_look(&script);
        script.now_ms = script.orders.wake_at.value + 3 * POLL_MS;
        script_tick(&script);
        if (script.call != ELECTION_CALL_NONE)
            script_grant(&script);
    }
    assert_true(script.now_ms >= began_ms + 30000 && script.now_ms < began_ms + 36000);
}

/* Losing. */

static void a_lease_that_names_another_is_lost(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_show_lease(&script, OTHER, ELECTION_PHASE_STARTING);
    ASSERT_STATE(&script, LOSING);
    ASSERT_ROW(&script, "replaced");
    assert_true(script.orders.must_stop);
    assert_false(script_may_start(&script));
}

static void a_lease_that_names_nobody_is_lost(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_show_lease(&script, "", ELECTION_PHASE_STREAMING);
    ASSERT_STATE(&script, LOSING);
    ASSERT_ROW(&script, "emptied");
}

static void an_old_hint_does_not_end_a_term(void **state)
{
    (void)state;
    struct script script = script_leader();
    struct election_record truth = script.lease;
    script.reads_hang = true;
    script_show_lease(&script, OTHER, ELECTION_PHASE_STREAMING);
    ASSERT_STATE(&script, LEADING);
    ASSERT_CALL(&script, READ);
    script.lease = truth;
    script_answer_read(&script);
    ASSERT_STATE(&script, LEADING);
}

/* The watch is faster than the PUT. */
static void a_hint_of_our_own_renewal_costs_nothing(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_pass(&script, RETRY_MS);
    script_show_lease(&script, ME, ELECTION_PHASE_STREAMING);
    script_answer(&script, ELECTION_OK, &script.lease);
    ASSERT_CALL(&script, NONE);
    ASSERT_STATE(&script, LEADING);
}

static void a_refused_renewal_and_no_read_is_a_loss(void **state)
{
    (void)state;
    const enum election_outcome silent[] = { ELECTION_UNKNOWN, ELECTION_BUSY, ELECTION_DENIED };
    for (size_t i = 0; i < COUNT_OF(silent); i++) {
        struct script script = script_leader();
        script.reads_hang = true;
        script_pass(&script, RETRY_MS);
        script_answer(&script, ELECTION_CONFLICT, NULL);
        ASSERT_CALL(&script, READ);
        assert_false(script_may_start(&script));
        assert_false(script.orders.must_stop);
        script_answer(&script, silent[i], NULL);
        ASSERT_STATE(&script, LOSING);
        ASSERT_ROW(&script, "contested");
    }
}

static void a_running_stream_outlives_an_outage(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_pass_in_outage(&script, 10 * LEASE_MS);
    ASSERT_STATE(&script, LEADING);
    assert_false(script.orders.must_stop);
    assert_false(script_may_start(&script));
    script_pass_served(&script, RETRY_MS);
    script.reads_hang = false;
    script_pass_served(&script, RETRY_MS);
    assert_true(script_may_start(&script));
}

static void step_down_ends_it_at_the_deadline(void **state)
{
    (void)state;
    struct election_options options = script_options();
    options.step_down_on_outage = true;
    struct script script = script_leader_with(&options);
    int64_t proven_ms = script.now_ms;
    script_pass_in_outage(&script, DEADLINE_MS - POLL_MS);
    ASSERT_STATE(&script, LEADING);
    assert_int_equal(script.orders.wake_at.value, proven_ms + DEADLINE_MS);
    script_pass_in_outage(&script, POLL_MS);
    ASSERT_STATE(&script, LOSING);
    ASSERT_ROW(&script, "outage_ends_it");
}

/* Its slot may be active still, so that nobody could take the lease from it. */
static void who_can_neither_work_nor_say_so_gives_up(void **state)
{
    (void)state;
    struct script script = script_leader();
    script.worker.brokers = false;
    script.worker.records_waiting = true;
    script_tell_worker(&script);
    script_pass_in_outage(&script, 30000);
    ASSERT_STATE(&script, LOSING);
    ASSERT_ROW(&script, "stalled_in_outage");
}

static void who_was_frozen_beyond_the_deadline_gives_up(void **state)
{
    (void)state;
    struct script script = script_leader();
    script.now_ms = script.orders.wake_at.value + DEADLINE_MS + 1;
    script_tick(&script);
    ASSERT_STATE(&script, LOSING);
    ASSERT_ROW(&script, "froze");
    assert_true(script.orders.must_stop);
}

static void the_worker_must_have_stopped_before_anything_else(void **state)
{
    (void)state;
    struct script script = script_leader();
    unsigned before = script.calls[ELECTION_CALL_READ];
    script_show_lease(&script, "", ELECTION_PHASE_NONE);
    script_pass(&script, 1000);
    ASSERT_STATE(&script, LOSING);
    script_work(&script, ELECTION_WORKER_STARTING);
    ASSERT_STATE(&script, LOSING);
    ASSERT_CALL(&script, NONE);
    assert_int_equal(script.calls[ELECTION_CALL_READ], before + 1);
    script_work(&script, ELECTION_WORKER_IDLE);
    ASSERT_CALL(&script, TAKE); /* it is free again */
}

static void a_worker_that_does_not_stop_is_killed(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_show_lease(&script, OTHER, ELECTION_PHASE_STARTING);
    script_pass(&script, 2950);
    assert_false(script.orders.die);
    script_pass(&script, POLL_MS);
    assert_true(script.orders.die);
    ASSERT_STATE(&script, OVER);
}

/* It asked, was allowed, and began as the lease was lost: what it says comes later. */
static void a_stream_that_began_as_the_lease_was_lost_must_stop(void **state)
{
    (void)state;
    struct script script = script_new();
    script_lead(&script);
    script_show_lease(&script, OTHER, ELECTION_PHASE_STARTING);
    ASSERT_STATE(&script, FOLLOWING);
    assert_true(script.orders.must_stop);
    script_work(&script, ELECTION_WORKER_STREAMING);
    ASSERT_STATE(&script, LOSING);
    script_work(&script, ELECTION_WORKER_IDLE);
    ASSERT_STATE(&script, FOLLOWING);
}

static void after_an_outage_the_lease_may_be_ours_still(void **state)
{
    (void)state;
    struct election_options options = script_options();
    options.step_down_on_outage = true;
    struct script script = script_leader_with(&options);
    script_pass_in_outage(&script, DEADLINE_MS);
    script_work(&script, ELECTION_WORKER_IDLE);
    ASSERT_STATE(&script, FOLLOWING);
    script.reads_hang = false;
    script_pass_in_outage(&script, 0);
    script.reads_hang = false;
    script_pass(&script, RETRY_MS);
    ASSERT_STATE(&script, LEADING);
    ASSERT_CALL(&script, RENEW);
    ASSERT_PHASE(&script, STARTING);
}

static void denied_is_an_outage_that_has_a_name(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_pass(&script, RETRY_MS);
    script_answer(&script, ELECTION_DENIED, NULL);
    ASSERT_ROW(&script, "denied");
    ASSERT_STATE(&script, LEADING);
    script_pass(&script, RETRY_MS - POLL_MS);
    ASSERT_CALL(&script, NONE);
    script_pass(&script, POLL_MS);
    ASSERT_CALL(&script, RENEW);
}

/* Giving back. */

static void a_halted_worker_gives_the_lease_back(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_work(&script, ELECTION_WORKER_HALTED);
    ASSERT_STATE(&script, RELEASING);
    ASSERT_CALL(&script, RELEASE);
    assert_int_equal(script.orders.version, script.lease.version);
    script_grant(&script);
    ASSERT_STATE(&script, FOLLOWING);
    script_pass(&script, LEASE_MS);
    ASSERT_STATE(&script, FOLLOWING);
    script_work(&script, ELECTION_WORKER_IDLE);
    ASSERT_CALL(&script, TAKE);
}

static void a_release_waits_for_the_renewal_on_its_way(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_pass(&script, RETRY_MS);
    script_work(&script, ELECTION_WORKER_HALTED);
    ASSERT_STATE(&script, RELEASING);
    ASSERT_CALL(&script, RENEW);
    script_grant(&script);
    ASSERT_CALL(&script, RELEASE);
}

static void a_release_that_was_not_answered_is_looked_after(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_work(&script, ELECTION_WORKER_HALTED);
    script_answer(&script, ELECTION_UNKNOWN, NULL);
    ASSERT_CALL(&script, NONE);
    script_pass(&script, RETRY_MS);
    ASSERT_CALL(&script, RELEASE);
    script_set_lease(&script, "", ELECTION_PHASE_NONE);
    script_answer(&script, ELECTION_BUSY, NULL);
    script_pass(&script, RETRY_MS);
    ASSERT_STATE(&script, FOLLOWING);
    assert_int_equal(script.calls[ELECTION_CALL_RELEASE], 2);
}

static void a_release_after_somebodys_edit_is_repeated(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_work(&script, ELECTION_WORKER_HALTED);
    script_set_lease(&script, ME, ELECTION_PHASE_STREAMING);
    script_answer(&script, ELECTION_CONFLICT, NULL);
    ASSERT_CALL(&script, RELEASE);
    assert_int_equal(script.orders.version, script.lease.version);
}

static void another_holders_lease_is_not_released(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_work(&script, ELECTION_WORKER_HALTED);
    script_set_lease(&script, OTHER, ELECTION_PHASE_STARTING);
    script_answer(&script, ELECTION_CONFLICT, NULL);
    ASSERT_STATE(&script, FOLLOWING);
    assert_int_equal(script.calls[ELECTION_CALL_RELEASE], 1);
}

static void a_release_is_given_up_at_the_deadline(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_work(&script, ELECTION_WORKER_HALTED);
    script_answer(&script, ELECTION_UNKNOWN, NULL);
    script_pass_in_outage(&script, DEADLINE_MS - POLL_MS);
    ASSERT_STATE(&script, RELEASING);
    script_pass_in_outage(&script, POLL_MS);
    ASSERT_STATE(&script, FOLLOWING);
    script_pass_in_outage(&script, 60000);
    ASSERT_STATE(&script, FOLLOWING);
    script.reads_hang = false;
    script_pass(&script, RETRY_MS);
    ASSERT_STATE(&script, RELEASING); /* it names us still */
    ASSERT_ROW(&script, "may_release");
}

/* Leaving. */

static void a_leader_that_leaves_releases_last(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_stop(&script);
    ASSERT_STATE(&script, LEADING);
    assert_false(script_may_start(&script));
    script_pass(&script, RETRY_MS);
    ASSERT_CALL(&script, RENEW); /* to the end */
    script_grant(&script);
    script_work(&script, ELECTION_WORKER_IDLE);
    ASSERT_CALL(&script, RELEASE);
    script_grant(&script);
    ASSERT_STATE(&script, OVER);
    assert_false(script.orders.die);
}

static void a_follower_leaves_at_once(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, OTHER_READS);
    script_stop(&script);
    ASSERT_STATE(&script, OVER);
    ASSERT_ROW(&script, "leaves");
}

static void who_waits_for_its_take_leaves_after_the_answer(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, OTHER_READS);
    script_show_lease(&script, "", ELECTION_PHASE_NONE);
    script_stop(&script);
    ASSERT_STATE(&script, ACQUIRING);
    script_grant(&script);
    ASSERT_STATE(&script, RELEASING);
    ASSERT_CALL(&script, RELEASE);
}

static void who_may_hold_the_lease_looks_before_it_leaves(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, OTHER_READS);
    script_show_lease(&script, "", ELECTION_PHASE_NONE);
    script_answer(&script, ELECTION_UNKNOWN, NULL);
    script_stop(&script);
    ASSERT_STATE(&script, RELEASING);
    script_set_lease(&script, ME, ELECTION_PHASE_STARTING);
    script_pass(&script, RETRY_MS);
    ASSERT_CALL(&script, RELEASE);
    script_grant(&script);
    ASSERT_STATE(&script, OVER);
}

static void leaving_ends_at_the_deadline_without_an_api_server(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_work(&script, ELECTION_WORKER_IDLE);
    script_stop(&script);
    script_answer(&script, ELECTION_UNKNOWN, NULL);
    script_pass_in_outage(&script, DEADLINE_MS);
    ASSERT_STATE(&script, OVER);
    ASSERT_ROW(&script, "gave_up_to_leave");
}

static void who_is_losing_leaves_when_the_worker_has_stopped(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_show_lease(&script, OTHER, ELECTION_PHASE_STARTING);
    script_stop(&script);
    ASSERT_STATE(&script, LOSING);
    script_work(&script, ELECTION_WORKER_IDLE);
    ASSERT_STATE(&script, OVER);
}

static void a_lease_that_names_a_halted_replica_is_given_back(void **state)
{
    (void)state;
    struct script script = script_candidate(ELECTION_PHASE_STREAMING, OTHER_READS);
    script_show_lease(&script, "", ELECTION_PHASE_NONE);
    script_answer(&script, ELECTION_UNKNOWN, NULL);
    script_work(&script, ELECTION_WORKER_HALTED);
    script_set_lease(&script, ME, ELECTION_PHASE_STARTING); /* it arrived late */
    script_pass(&script, RETRY_MS);
    ASSERT_STATE(&script, RELEASING);
    ASSERT_CALL(&script, RELEASE);
}

static void a_stream_that_began_as_the_lease_was_given_back_must_stop(void **state)
{
    (void)state;
    struct script script = script_leader();
    script_work(&script, ELECTION_WORKER_HALTED);
    script_work(&script, ELECTION_WORKER_STREAMING);
    ASSERT_STATE(&script, LOSING);
    assert_true(script.orders.must_stop);
}

/* The values. */

static void a_version_is_of_both_its_parts(void **state)
{
    (void)state;
    uint64_t version = election_version("uid-1", "27");
    assert_int_equal(version, election_version("uid-1", "27"));
    assert_int_not_equal(version, election_version("uid-1", "28"));
    assert_int_not_equal(version, election_version("uid-2", "27"));
    assert_int_not_equal(version, election_version("uid-12", "7"));
    assert_int_not_equal(election_version("", ""), 0);
}

static void a_phase_that_nobody_knows_is_none(void **state)
{
    (void)state;
    assert_int_equal(election_phase_of("streaming"), ELECTION_PHASE_STREAMING);
    assert_int_equal(election_phase_of("stalled"), ELECTION_PHASE_STALLED);
    assert_int_equal(election_phase_of(""), ELECTION_PHASE_NONE);
    assert_int_equal(election_phase_of(NULL), ELECTION_PHASE_NONE);
    assert_int_equal(election_phase_of("Streaming"), ELECTION_PHASE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_renews_each_retry_period),
        cmocka_unit_test(a_renewal_is_built_on_the_last_version),
        cmocka_unit_test(the_right_to_start_counts_from_when_the_call_began),
        cmocka_unit_test(a_read_that_names_us_is_a_proof_too),
        cmocka_unit_test(a_renewal_without_an_answer_is_followed_by_a_read),
        cmocka_unit_test(somebodys_edit_costs_a_read),
        cmocka_unit_test(a_deleted_lease_is_made_anew),
        cmocka_unit_test(a_lease_made_anew_by_another_is_lost),
        cmocka_unit_test(a_stream_is_told_at_once),
        cmocka_unit_test(a_stream_that_is_opened_again_stays_streaming),
        cmocka_unit_test(waiting_for_a_slot_is_starting),
        cmocka_unit_test(without_a_look_at_the_slot_it_is_stalled),
        cmocka_unit_test(records_without_a_broker_are_stalled),
        cmocka_unit_test(who_cannot_start_without_a_broker_is_stalled),
        cmocka_unit_test(a_freeze_is_not_taken_for_a_stall),
        cmocka_unit_test(who_is_often_woken_late_stalls_all_the_same),
        cmocka_unit_test(a_lease_that_names_another_is_lost),
        cmocka_unit_test(a_lease_that_names_nobody_is_lost),
        cmocka_unit_test(an_old_hint_does_not_end_a_term),
        cmocka_unit_test(a_hint_of_our_own_renewal_costs_nothing),
        cmocka_unit_test(a_refused_renewal_and_no_read_is_a_loss),
        cmocka_unit_test(a_running_stream_outlives_an_outage),
        cmocka_unit_test(step_down_ends_it_at_the_deadline),
        cmocka_unit_test(who_can_neither_work_nor_say_so_gives_up),
        cmocka_unit_test(who_was_frozen_beyond_the_deadline_gives_up),
        cmocka_unit_test(the_worker_must_have_stopped_before_anything_else),
        cmocka_unit_test(a_worker_that_does_not_stop_is_killed),
        cmocka_unit_test(a_stream_that_began_as_the_lease_was_lost_must_stop),
        cmocka_unit_test(after_an_outage_the_lease_may_be_ours_still),
        cmocka_unit_test(denied_is_an_outage_that_has_a_name),
        cmocka_unit_test(a_halted_worker_gives_the_lease_back),
        cmocka_unit_test(a_release_waits_for_the_renewal_on_its_way),
        cmocka_unit_test(a_release_that_was_not_answered_is_looked_after),
        cmocka_unit_test(a_release_after_somebodys_edit_is_repeated),
        cmocka_unit_test(another_holders_lease_is_not_released),
        cmocka_unit_test(a_release_is_given_up_at_the_deadline),
        cmocka_unit_test(a_leader_that_leaves_releases_last),
        cmocka_unit_test(a_follower_leaves_at_once),
        cmocka_unit_test(who_waits_for_its_take_leaves_after_the_answer),
        cmocka_unit_test(who_may_hold_the_lease_looks_before_it_leaves),
        cmocka_unit_test(leaving_ends_at_the_deadline_without_an_api_server),
        cmocka_unit_test(who_is_losing_leaves_when_the_worker_has_stopped),
        cmocka_unit_test(a_lease_that_names_a_halted_replica_is_given_back),
        cmocka_unit_test(a_stream_that_began_as_the_lease_was_given_back_must_stop),
        cmocka_unit_test(a_version_is_of_both_its_parts),
        cmocka_unit_test(a_phase_that_nobody_knows_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
