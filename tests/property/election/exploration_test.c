/* The machine of election.h, explored breadth first in the world of world.h: the code itself, not a
 * copy of its rules. Then each mutant of mutants.cmake, with one rule broken, which must be caught
 * by the property that it names. PQCDC_EXPLORE=n goes n times as far where a bound is reached. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "election/election.h"
#include "election/election_rules.h"
#include "explore.h"

#define MUTANT(name, property, meaning)                                                            \
    void election_init_##name(struct election *election, const struct election_options *options,   \
                              mono_ms_t now);                                                      \
    void election_step_##name(struct election *election, const struct election_event *event,       \
                              mono_ms_t now, struct election_orders *out_orders);
#include "mutants.def"
#undef MUTANT

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW_BUILD 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLOW_BUILD 1
#endif
#endif
#ifndef SLOW_BUILD
#define SLOW_BUILD 0
#endif

static const struct {
    struct machine machine;
    enum property property;
    const char *meaning;
} mutants[] = {
#define MUTANT(name_, property_, meaning_)                                                         \
    { { #name_, election_init_##name_, election_step_##name_ }, PROPERTY_##property_, meaning_ },
#include "mutants.def"
#undef MUTANT
};

static const struct machine real = { "the machine", election_init, election_step };

struct plan {
    struct setting setting; /* its machine and options are filled in */
    uint32_t limit;         /* of states, or the number of walks */
    bool step_down;
    bool bounded; /* else nothing may be left at the end */
};

#define PLAN(name_, replicas_, faults_, ...)                                                       \
    .setting = { .name = name_, .replicas = replicas_, .faults = faults_, __VA_ARGS__ }
#define ALIKE  .speed = { 100, 100, 100 }
#define UNLIKE .speed = { 100, 150, 100 }

static const struct plan plans[] = {
    { PLAN("2 replicas", 2, 1, ALIKE), 2000000 },
    { PLAN("2 replicas, stepDown", 2, 1, ALIKE), 2000000, .step_down = true },
    { PLAN("2 replicas, clocks 2:3, no watch", 2, 1, UNLIKE, .no_watch = true), 2000000 },
    { PLAN("2 replicas, clocks 2:3, no slot yet", 2, 1, UNLIKE, .no_slot = true), 2000000 },
    { PLAN("3 replicas, in order", 3, 1, ALIKE, .in_order = true), 200000, .bounded = true },
    { PLAN("2 replicas, in order, one streams", 2, 2, ALIKE, .in_order = true, .running = true),
      300000, .bounded = true },
};

/* Deeper, but not everywhere. */
static const struct plan walks[] = {
    { PLAN("2 replicas, clocks 2:3", 2, 8, UNLIKE), 2000, .bounded = true },
    { PLAN("3 replicas, clocks 2:3, stepDown", 3, 8, UNLIKE), 2000, .step_down = true,
      .bounded = true },
};

static struct setting setting_of(const struct plan *plan, const struct machine *machine)
{
    struct setting setting = plan->setting;
    setting.machine = machine;
    setting.options = world_options(plan->step_down);
    return setting;
}

static double seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static uint32_t limit_of(const struct plan *plan)
{
    const char *text = getenv("PQCDC_EXPLORE");
    long times = text != NULL ? strtol(text, NULL, 10) : 1;
    if (!plan->bounded || times < 1 || times > 100)
        times = 1;
    return (SLOW_BUILD ? plan->limit / 32 : plan->limit) * (uint32_t)times;
}

static void tell_broken(const struct explored *found)
{
    if (found->broken != PROPERTY_HOLDS)
        printf("    BROKEN: property %s (the holder: %s)\n", world_property_text(found->broken),
               settle_ill_name(found->ill));
}

static void tell(const struct setting *setting, const struct explored *found, double began)
{
    printf("  %s, up to %u fault%s: %u states, %s after %u choices; ", setting->name,
           setting->faults, setting->faults == 1 ? "" : "s", found->states,
           found->complete ? "ended" : "bound reached", found->depth);
    printf("%llu steps; from %u settled, in %u ticks at most; %.1f s\n",
           (unsigned long long)found->steps, found->settled, found->settle_ticks,
           seconds() - began);
    tell_broken(found);
}

static struct census census;

static void no_property_is_broken(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(plans); i++) {
        double began = seconds();
        struct setting setting = setting_of(&plans[i], &real);
        struct explored found = explore(&setting, limit_of(&plans[i]), true, &census);
        tell(&setting, &found, began);
        assert_int_equal(found.broken, PROPERTY_HOLDS);
        assert_true(found.complete || plans[i].bounded || SLOW_BUILD);
    }
}

static void no_property_is_broken_on_long_walks(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(walks); i++) {
        double began = seconds();
        struct setting setting = setting_of(&walks[i], &real);
        struct explored found = wander(&setting, limit_of(&walks[i]), i + 1, true, &census);
        printf("  %s, up to %u faults: %u walks of %u choices, %llu steps; settled in %u ticks at "
               "most; %.1f s\n",
               setting.name, setting.faults, found.states, (unsigned)WANDER_STEPS,
               (unsigned long long)found.steps, found.settle_ticks, seconds() - began);
        tell_broken(&found);
        assert_int_equal(found.broken, PROPERTY_HOLDS);
    }
    printf("  take-overs: %llu; late writes, all of who was frozen or cut off: %llu\n",
           (unsigned long long)census.takeovers, (unsigned long long)census.late_writes);
}

/* To be told so late takes more than these worlds reach within their bounds. */
static bool is_left_to_unit_tests(const struct election_row *row)
{
    return strcmp(row->condition, "worker_streams") == 0 && row->state != ELECTION_FOLLOWING;
}

static void every_rule_was_taken(void **state)
{
    (void)state;
    if (SLOW_BUILD)
        skip();
    unsigned count, left_out = 0;
    const struct election_row *rows = election_rules_all(&count);
    for (unsigned i = 0; i < count; i++) {
        if ((census.rows >> i & 1) != 0 || is_left_to_unit_tests(&rows[i]))
            continue;
        printf("  not taken: %s, %s\n", election_state_name(rows[i].state), rows[i].condition);
        left_out++;
    }
    assert_int_equal(left_out, 0);
}

/* With each plan until one shows it: not far first, then, if the build is not slow, as far as it
 * goes. */
static struct explored hunt(const struct machine *machine)
{
    static const uint32_t limits[] = { 30000, UINT32_MAX };
    struct explored found = { .broken = PROPERTY_HOLDS };
    size_t passes = SLOW_BUILD ? 1 : COUNT_OF(limits);
    for (size_t i = 0; i < passes * COUNT_OF(plans); i++) {
        const struct plan *plan = &plans[COUNT_OF(plans) - 1 - i % COUNT_OF(plans)];
        struct setting setting = setting_of(plan, machine);
        uint32_t limit = limits[i / COUNT_OF(plans)];
        found = explore(&setting, plan->limit < limit ? plan->limit : limit, false, NULL);
        if (found.broken != PROPERTY_HOLDS)
            break;
    }
    return found;
}

static bool is_caught(const char *name, const struct explored *found, enum property property)
{
    bool caught = found->broken == property;
    bool too_far = SLOW_BUILD && found->broken == PROPERTY_HOLDS;
    printf("  %-24s %s %s (%u states)\n", name,
           caught    ? "caught by"
           : too_far ? "too far for a slow build:"
                     : "NOT caught as it should be, but:",
           world_property_text(found->broken), found->states);
    return caught || too_far;
}

static void every_mutant_is_caught(void **state)
{
    (void)state;
    unsigned missed = 0;
    for (size_t i = 0; i < COUNT_OF(mutants); i++) {
        struct explored found = hunt(&mutants[i].machine);
        missed += !is_caught(mutants[i].machine.name, &found, mutants[i].property);
    }
    assert_int_equal(missed, 0);
}

/* No rule of the machine can break property 5 alone: the slot and the worker keep it. */
static void a_worker_that_frees_the_slot_too_early_is_caught(void **state)
{
    (void)state;
    struct setting setting = setting_of(&plans[0], &real);
    setting.in_order = setting.running = setting.hasty = true;
    struct explored found = explore(&setting, limit_of(&plans[0]), false, NULL);
    assert_true(is_caught("(a hasty worker)", &found, PROPERTY_5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_property_is_broken),
        cmocka_unit_test(no_property_is_broken_on_long_walks),
        cmocka_unit_test(every_rule_was_taken),
        cmocka_unit_test(every_mutant_is_caught),
        cmocka_unit_test(a_worker_that_frees_the_slot_too_early_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
