#include "operator/operator_elector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "election/election_rules.h"

/* Of who leads workers: no operator is ever halted, and no holder of its Lease has a slot. */
static bool is_of_workers_only(const struct election_row *row)
{
    static const char *const conditions[] = { "named_but_halted", "halted",
                                              "holder_abandoned_slot" };
    for (size_t i = 0; i < COUNT_OF(conditions); i++) {
        if (strcmp(row->condition, conditions[i]) == 0)
            return true;
    }
    return false;
}

static void nothing_is_said_of_slots_and_workers(void **state)
{
    static const char *const words[] = { "slot", "worker", "stream", "onApiOutage" };
    unsigned count;
    const struct election_row *rows = election_rules_all(&count);
    (void)state;
    for (unsigned i = 0; i < count; i++) {
        const char *text = operator_elector_meaning(&rows[i]);
        assert_true(text[0] != '\0');
        for (size_t j = 0; j < COUNT_OF(words); j++) {
            if (!is_of_workers_only(&rows[i]) && strstr(text, words[j]) != NULL)
                fail_msg("%s: %s", rows[i].condition, text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_said_of_slots_and_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
