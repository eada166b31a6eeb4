#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>

#include "unit/base/child.h"

static int evaluated(int *count)
{
    (*count)++;
    return 1;
}

static void a_true_condition_is_evaluated_once(void **state)
{
    (void)state;
    int count = 0;
    CHECK(evaluated(&count));
    assert_int_equal(count, 1);
}

static void break_invariant(void *self)
{
    const int *value = self;
    CHECK(*value == 4);
}

static void a_false_condition_aborts_with_one_line(void **state)
{
    (void)state;
    struct child_end end = child_run(break_invariant, &(int){ 5 });
    assert_true(child_aborted(end, "pqcdc: broken invariant: *value == 4 ("));
    assert_non_null(strstr(end.output, "check_test.c:"));
    const char *newline = strchr(end.output, '\n');
    assert_non_null(newline);
    assert_string_equal(newline, "\n");
}

static void break_with_a_long_text(void *self)
{
    check_failed(self, "file.c", 7);
}

static void a_long_condition_is_cut_and_still_a_line(void **state)
{
    (void)state;
    char condition[1000];
    memset(condition, 'x', sizeof(condition) - 1);
    condition[sizeof(condition) - 1] = '\0';
    struct child_end end = child_run(break_with_a_long_text, condition);
    assert_true(child_aborted(end, "broken invariant: xxx"));
    assert_int_equal(end.output[strlen(end.output) - 1], '\n');
}

static void break_with_a_full_output(void *self)
{
    int ends[2];
    char page[4096] = { 0 };
    (void)self;
    alarm(10);
    if (pipe(ends) != 0 || fcntl(ends[1], F_SETFL, O_NONBLOCK) != 0)
        _exit(1);
    while (write(ends[1], page, sizeof(page)) > 0)
        continue;
    if (fcntl(ends[1], F_SETFL, 0) != 0)
        _exit(2);
    dup2(ends[1], STDERR_FILENO);
    CHECK(ends[1] < 0);
}

static void nobody_reads_and_it_aborts_all_the_same(void **state)
{
    (void)state;
    struct child_end end = child_run(break_with_a_full_output, NULL);
    assert_true(WIFSIGNALED(end.status));
    assert_int_equal(WTERMSIG(end.status), SIGABRT);
}

static void count_of_counts_items(void **state)
{
    (void)state;
    long items[7];
    assert_int_equal(COUNT_OF(items), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_true_condition_is_evaluated_once),
        cmocka_unit_test(a_false_condition_aborts_with_one_line),
        cmocka_unit_test(a_long_condition_is_cut_and_still_a_line),
        cmocka_unit_test(nobody_reads_and_it_aborts_all_the_same),
        cmocka_unit_test(count_of_counts_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
