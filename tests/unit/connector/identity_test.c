/* What the memory of a server says when it, or another one, comes back. */
#include "unit/postgres/fake_postgres.h"

#include "connector/identity.h"

enum { OWN_PID = 4711, OTHER_PID = 4712 };

#define CONFIRMED UINT64_C(0x16B374D000)
#define RESUME    UINT64_C(0x16B374D400) /* where a stream was cut */
#define PUBLISHED UINT64_C(0x16B374D801) /* of the transaction that was cut with it */

static lsn_t lsn(uint64_t value)
{
    return (lsn_t){ value };
}

/* A stream of timeline 2 was cut in mid-transaction. */
static struct identity cut_identity(void)
{
    struct identity identity = { .system_id = "7301", .timeline = 2 };
    identity_note_slot(&identity, lsn(CONFIRMED - 0x100));
    identity_note_start(&identity, OWN_PID);
    identity_note_end(&identity, lsn(CONFIRMED), lsn(PUBLISHED), lsn(RESUME), true);
    return identity;
}

/* Asks the server of the script; false = refused. */
static bool ask(struct identity *identity, const struct fake_step *script, struct error *err)
{
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    *err = ERROR_INIT;
    bool accepted = identity_check_server(identity, conn, err);
    db_conn_close(conn);
    fake_postgres_end(&fake);
    return accepted;
}

#define SERVER(identity)                                                                           \
    { FAKE_GREET, "15.4" }, { FAKE_EXPECT, "IDENTIFY_SYSTEM" },                                    \
    {                                                                                              \
        FAKE_ROWS, identity "|shop"                                                                \
    }
#define HISTORY_OF(timeline, lines)                                                                \
    { FAKE_EXPECT, "TIMELINE_HISTORY " timeline "|" },                                             \
    {                                                                                              \
        FAKE_ROWS, "0000000X.history|" lines                                                       \
    }
#define IN_RECOVERY(answer)                                                                        \
    { FAKE_EXPECT, "pg_is_in_recovery" },                                                          \
    {                                                                                              \
        FAKE_ROWS, answer                                                                          \
    }
#define NOTHING_MORE                                                                               \
    { FAKE_SILENCE, NULL },                                                                        \
    {                                                                                              \
        FAKE_END, NULL                                                                             \
    }

static void expect_accepted(struct identity *identity, const struct fake_step *script)
{
    struct error err;
    if (!ask(identity, script, &err))
        fail_msg("%s", err.text);
}

/* ---- the memory ---- */

static void a_new_memory_knows_nothing(void **state UNUSED)
{
    static const struct slot_sight gone = { .exists = false };
    static const struct slot_sight held = { .exists = true, .active = true };
    struct identity identity = { .timeline = 0 };
    struct error err = ERROR_INIT;
    assert_true(identity_check_slot(&identity, "orders", &gone, &err));
    assert_false(identity.slot_seen);
    assert_false(identity_is_own(&identity, &held)); /* pid 0 is nobody's */
}

static void a_stream_is_remembered(void **state UNUSED)
{
    const struct identity identity = cut_identity();
    assert_true(identity.slot_seen);
    assert_int_equal(identity.own_pid, OWN_PID);
    assert_true(identity.confirmed.value == CONFIRMED);
    assert_true(identity.published.value == PUBLISHED);
    assert_true(identity.resume_from.value == RESUME);
}

static void what_was_once_reached_does_not_fall(void **state UNUSED)
{
    struct identity identity = cut_identity();
    identity_note_end(&identity, lsn(1), lsn(2), lsn(RESUME + 1), true);
    assert_true(identity.confirmed.value == CONFIRMED);
    assert_true(identity.published.value == PUBLISHED);
    assert_true(identity.resume_from.value == RESUME + 1);
    identity_note_end(&identity, lsn(CONFIRMED + 5), lsn(PUBLISHED + 6), lsn(RESUME + 7), true);
    assert_true(identity.confirmed.value == CONFIRMED + 5);
    assert_true(identity.published.value == PUBLISHED + 6);
    assert_true(identity.resume_from.value == RESUME + 7);
}

static void only_a_cut_stream_can_be_resumed(void **state UNUSED)
{
    struct identity identity = cut_identity();
    identity_note_end(&identity, lsn(CONFIRMED), lsn(PUBLISHED), lsn(RESUME), false);
    assert_true(lsn_is_none(identity.resume_from));
    assert_true(identity.confirmed.value == CONFIRMED);
}

/* It began where the slot stood, and goes on there. */
static void a_stream_that_was_cut_at_once_goes_on_where_it_began(void **state UNUSED)
{
    struct identity identity = { .system_id = "7301", .timeline = 2 };
    identity_note_slot(&identity, lsn(CONFIRMED));
    identity_note_start(&identity, OWN_PID);
    identity_note_position(&identity, lsn(CONFIRMED));
    identity_note_end(&identity, LSN_NONE, LSN_NONE, LSN_NONE, true);
    assert_true(identity.resume_from.value == CONFIRMED);
    assert_true(lsn_is_none(identity.published));
}

/* ---- what others left behind ---- */

static struct gate_memory memory_of(const char *system_id, uint32_t timeline, uint64_t delivered)
{
    struct gate_memory memory = { .timeline = timeline,
                                  .consistent_point = lsn(CONFIRMED - 0x200),
                                  .delivered = lsn(delivered) };
    (void)snprintf(memory.system_id, sizeof(memory.system_id), "%s", system_id);
    return memory;
}

static void what_others_left_is_known_to_a_new_process(void **state UNUSED)
{
    static const struct slot_sight gone = { .exists = false };
    const struct gate_memory memory = memory_of("7301", 2, PUBLISHED);
    struct identity identity = { .timeline = 0 };
    struct error err = ERROR_INIT;
    identity_recall(&identity, &memory);
    assert_int_equal(identity.timeline, 2);
    assert_true(identity.published.value == PUBLISHED);
    assert_false(identity_check_slot(&identity, "orders", &gone, &err));
    fake_assert_error(&err, ERROR_HALT, "slot_lost", "16/B374D801", "--accept-gap");
}

/* Where somebody else delivered more a queue of before must not follow. */
static void who_delivered_more_ends_the_hope_to_resume(void **state UNUSED)
{
    struct identity identity = cut_identity();
    struct gate_memory memory = memory_of("7301", 2, PUBLISHED);
    identity_recall(&identity, &memory); /* our own note */
    assert_true(identity.resume_from.value == RESUME);
    memory = memory_of("7301", 2, PUBLISHED + 1);
    identity_recall(&identity, &memory);
    assert_true(lsn_is_none(identity.resume_from));
    assert_true(identity.published.value == PUBLISHED + 1);
    assert_true(identity.confirmed.value == PUBLISHED + 1);
}

static void an_older_note_changes_nothing(void **state UNUSED)
{
    struct identity identity = cut_identity();
    struct gate_memory memory = memory_of("7301", 2, CONFIRMED - 1);
    identity_recall(&identity, &memory);
    assert_true(identity.published.value == PUBLISHED);
    assert_true(identity.confirmed.value == CONFIRMED);
    memory = memory_of("7301", 1, PUBLISHED + 0x1000); /* of a history that was left since */
    identity_recall(&identity, &memory);
    assert_int_equal(identity.timeline, 2);
    assert_true(identity.published.value == PUBLISHED);
    assert_true(identity.resume_from.value == RESUME);
}

/* Whoever led went along with a failover: positions of the timeline before say nothing. */
static void a_note_of_a_later_timeline_takes_the_place_of_ours(void **state UNUSED)
{
    struct identity identity = cut_identity();
    const struct gate_memory memory = memory_of("7301", 3, CONFIRMED - 0x10);
    identity_recall(&identity, &memory);
    assert_int_equal(identity.timeline, 3);
    assert_true(identity.published.value == CONFIRMED - 0x10);
    assert_true(identity.confirmed.value == CONFIRMED - 0x10);
    assert_true(lsn_is_none(identity.resume_from));
}

static void a_note_of_another_server_takes_the_place_of_all(void **state UNUSED)
{
    struct identity identity = cut_identity();
    const struct gate_memory memory = memory_of("7999", 1, 0x100);
    identity_recall(&identity, &memory);
    assert_string_equal(identity.system_id, "7999");
    assert_int_equal(identity.timeline, 1);
    assert_true(identity.published.value == 0x100);
    assert_true(lsn_is_none(identity.resume_from));
    assert_int_equal(identity.own_pid, 0);
    assert_true(identity.slot_seen);
}

/* What was handed over counts, confirmed or not: who comes next must know of it. */
static void a_note_says_what_may_be_delivered(void **state UNUSED)
{
    struct identity identity = cut_identity();
    struct gate_memory memory = identity_memory(&identity);
    assert_string_equal(memory.system_id, "7301");
    assert_true(memory.consistent_point.value == CONFIRMED - 0x100);
    assert_true(memory.delivered.value == PUBLISHED);
    identity.confirmed = lsn(PUBLISHED + 9); /* by keepalives */
    assert_true(identity_memory(&identity).delivered.value == PUBLISHED + 9);
}

/* ---- the slot ---- */

static struct slot_sight sight_at(uint64_t confirmed)
{
    return (struct slot_sight){ .exists = true, .confirmed_flush = lsn(confirmed) };
}

static void check_slot(struct identity *identity, const struct slot_sight *sight)
{
    struct error err = ERROR_INIT;
    if (!identity_check_slot(identity, "orders", sight, &err))
        fail_msg("%s", err.text);
}

static void a_slot_that_is_as_we_left_it_can_be_resumed(void **state UNUSED)
{
    static const uint64_t positions[] = { CONFIRMED - 0x100, CONFIRMED };
    for (size_t i = 0; i < COUNT_OF(positions); i++) {
        struct identity identity = cut_identity();
        struct slot_sight sight = sight_at(positions[i]); /* a crash sets it back */
        check_slot(&identity, &sight);
        assert_true(identity.resume_from.value == RESUME);
        assert_true(identity.confirmed.value == CONFIRMED);
        assert_true(identity.published.value == PUBLISHED);
    }
}

/* What others delivered stands in between. */
static void a_slot_that_was_moved_on_is_not_resumed(void **state UNUSED)
{
    static const struct {
        uint64_t moved, published;
    } rows[] = {
        { CONFIRMED + 1, PUBLISHED },
        { RESUME, PUBLISHED },
        { RESUME + 1, PUBLISHED },
        { PUBLISHED + 1, PUBLISHED + 1 },
    };
    static const struct fake_step script[] = { SERVER("7301|2|16/C0000000"), NOTHING_MORE };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct identity identity = cut_identity();
        struct slot_sight sight = sight_at(rows[i].moved);
        check_slot(&identity, &sight);
        assert_true(lsn_is_none(identity.resume_from));
        assert_true(identity.published.value == PUBLISHED); /* of which history is not known yet */
        expect_accepted(&identity, script);
        assert_true(identity.confirmed.value == rows[i].moved);
        assert_true(identity.published.value == rows[i].published);
    }
}

/* A position that was confirmed of a history which the server has left must never become the place
 * where a later stream goes on: what lies before it there would be passed over. */
static void a_position_of_a_history_that_was_left_is_no_place_to_go_on(void **state UNUSED)
{
    struct identity identity = cut_identity();
    identity_note_start(&identity, OTHER_PID);
    identity_note_position(&identity, lsn(CONFIRMED - 0x100));
    identity_note_end(&identity, LSN_NONE, LSN_NONE, lsn(CONFIRMED - 0x80), true);
    assert_true(identity.resume_from.value == CONFIRMED - 0x80);
    identity_note_end(&identity, LSN_NONE, LSN_NONE, LSN_NONE, true);
    assert_true(identity.resume_from.value == CONFIRMED - 0x100);
}

static void a_slot_that_somebody_reads_is_not_resumed(void **state UNUSED)
{
    struct identity identity = cut_identity();
    struct slot_sight sight = sight_at(CONFIRMED);
    sight.active = true;
    sight.active_pid = OTHER_PID;
    assert_false(identity_is_own(&identity, &sight));
    check_slot(&identity, &sight);
    assert_true(lsn_is_none(identity.resume_from));
    assert_true(identity.confirmed.value == CONFIRMED);
}

static void a_slot_that_our_last_stream_holds_can_still_be_resumed(void **state UNUSED)
{
    struct identity identity = cut_identity();
    struct slot_sight sight = sight_at(CONFIRMED);
    sight.active_pid = OWN_PID;
    assert_false(identity_is_own(&identity, &sight)); /* nobody holds it */
    sight.active = true;
    assert_true(identity_is_own(&identity, &sight));
    check_slot(&identity, &sight);
    assert_true(identity.resume_from.value == RESUME);
}

/* After a restart of the server pids come again. */
static void a_slot_of_another_name_is_not_ours_whatever_its_pid(void **state UNUSED)
{
    static const struct {
        const char *own, *holder;
        bool is_own;
    } rows[] = {
        { "pqcdc:a", "pqcdc:a", true },  { "pqcdc:a", "", true }, /* we may not see it */
        { "pqcdc:a", "pqcdc:b", false }, { "pqcdc:a", "pg_recvlogical", false },
        { NULL, "pqcdc:b", true },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct identity identity = cut_identity();
        struct slot_sight sight = sight_at(CONFIRMED);
        identity.own_name = rows[i].own;
        sight.active = true;
        sight.active_pid = OWN_PID;
        (void)snprintf(sight.holder, sizeof(sight.holder), "%s", rows[i].holder);
        assert_int_equal(identity_is_own(&identity, &sight), rows[i].is_own);
        check_slot(&identity, &sight);
        assert_int_equal(!lsn_is_none(identity.resume_from), rows[i].is_own);
    }
}

/* ---- between two streams ---- */

static void somebody_else_who_may_write_ends_the_hope_to_resume(void **state UNUSED)
{
    enum { LIMIT_MS = 10000 };
    const struct slot_sight ours = { .exists = true, .active = true, .active_pid = OWN_PID };
    const struct slot_sight theirs = { .exists = true, .active = true, .active_pid = OTHER_PID };
    const struct slot_sight nobodys = { .exists = true };
    const struct {
        struct identity_sight sight;
        const char *reason; /* NULL = it may go on */
    } rows[] = {
        { { .cut_ms = 100 }, NULL },
        { { .gate_closed = true, .cut_ms = 100 }, "another replica leads" },
        { { .stood_still_ms = LIMIT_MS, .cut_ms = 100 }, NULL },
        { { .stood_still_ms = LIMIT_MS + 1, .cut_ms = 100 }, "the process stood still for 10001" },
        { { .slot = &ours, .slot_age_ms = 10, .cut_ms = 100 }, NULL },
        { { .slot = &nobodys, .slot_age_ms = 10, .cut_ms = 100, .records_queued = true }, NULL },
        { { .slot = &theirs, .slot_age_ms = 10, .cut_ms = 100 }, "pid 4712 reads the slot" },
        { { .slot = &theirs, .slot_age_ms = 200, .cut_ms = 100 }, NULL }, /* before the cut */
        /* It was seen once since, and then no more: that tells nothing of now. */
        { { .slot = &nobodys,
            .slot_age_ms = LIMIT_MS + 1,
            .cut_ms = LIMIT_MS + 100,
            .records_queued = true },
          "the slot was not seen for 10001 ms, and records are queued" },
        { { .slot = &nobodys, .slot_age_ms = LIMIT_MS + 1, .cut_ms = LIMIT_MS + 100 }, NULL },
        /* The connection was dead for long before that was noticed. */
        { { .slot = &ours, .slot_age_ms = 3 * LIMIT_MS, .cut_ms = 10, .records_queued = true },
          "the slot was not seen for 30000 ms" },
        { { .cut_ms = LIMIT_MS + 1, .records_queued = true }, "the slot was not seen for 10001" },
        { { .cut_ms = LIMIT_MS, .records_queued = true }, NULL },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct identity identity = cut_identity();
        struct identity_sight sight = rows[i].sight;
        sight.limit_ms = LIMIT_MS;
        identity_look(&identity, &sight);
        if (lsn_is_none(identity.resume_from) != (rows[i].reason != NULL))
            fail_msg("row %zu: %s", i, identity.no_resume);
        if (rows[i].reason != NULL)
            fake_assert_contains(identity.no_resume, rows[i].reason);
    }
}

static void a_slot_that_is_gone_is_lost_once_it_was_seen(void **state UNUSED)
{
    static const struct slot_sight gone = { .exists = false };
    struct identity made = { .timeline = 0 }, seen = { .timeline = 0 }, started = { .timeline = 0 };
    struct slot_sight sight = sight_at(CONFIRMED);
    struct error err = ERROR_INIT;
    identity_note_slot(&made, lsn(CONFIRMED));
    check_slot(&seen, &sight);
    identity_note_start(&started, OWN_PID);
    assert_false(identity_check_slot(&made, "orders", &gone, &err));
    fake_assert_error(&err, ERROR_HALT, "slot_lost",
                      "replication slot \"orders\" is gone; up to 16/B374D000 of it was "
                      "confirmed",
                      "pqcdc slot create --accept-gap");
    assert_false(identity_check_slot(&seen, "orders", &gone, &err));
    fake_assert_error(&err, ERROR_HALT, "slot_lost", "16/B374D000", "");
    assert_false(identity_check_slot(&started, "orders", &gone, &err));
    assert_false(identity_slot_gone(&made, "invoices", &err));
    fake_assert_error(&err, ERROR_HALT, "slot_lost", "\"invoices\" is gone", "--accept-gap");
}

/* It may yet come to nothing, and says no position. */
static void a_slot_that_is_being_created_says_nothing(void **state UNUSED)
{
    struct identity identity = { .timeline = 0 };
    const struct slot_sight sight = {
        .exists = true, .active = true, .creating = true, .active_pid = OTHER_PID
    };
    check_slot(&identity, &sight);
    assert_false(identity.slot_seen);
}

/* What it has confirmed was delivered by somebody: a server without it has diverged. */
static void what_a_slot_confirmed_was_delivered(void **state UNUSED)
{
    static const struct fake_step script[] = { SERVER("7301|2|16/C0000000"), NOTHING_MORE };
    struct identity identity = { .timeline = 0 };
    struct slot_sight sight = sight_at(CONFIRMED);
    check_slot(&identity, &sight);
    assert_true(identity.slot_seen);
    expect_accepted(&identity, script);
    assert_true(identity.confirmed.value == CONFIRMED);
    assert_true(identity.published.value == CONFIRMED);
}

/* ---- the server ---- */

/* Nothing of what was known is taken from it. */
static void expect_diverged(struct identity *identity, const struct fake_step *script,
                            const char *text)
{
    const struct identity before = *identity;
    struct error err;
    assert_false(ask(identity, script, &err));
    fake_assert_error(&err, ERROR_HALT, "diverged", text, "find out what was restored");
    assert_string_equal(identity->system_id, before.system_id);
    assert_int_equal(identity->timeline, before.timeline);
    assert_true(identity->published.value == before.published.value);
    assert_true(lsn_is_none(identity->resume_from));
}

static void the_first_server_is_remembered(void **state UNUSED)
{
    static const struct fake_step script[] = { SERVER("7301|5|16/B374D900"), NOTHING_MORE };
    struct identity identity = { .timeline = 0 };
    expect_accepted(&identity, script);
    assert_string_equal(identity.system_id, "7301");
    assert_int_equal(identity.timeline, 5);
}

/* What its slot has confirmed must be there as well. */
static void a_first_server_that_lacks_what_its_slot_confirmed_has_diverged(void **state UNUSED)
{
    static const struct fake_step script[] = { SERVER("7301|5|16/B374CFFF"), IN_RECOVERY("f"),
                                               NOTHING_MORE };
    struct identity identity = { .timeline = 0 };
    struct slot_sight sight = sight_at(CONFIRMED);
    check_slot(&identity, &sight);
    expect_diverged(&identity, script,
                    "its WAL ends at 16/B374CFFF, but changes up to "
                    "16/B374D000 were delivered");
}

static void the_same_server_can_be_resumed(void **state UNUSED)
{
    static const struct fake_step further[] = { SERVER("7301|2|16/C0000000"), NOTHING_MORE };
    static const struct fake_step just[] = { SERVER("7301|2|16/B374D801"), NOTHING_MORE };
    struct identity identity = cut_identity();
    expect_accepted(&identity, further);
    assert_true(identity.resume_from.value == RESUME);
    expect_accepted(&identity, just);
    assert_true(identity.resume_from.value == RESUME);
}

static void another_server_is_refused(void **state UNUSED)
{
    static const struct fake_step script[] = { SERVER("7302|2|16/C0000000"), NOTHING_MORE };
    static const struct fake_step prefix[] = { SERVER("73|2|16/C0000000"), NOTHING_MORE };
    struct identity identity = cut_identity();
    struct error err;
    assert_false(ask(&identity, script, &err));
    fake_assert_error(&err, ERROR_HALT, "other_server",
                      "system identifier 7302, before it was 7301", "cdc.host");
    assert_false(ask(&identity, prefix, &err));
    fake_assert_error(&err, ERROR_HALT, "other_server", "identifier 73,", "");
    assert_string_equal(identity.system_id, "7301");
}

/* ---- its WAL's end ---- */

static void a_server_that_was_set_back_has_diverged(void **state UNUSED)
{
    static const struct fake_step script[] = { SERVER("7301|2|16/B374D800"), IN_RECOVERY("f"),
                                               NOTHING_MORE };
    struct identity identity = cut_identity();
    identity.resume_from = lsn(RESUME + 0x500);
    expect_diverged(&identity, script,
                    "the server was set back: its WAL ends at 16/B374D800, but changes up to "
                    "16/B374D801 were delivered");
}

/* Nothing was delivered of what it lost; but we were further than it is. */
static void a_server_that_lost_nothing_of_ours_is_not_resumed(void **state UNUSED)
{
    static const struct {
        uint64_t received, resume_from;
    } rows[] = { { 0x16B374D900, 0x16B374D900 }, { 0x16B374D901, 0 } };
    static const struct fake_step script[] = { SERVER("7301|2|16/B374D900"), NOTHING_MORE };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct identity identity = cut_identity();
        identity.resume_from = lsn(rows[i].received);
        expect_accepted(&identity, script);
        assert_true(identity.resume_from.value == rows[i].resume_from);
    }
}

/* ---- its timeline ---- */

static void a_failover_behind_what_was_delivered_goes_on(void **state UNUSED)
{
    static const struct fake_step beyond[] = {
        SERVER("7301|3|16/C0000000"),
        HISTORY_OF("3", "1\t0/10\tx\f\f2\t16/B374D900\tx\f"),
        NOTHING_MORE,
    };
    static const struct fake_step just[] = {
        SERVER("7301|3|16/C0000000"),
        HISTORY_OF("3", "2\t16/B374D801\tx"),
        NOTHING_MORE,
    };
    static const struct fake_step *const scripts[] = { beyond, just };
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        struct identity identity = cut_identity();
        expect_accepted(&identity, scripts[i]);
        assert_int_equal(identity.timeline, 3);
        assert_true(lsn_is_none(identity.resume_from));
        assert_true(identity.published.value == PUBLISHED);
    }
}

/* Another replica led there and confirmed beyond the switch: that is of the new history, and takes
 * nothing from what we published of the old one. */
static void what_others_confirmed_after_a_failover_is_no_divergence(void **state UNUSED)
{
    static const struct fake_step script[] = {
        SERVER("7301|3|16/D0000000"),
        HISTORY_OF("3", "2\t16/B374D900\tx"),
        NOTHING_MORE,
    };
    struct identity identity = cut_identity();
    struct slot_sight sight = sight_at(UINT64_C(0x16C0000000));
    check_slot(&identity, &sight);
    expect_accepted(&identity, script);
    assert_int_equal(identity.timeline, 3);
    assert_true(identity.published.value == UINT64_C(0x16C0000000));
    assert_true(lsn_is_none(identity.resume_from));
}

/* It replays what was written elsewhere, and will come to it. */
static void a_standby_that_has_not_replayed_yet_is_waited_for(void **state UNUSED)
{
    static const struct fake_step script[] = { SERVER("7301|2|16/B374D800"), IN_RECOVERY("t"),
                                               NOTHING_MORE };
    struct identity identity = cut_identity();
    struct error err;
    assert_false(ask(&identity, script, &err));
    fake_assert_error(&err, ERROR_RETRY, "standby_behind",
                      "replayed up to 16/B374D800, but changes up to 16/B374D801", "");
    assert_true(identity.published.value == PUBLISHED);
    assert_true(identity.resume_from.value == RESUME);
}

/* Several failovers at once: what counts is where our timeline ended. */
static void several_failovers_go_on(void **state UNUSED)
{
    static const struct fake_step script[] = {
        SERVER("7301|7|16/C0000000"),
        HISTORY_OF("7", "1\t0/10\tx\f2\t16/B374D900\tx\f3\t16/B374D200\tx\f5\t16/B374D300\tx\f"),
        NOTHING_MORE,
    };
    struct identity identity = cut_identity();
    expect_accepted(&identity, script);
    assert_int_equal(identity.timeline, 7);
}

static void a_failover_before_what_was_delivered_has_diverged(void **state UNUSED)
{
    static const struct fake_step script[] = {
        SERVER("7301|3|16/C0000000"),
        HISTORY_OF("3", "2\t16/B374D800\tx"),
        NOTHING_MORE,
    };
    struct identity identity = cut_identity();
    expect_diverged(&identity, script,
                    "the server is on timeline 3, which left timeline 2 at 16/B374D800, but "
                    "changes of that up to 16/B374D801 were delivered");
}

static void a_timeline_of_other_ancestors_has_diverged(void **state UNUSED)
{
    static const struct fake_step script[] = {
        SERVER("7301|3|16/C0000000"),
        HISTORY_OF("3", "1\t16/B374D900\tx"),
        NOTHING_MORE,
    };
    struct identity identity = cut_identity();
    expect_diverged(&identity, script,
                    "the server is on timeline 3, which does not come from timeline 2, of which "
                    "changes up to 16/B374D801 were delivered");
}

/* A restore from before the failover; timeline 1 has no history file to be asked for. */
static void an_older_timeline_has_diverged(void **state UNUSED)
{
    static const struct fake_step first[] = { SERVER("7301|1|16/C0000000"), NOTHING_MORE };
    static const struct fake_step second[] = { SERVER("7301|2|16/C0000000"),
                                               HISTORY_OF("2", "1\t0/10\tx"), NOTHING_MORE };
    struct identity identity = cut_identity();
    expect_diverged(&identity, first, "timeline 1, which does not come from timeline 2");
    identity.timeline = 3;
    identity.resume_from = lsn(RESUME);
    expect_diverged(&identity, second, "timeline 2, which does not come from timeline 3");
}

static void whose_changes_were_not_delivered_cannot_diverge(void **state UNUSED)
{
    static const struct fake_step script[] = { SERVER("7301|1|0/10"), NOTHING_MORE };
    struct identity identity = { .system_id = "7301", .timeline = 2 };
    expect_accepted(&identity, script);
    assert_int_equal(identity.timeline, 1);
}

/* On the right branch, and set back there. */
static void a_failover_to_a_server_that_lags_has_diverged(void **state UNUSED)
{
    static const struct fake_step script[] = {
        SERVER("7301|3|16/B374D800"),
        HISTORY_OF("3", "2\t16/B374D900\tx"),
        IN_RECOVERY("f"),
        NOTHING_MORE,
    };
    struct identity identity = cut_identity();
    expect_diverged(&identity, script, "its WAL ends at 16/B374D800");
}

/* ---- answers that are none ---- */

static void a_server_that_cannot_be_asked_is_not_taken_for_another(void **state UNUSED)
{
    static const struct fake_step lost[] = { { FAKE_GREET, "15.4" },
                                             { FAKE_EXPECT, "IDENTIFY_SYSTEM" },
                                             { FAKE_CUT, NULL },
                                             { FAKE_END, NULL } };
    static const struct fake_step unread[] = { SERVER("7301|3|16/C0000000"),
                                               { FAKE_EXPECT, "TIMELINE_HISTORY 3|" },
                                               { FAKE_CUT, NULL },
                                               { FAKE_END, NULL } };
    struct identity identity = cut_identity();
    struct error err;
    assert_false(ask(&identity, lost, &err));
    assert_int_equal(err.class, ERROR_RECONNECT);
    assert_true(identity.resume_from.value == RESUME);
    assert_false(ask(&identity, unread, &err));
    assert_int_equal(err.class, ERROR_RECONNECT);
    assert_int_equal(identity.timeline, 2); /* it is asked again */
    assert_string_equal(identity.system_id, "7301");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_memory_knows_nothing),
        cmocka_unit_test(a_stream_is_remembered),
        cmocka_unit_test(what_was_once_reached_does_not_fall),
        cmocka_unit_test(only_a_cut_stream_can_be_resumed),
        cmocka_unit_test(a_stream_that_was_cut_at_once_goes_on_where_it_began),
        cmocka_unit_test(what_others_left_is_known_to_a_new_process),
        cmocka_unit_test(who_delivered_more_ends_the_hope_to_resume),
        cmocka_unit_test(an_older_note_changes_nothing),
        cmocka_unit_test(a_note_of_a_later_timeline_takes_the_place_of_ours),
        cmocka_unit_test(a_note_of_another_server_takes_the_place_of_all),
        cmocka_unit_test(a_note_says_what_may_be_delivered),
        cmocka_unit_test(a_slot_that_is_as_we_left_it_can_be_resumed),
        cmocka_unit_test(a_slot_that_was_moved_on_is_not_resumed),
        cmocka_unit_test(a_position_of_a_history_that_was_left_is_no_place_to_go_on),
        cmocka_unit_test(a_slot_that_somebody_reads_is_not_resumed),
        cmocka_unit_test(a_slot_that_our_last_stream_holds_can_still_be_resumed),
        cmocka_unit_test(a_slot_of_another_name_is_not_ours_whatever_its_pid),
        cmocka_unit_test(somebody_else_who_may_write_ends_the_hope_to_resume),
        cmocka_unit_test(a_slot_that_is_gone_is_lost_once_it_was_seen),
        cmocka_unit_test(a_slot_that_is_being_created_says_nothing),
        cmocka_unit_test(what_a_slot_confirmed_was_delivered),
        cmocka_unit_test(the_first_server_is_remembered),
        cmocka_unit_test(a_first_server_that_lacks_what_its_slot_confirmed_has_diverged),
        cmocka_unit_test(the_same_server_can_be_resumed),
        cmocka_unit_test(another_server_is_refused),
        cmocka_unit_test(a_server_that_was_set_back_has_diverged),
        cmocka_unit_test(a_server_that_lost_nothing_of_ours_is_not_resumed),
        cmocka_unit_test(a_failover_behind_what_was_delivered_goes_on),
        cmocka_unit_test(several_failovers_go_on),
        cmocka_unit_test(what_others_confirmed_after_a_failover_is_no_divergence),
        cmocka_unit_test(a_standby_that_has_not_replayed_yet_is_waited_for),
        cmocka_unit_test(a_failover_before_what_was_delivered_has_diverged),
        cmocka_unit_test(a_timeline_of_other_ancestors_has_diverged),
        cmocka_unit_test(an_older_timeline_has_diverged),
        cmocka_unit_test(whose_changes_were_not_delivered_cannot_diverge),
        cmocka_unit_test(a_failover_to_a_server_that_lags_has_diverged),
        cmocka_unit_test(a_server_that_cannot_be_asked_is_not_taken_for_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
