#include "base/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "unit/base/child.h"

static void assert_written(struct metrics *metrics, const char *expected)
{
    AUTO(struct buf, buf_done) out = buf_init(1 << 20);
    metrics_write(metrics, &out);
    assert_false(out.failed);
    assert_string_equal(buf_text(&out), expected);
}

static void nothing_is_written_of_nothing(void **state)
{
    (void)state;
    AUTO(struct metrics *, metrics_free_p) metrics = metrics_new();
    assert_written(metrics, "");
    metrics_buckets(metrics, "without_series", (const double[]){ 1 }, 1);
    assert_written(metrics, "");
    metrics_free(NULL);
}

static void families_stand_together_in_order(void **state)
{
    (void)state;
    AUTO(struct metrics *, metrics_free_p) metrics = metrics_new();
    struct metric *lag =
        metrics_series(metrics, METRIC_GAUGE, "pqcdc_lag_bytes", "Bytes behind", NULL, 0);
    struct metric *sent_b =
        metrics_series(metrics, METRIC_COUNTER, "pqcdc_sent_total", "Records sent",
                       (const struct metric_label[]){ { "table", "b" } }, 1);
    struct metric *up = metrics_series(metrics, METRIC_GAUGE, "pqcdc_active", "1 = leads", NULL, 0);
    struct metric *sent_a = metrics_series(
        metrics, METRIC_COUNTER, "pqcdc_sent_total", "Records sent",
        (const struct metric_label[]){ { "table", "a" }, { "operation", "insert" } }, 2);
    metrics_set(lag, 1234.5);
    metrics_set(up, 1);
    metrics_add(sent_a, 3);
    metrics_add(sent_b, UINT64_MAX);
    assert_written(metrics, "# HELP pqcdc_active 1 = leads\n"
                            "# TYPE pqcdc_active gauge\n"
                            "pqcdc_active 1\n"
                            "# HELP pqcdc_lag_bytes Bytes behind\n"
                            "# TYPE pqcdc_lag_bytes gauge\n"
                            "pqcdc_lag_bytes 1234.5\n"
                            "# HELP pqcdc_sent_total Records sent\n"
                            "# TYPE pqcdc_sent_total counter\n"
                            "pqcdc_sent_total{table=\"a\",operation=\"insert\"} 3\n"
                            "pqcdc_sent_total{table=\"b\"} 18446744073709551615\n");
}

static void texts_are_escaped(void **state)
{
    (void)state;
    AUTO(struct metrics *, metrics_free_p) metrics = metrics_new();
    metrics_series(metrics, METRIC_COUNTER, "a_total", "back\\slash, \"quote\"\nline",
                   (const struct metric_label[]){ { "table", "q\"b\\n\nl" } }, 1);
    assert_written(metrics, "# HELP a_total back\\\\slash, \"quote\"\\nline\n"
                            "# TYPE a_total counter\n"
                            "a_total{table=\"q\\\"b\\\\n\\nl\"} 0\n");
}

static void the_same_series_is_found_again(void **state)
{
    (void)state;
    AUTO(struct metrics *, metrics_free_p) metrics = metrics_new();
    char name[] = "n_total";
    char label_value[] = "x";
    const struct metric_label labels[] = { { "l", label_value } };
    struct metric *first = metrics_series(metrics, METRIC_COUNTER, name, "h", labels, 1);
    metrics_add(first, 2);
    assert_ptr_equal(metrics_series(metrics, METRIC_COUNTER, name, "h", labels, 1), first);
    assert_true(metrics_value(first) > 1.5 && metrics_value(first) < 2.5);
    label_value[0] = 'y'; /* what was given is copied */
    struct metric *second = metrics_series(metrics, METRIC_COUNTER, name, "h", labels, 1);
    assert_ptr_not_equal(second, first);
    name[0] = 'z';
    assert_written(metrics, "# HELP n_total h\n# TYPE n_total counter\n"
                            "n_total{l=\"x\"} 2\nn_total{l=\"y\"} 0\n");
}

static void histograms_are_cumulative(void **state)
{
    (void)state;
    AUTO(struct metrics *, metrics_free_p) metrics = metrics_new();
    metrics_buckets(metrics, "t_seconds", (const double[]){ 0.1, 1, 10 }, 3);
    struct metric *metric = metrics_series(metrics, METRIC_HISTOGRAM, "t_seconds", "Time",
                                           (const struct metric_label[]){ { "op", "send" } }, 1);
    static const double values[] = { 0.0625, 0.1, 0.5, 1, 1.5, 100 };
    for (size_t i = 0; i < COUNT_OF(values); i++)
        metrics_observe(metric, values[i]);
    assert_written(metrics, "# HELP t_seconds Time\n# TYPE t_seconds histogram\n"
                            "t_seconds_bucket{op=\"send\",le=\"0.1\"} 2\n"
                            "t_seconds_bucket{op=\"send\",le=\"1\"} 4\n"
                            "t_seconds_bucket{op=\"send\",le=\"10\"} 5\n"
                            "t_seconds_bucket{op=\"send\",le=\"+Inf\"} 6\n"
                            "t_seconds_sum{op=\"send\"} 103.1625\n"
                            "t_seconds_count{op=\"send\"} 6\n");
}

static void default_bounds_suit_durations(void **state)
{
    (void)state;
    AUTO(struct metrics *, metrics_free_p) metrics = metrics_new();
    metrics_observe(metrics_series(metrics, METRIC_HISTOGRAM, "d_seconds", "h", NULL, 0), 60);
    AUTO(struct buf, buf_done) out = buf_init(1 << 20);
    metrics_write(metrics, &out);
    assert_non_null(strstr(buf_text(&out), "\nd_seconds_bucket{le=\"0.0005\"} 0\n"));
    assert_non_null(strstr(buf_text(&out), "\nd_seconds_bucket{le=\"60\"} 1\n"));
    assert_non_null(strstr(buf_text(&out), "\nd_seconds_count 1\n"));
}

static void not_a_number_lands_beyond_the_bounds(void **state)
{
    (void)state;
    AUTO(struct metrics *, metrics_free_p) metrics = metrics_new();
    metrics_buckets(metrics, "h", (const double[]){ 1 }, 1);
    metrics_observe(metrics_series(metrics, METRIC_HISTOGRAM, "h", "h", NULL, 0), (double)NAN);
    metrics_set(metrics_series(metrics, METRIC_GAUGE, "g", "h", NULL, 0), -(double)INFINITY);
    assert_written(metrics, "# HELP g h\n# TYPE g gauge\ng -Inf\n"
                            "# HELP h h\n# TYPE h histogram\n"
                            "h_bucket{le=\"1\"} 0\nh_bucket{le=\"+Inf\"} 1\n"
                            "h_sum NaN\nh_count 1\n");
}

static void refresh_gauge(void *self)
{
    struct metric *gauge = self;
    metrics_set(gauge, metrics_value(gauge) + 1);
}

static void refreshers_run_at_each_scrape(void **state)
{
    (void)state;
    AUTO(struct metrics *, metrics_free_p) metrics = metrics_new();
    struct metric *gauge = metrics_series(metrics, METRIC_GAUGE, "g", "h", NULL, 0);
    struct metric *other = metrics_series(metrics, METRIC_GAUGE, "o", "h", NULL, 0);
    metrics_on_scrape(metrics, refresh_gauge, gauge);
    metrics_on_scrape(metrics, refresh_gauge, other);
    assert_written(metrics, "# HELP g h\n# TYPE g gauge\ng 1\n# HELP o h\n# TYPE o gauge\no 1\n");
    assert_written(metrics, "# HELP g h\n# TYPE g gauge\ng 2\n# HELP o h\n# TYPE o gauge\no 2\n");
}

enum { THREADS = 4, ROUNDS = 5000 };

static void *update(void *self)
{
    struct metrics *metrics = self;
    struct metric *histogram = metrics_series(metrics, METRIC_HISTOGRAM, "h_seconds", "h", NULL, 0);
    for (int i = 0; i < ROUNDS; i++) {
        const struct metric_label label = { "n", i % 2 == 0 ? "even" : "odd" };
        metrics_add(metrics_series(metrics, METRIC_COUNTER, "c_total", "h", &label, 1), 1);
        metrics_observe(histogram, 0.5);
    }
    return NULL;
}

static void threads_lose_no_update(void **state)
{
    (void)state;
    AUTO(struct metrics *, metrics_free_p) metrics = metrics_new();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, update, metrics), 0);
    for (int i = 0; i < 100; i++) {
        AUTO(struct buf, buf_done) out = buf_init(1 << 20);
        metrics_write(metrics, &out);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    AUTO(struct buf, buf_done) out = buf_init(1 << 20);
    metrics_write(metrics, &out);
    assert_non_null(strstr(buf_text(&out), "c_total{n=\"even\"} 10000\n"));
    assert_non_null(strstr(buf_text(&out), "c_total{n=\"odd\"} 10000\n"));
    assert_non_null(strstr(buf_text(&out), "h_seconds_sum 10000\n"));
    assert_non_null(strstr(buf_text(&out), "h_seconds_count 20000\n"));
}

static void mix_kinds(void *self)
{
    metrics_series(self, METRIC_GAUGE, "c_total", "h", NULL, 0);
}

static void mix_helps(void *self)
{
    metrics_series(self, METRIC_COUNTER, "c_total", "other", NULL, 0);
}

static void misname(void *self)
{
    metrics_series(self, METRIC_COUNTER, "9lives", "h", NULL, 0);
}

static void mislabel(void *self)
{
    metrics_series(self, METRIC_COUNTER, "c_total", "h",
                   (const struct metric_label[]){ { "a-b", "" } }, 1);
}

static void set_counter(void *self)
{
    metrics_set(metrics_series(self, METRIC_COUNTER, "c_total", "h", NULL, 0), 1);
}

static void late_buckets(void *self)
{
    metrics_buckets(self, "c_total", (const double[]){ 1 }, 1);
}

static void falling_bounds(void *self)
{
    metrics_buckets(self, "new", (const double[]){ 2, 1 }, 2);
}

static void broken_rows_abort(void **state)
{
    (void)state;
    AUTO(struct metrics *, metrics_free_p) metrics = metrics_new();
    metrics_series(metrics, METRIC_COUNTER, "c_total", "h", NULL, 0);
    void (*const bodies[])(void *) = { mix_kinds,   mix_helps,    misname,       mislabel,
                                       set_counter, late_buckets, falling_bounds };
    for (size_t i = 0; i < COUNT_OF(bodies); i++)
        assert_true(child_aborted(child_run(bodies[i], metrics), "broken invariant"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_written_of_nothing),
        cmocka_unit_test(families_stand_together_in_order),
        cmocka_unit_test(texts_are_escaped),
        cmocka_unit_test(the_same_series_is_found_again),
        cmocka_unit_test(histograms_are_cumulative),
        cmocka_unit_test(default_bounds_suit_durations),
        cmocka_unit_test(not_a_number_lands_beyond_the_bounds),
        cmocka_unit_test(refreshers_run_at_each_scrape),
        cmocka_unit_test(threads_lose_no_update),
        cmocka_unit_test(broken_rows_abort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
