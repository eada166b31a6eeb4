#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "connector/status.h"

static int setup(void **state)
{
    static struct status status;
    status_init(&status);
    *state = &status;
    return 0;
}

static int teardown(void **state)
{
    status_done(*state);
    return 0;
}

static void it_begins_with_nothing_known(void **state)
{
    struct status *status = *state;
    struct error reason;
    assert_int_equal(status_state(status), LIFE_CYCLE_STARTING);
    status_reason(status, &reason);
    assert_int_equal(reason.class, ERROR_NONE);
    assert_null(atomic_load(&status->tables));
    assert_false(atomic_load(&status->started));
    assert_int_equal(atomic_load(&status->confirmed_lsn), 0);
}

static void a_state_has_its_beginning(void **state)
{
    struct status *status = *state;
    status_set_state(status, LIFE_CYCLE_STANDBY, 1700000000000000);
    assert_int_equal(status_state(status), LIFE_CYCLE_STANDBY);
    assert_int_equal(atomic_load(&status->state_since_us), 1700000000000000);
}

static void a_reason_is_copied_and_taken_back(void **state)
{
    struct status *status = *state;
    struct error reason = ERROR_INIT;
    struct error seen;
    (void)error_set(&reason, ERROR_HALT, "slot_lost", "slot \"%s\" is gone", "orders");
    (void)error_advise(&reason, "find out who dropped it");
    status_set_reason(status, &reason);
    memset(&reason, 0, sizeof(reason));
    status_reason(status, &seen);
    assert_int_equal(seen.class, ERROR_HALT);
    assert_string_equal(seen.code, "slot_lost");
    assert_string_equal(seen.text, "slot \"orders\" is gone");
    assert_string_equal(seen.advice, "find out who dropped it");
    status_set_reason(status, NULL);
    status_reason(status, &seen);
    assert_int_equal(seen.class, ERROR_NONE);
    assert_string_equal(seen.text, "");
}

static void a_table_is_found_again_by_name_and_topic(void **state)
{
    struct status *status = *state;
    char name[] = "public.users";
    struct status_table *users = status_table_find(status, name, "u", 3);
    name[0] = '?'; /* the texts are copied */
    struct status_table *skipped = status_table_find(status, "public.logs", NULL, 0);
    assert_string_equal(users->name, "public.users");
    assert_string_equal(users->topic, "u");
    assert_int_equal(users->topic_id, 3);
    assert_null(skipped->topic);
    status_count(&users->changes, 2);

    /* Relations come again with each stream: the count goes on. */
    assert_ptr_equal(status_table_find(status, "public.users", "u", 3), users);
    assert_ptr_equal(status_table_find(status, "public.logs", NULL, 0), skipped);
    assert_int_equal(atomic_load(&users->changes), 2);

    /* Another topic is another entry. */
    struct status_table *moved = status_table_find(status, "public.users", "v", 4);
    assert_ptr_not_equal(moved, users);
    assert_null(status_table_find(status, "public.users", NULL, 0)->topic);
    assert_int_equal(atomic_load(&moved->changes), 0);
    assert_ptr_equal(status_table_find(status, "public.users", "u", 3), users);
}

static void tables_of_a_topic_are_named(void **state)
{
    struct status *status = *state;
    char text[64];
    status_tables_of_topic(status, "events", text, sizeof text);
    assert_string_equal(text, "");
    (void)status_table_find(status, "public.skipped", NULL, 0);
    (void)status_table_find(status, "public.other", "other", 1);
    (void)status_table_find(status, "public.a", "events", 0);
    status_tables_of_topic(status, "events", text, sizeof text);
    assert_string_equal(text, "public.a");
    (void)status_table_find(status, "public.b", "events", 0);
    status_tables_of_topic(status, "events", text, sizeof text);
    assert_string_equal(text, "public.b, public.a");
    (void)status_table_find(status, "public.c", "events", 0);
    (void)status_table_find(status, "public.d", "events", 0);
    status_tables_of_topic(status, "events", text, sizeof text);
    assert_string_equal(text, "public.d, public.c, public.b and 1 more");
    char small[12];
    status_tables_of_topic(status, "events", small, sizeof small);
    assert_string_equal(small, "public.d, p");
}

static void counters_add_and_cells_are_replaced(void **state)
{
    struct status *status = *state;
    status_count(&status->failures, 1);
    status_count(&status->failures, 41);
    status_store(&status->received_lsn, 7);
    status_store(&status->received_lsn, 5);
    assert_int_equal(atomic_load(&status->failures), 42);
    assert_int_equal(atomic_load(&status->received_lsn), 5);
}

enum { WRITES = 2000 };

/* Writes two reasons in turn, and a table each time, as a pipeline does. */
static void *write_much(void *self)
{
    struct status *status = self;
    struct error reasons[2] = { ERROR_INIT, ERROR_INIT };
    (void)error_set(&reasons[0], ERROR_WAIT, "slot_busy", "slot_busy");
    (void)error_set(&reasons[1], ERROR_RETRY, "postgres_away", "postgres_away");
    for (int i = 0; i < WRITES; i++) {
        char name[] = { 't', (char)('a' + i % 20), '\0' };
        status_set_reason(status, &reasons[i % 2]);
        status_count(&status_table_find(status, name, "topic", 1)->changes, 1);
    }
    return NULL;
}

static void readers_see_whole_reasons_and_whole_tables(void **state)
{
    struct status *status = *state;
    pthread_t writer;
    struct error reason;
    uint64_t changes = 0;
    assert_int_equal(pthread_create(&writer, NULL, write_much, status), 0);
    while (changes < WRITES) {
        status_reason(status, &reason);
        assert_string_equal(reason.code, reason.text);
        if (reason.class != ERROR_NONE)
            assert_int_equal(reason.class,
                             strcmp(reason.code, "slot_busy") == 0 ? ERROR_WAIT : ERROR_RETRY);
        changes = 0;
        for (struct status_table *table = atomic_load(&status->tables); table != NULL;
             table = table->next) {
            assert_int_equal(table->name[0], 't');
            assert_string_equal(table->topic, "topic");
            changes += atomic_load(&table->changes);
        }
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
    assert_int_equal(changes, WRITES);
}

#define STATUS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STATUS_TEST(it_begins_with_nothing_known),
        STATUS_TEST(a_state_has_its_beginning),
        STATUS_TEST(a_reason_is_copied_and_taken_back),
        STATUS_TEST(a_table_is_found_again_by_name_and_topic),
        STATUS_TEST(tables_of_a_topic_are_named),
        STATUS_TEST(counters_add_and_cells_are_replaced),
        STATUS_TEST(readers_see_whole_reasons_and_whole_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
