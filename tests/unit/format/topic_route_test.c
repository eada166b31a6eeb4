#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/memory.h"
#include "format/topic_route.h"

static const struct topic_route_pair pairs[] = {
    { "public.users", "users.topic" },
    { "orders", "orders.topic" },
    { "sales.orders", "sales-orders" },
};

static struct topic_route *route_of(struct topic_route_options options)
{
    struct error err = ERROR_INIT;
    struct topic_route *route = NULL;
    if (!topic_route_new(&options, &route, &err))
        fail_msg("%s: %s", err.code, err.text);
    return route;
}

/* expected NULL: the table is skipped */
static void assert_topic_of(const struct topic_route *route, const struct topic_route_name *names,
                            uint32_t count, const char *expected)
{
    struct error err = ERROR_INIT;
    char *found = NULL;
    if (!topic_route_find(route, names, count, &found, &err))
        fail_msg("%s: %s", err.code, err.text);
    AUTO(char *, memory_free_p) topic = found;
    if (expected == NULL)
        assert_null(topic);
    else
        assert_string_equal(topic, expected);
}

static void assert_topic(const struct topic_route *route, const char *schema, const char *table,
                         const char *expected)
{
    const struct topic_route_name name = { slice_of(schema), slice_of(table) };
    assert_topic_of(route, &name, 1, expected);
}

static void maps_tables_by_name(void **state)
{
    (void)state;
    AUTO(struct topic_route *, topic_route_free_p) route = route_of((struct topic_route_options){
        .pairs = pairs, .pair_count = 3, .unmapped = TOPIC_ROUTE_SKIP });
    assert_topic(route, "public", "users", "users.topic");
    assert_topic(route, "public", "orders", "orders.topic");
    assert_topic(route, "sales", "orders", "sales-orders");
    assert_topic(route, "sales", "users", NULL);
    assert_topic(route, "public", "sales.orders", NULL);
    assert_topic(route, "public", "user", NULL);
    assert_topic(route, "", "", NULL);
}

static void the_mapping_goes_before_the_template(void **state)
{
    (void)state;
    AUTO(struct topic_route *, topic_route_free_p) route = route_of(
        (struct topic_route_options){ .pairs = pairs,
                                      .pair_count = 3,
                                      .topic_template = "cdc.{database}.{schema}.{table}-v1",
                                      .database = "shop" });
    assert_topic(route, "public", "users", "users.topic");
    assert_topic(route, "sales", "users", "cdc.shop.sales.users-v1");
    assert_topic(route, "Sales", "Users_2", "cdc.shop.Sales.Users_2-v1");
    assert_topic(route, "a b", "\xC3\xA4/\"x\"", "cdc.shop.a_b.____x_-v1");
    assert_topic(route, "{table}", "t", "cdc.shop._table_.t-v1");
}

static void a_part_takes_the_topic_of_its_nearest_mapped_parent(void **state)
{
    (void)state;
    static const struct topic_route_pair mapped[] = { { "s.middle", "middle" },
                                                      { "s.root", "root" },
                                                      { "s.own", "own" } };
    struct topic_route_options options = { .pairs = mapped,
                                           .pair_count = COUNT_OF(mapped),
                                           .unmapped = TOPIC_ROUTE_SKIP };
    static const struct {
        const char *names[3];
        const char *mapped, *by_template;
    } rows[] = {
        { { "own", "middle", "root" }, "own", "own" },
        { { "leaf", "middle", "root" }, "middle", "middle" },
        { { "leaf", "other", "root" }, "root", "root" },
        { { "leaf", "other", "nowhere" }, NULL, "t-nowhere" }, /* as the last parent's own */
    };
    AUTO(struct topic_route *, topic_route_free_p) route = route_of(options);
    options.topic_template = "t-{table}";
    AUTO(struct topic_route *, topic_route_free_p) with_template = route_of(options);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct topic_route_name names[3];
        for (size_t at = 0; at < COUNT_OF(names); at++)
            names[at] = (struct topic_route_name){ SLICE_TEXT("s"), slice_of(rows[i].names[at]) };
        assert_topic_of(route, names, COUNT_OF(names), rows[i].mapped);
        assert_topic_of(with_template, names, COUNT_OF(names), rows[i].by_template);
    }
    assert_true(topic_route_maps(route, SLICE_TEXT("s"), SLICE_TEXT("own")));
    assert_false(topic_route_maps(route, SLICE_TEXT("s"), SLICE_TEXT("leaf")));
    assert_false(topic_route_maps(with_template, SLICE_TEXT("public"), SLICE_TEXT("own")));
}

static void one_topic_may_take_every_table(void **state)
{
    (void)state;
    AUTO(struct topic_route *, topic_route_free_p) route =
        route_of((struct topic_route_options){ .topic_template = "all" });
    assert_topic(route, "public", "a", "all");
    assert_topic(route, "public", "b", "all");
}

static void copies_its_options(void **state)
{
    (void)state;
    char table[] = "public.t";
    char topic[] = "topic";
    char text[] = "x-{table}";
    struct topic_route_pair pair = { table, topic };
    AUTO(struct topic_route *, topic_route_free_p) route = route_of(
        (struct topic_route_options){ .pairs = &pair, .pair_count = 1, .topic_template = text });
    memset(table, '?', sizeof(table) - 1);
    memset(topic, '?', sizeof(topic) - 1);
    memset(text, '?', sizeof(text) - 1);
    assert_topic(route, "public", "t", "topic");
    assert_topic(route, "public", "u", "x-u");
}

static void assert_halts(const struct topic_route *route, struct slice table, const char *code,
                         const char *advice)
{
    struct error err = ERROR_INIT;
    char unset[] = "as it was";
    char *topic = unset;
    const struct topic_route_name name = { SLICE_TEXT("sales"), table };
    assert_false(topic_route_find(route, &name, 1, &topic, &err));
    assert_ptr_equal(topic, unset);
    assert_int_equal(err.class, ERROR_HALT);
    assert_string_equal(err.code, code);
    assert_non_null(strstr(err.text, "sales."));
    assert_non_null(strstr(err.advice, advice));
}

static void an_unmapped_table_is_an_error_unless_skipped(void **state)
{
    (void)state;
    AUTO(struct topic_route *, topic_route_free_p) route =
        route_of((struct topic_route_options){ .pairs = pairs, .pair_count = 3 });
    assert_halts(route, SLICE_TEXT("users"), "topic_unmapped", "\"sales.users\"");
}

static void one_table_may_stand_aside(void **state)
{
    (void)state;
    struct topic_route_options options = {
        .pairs = pairs, .pair_count = 3, .aside_schema = "sales", .aside_table = "pulse"
    };
    AUTO(struct topic_route *, topic_route_free_p) route = route_of(options);
    assert_topic(route, "sales", "pulse", NULL);
    assert_halts(route, SLICE_TEXT("users"), "topic_unmapped", "\"sales.users\"");
    options.aside_table = "orders";
    AUTO(struct topic_route *, topic_route_free_p) mapped = route_of(options);
    assert_topic(mapped, "sales", "orders", "sales-orders");
    options.aside_table = "pulse";
    options.topic_template = "t-{table}";
    AUTO(struct topic_route *, topic_route_free_p) with_template = route_of(options);
    assert_topic(with_template, "sales", "pulse", "t-pulse");
}

static void a_name_that_kafka_refuses_is_an_error(void **state)
{
    (void)state;
    AUTO(struct topic_route *, topic_route_free_p) route =
        route_of((struct topic_route_options){ .topic_template = "{table}" });
    char name[251];
    memset(name, 'x', sizeof(name));
    name[249] = '\0';
    assert_topic(route, "sales", name, name);
    assert_halts(route, (struct slice){ name, 250 }, "topic_name_invalid", "tableTopicMapping");
    assert_halts(route, SLICE_TEXT("."), "topic_name_invalid", "tableTopicMapping");
    assert_halts(route, SLICE_TEXT(".."), "topic_name_invalid", "tableTopicMapping");
}

static void assert_config(struct topic_route_options options, const char *code, const char *text)
{
    struct error err = ERROR_INIT;
    struct topic_route *route = NULL;
    assert_false(topic_route_new(&options, &route, &err));
    assert_null(route);
    assert_int_equal(err.class, ERROR_CONFIG);
    assert_string_equal(err.code, code);
    assert_non_null(strstr(err.text, text));
}

static void refuses_bad_templates(void **state)
{
    (void)state;
    static const char *const templates[] = { "",   "{tabel}",   "{table", "a b",
                                             "{}", "a/{table}", "{Table}" };
    for (size_t i = 0; i < COUNT_OF(templates); i++)
        assert_config(
            (struct topic_route_options){ .topic_template = templates[i], .database = "d" },
            "topic_template_invalid", templates[i]);
    assert_config((struct topic_route_options){ .topic_template = "{database}" },
                  "topic_template_invalid", "{database}");
}

static void refuses_bad_topics(void **state)
{
    (void)state;
    static const char *const topics[] = { "", "a b", "..", ".", "t\xC3\xA4" };
    for (size_t i = 0; i < COUNT_OF(topics); i++) {
        struct topic_route_pair pair = { "public.t", topics[i] };
        assert_config((struct topic_route_options){ .pairs = &pair, .pair_count = 1 },
                      "topic_name_invalid", "public.t");
    }
}

static void refuses_two_topics_for_one_table(void **state)
{
    (void)state;
    static const struct topic_route_pair same[] = { { "t", "a" }, { "public.t", "a" } };
    static const struct topic_route_pair two[] = { { "t", "a" }, { "public.t", "b" } };
    AUTO(struct topic_route *, topic_route_free_p) route =
        route_of((struct topic_route_options){ .pairs = same, .pair_count = 2 });
    assert_topic(route, "public", "t", "a");
    assert_config((struct topic_route_options){ .pairs = two, .pair_count = 2 },
                  "topic_mapping_conflict", "public.t");
}

static void take_text(void *self, const struct error *problem)
{
    struct buf *out = self;
    buf_append_format(out, "%s;", problem->code);
}

static void reports_every_problem(void **state)
{
    (void)state;
    static const struct topic_route_pair bad[] = {
        { "t", "a" }, { "u", "a b" }, { "public.t", "b" }, { "v", "" }, { "w", "w" }
    };
    AUTO(struct buf, buf_done) codes = buf_init(4096);
    const struct topic_route_options options = { .pairs = bad,
                                                 .pair_count = COUNT_OF(bad),
                                                 .topic_template = "{tabel}" };
    assert_false(topic_route_check(&options, take_text, &codes));
    assert_string_equal(buf_text(&codes), "topic_template_invalid;topic_name_invalid;"
                                          "topic_mapping_conflict;topic_name_invalid;");
    buf_clear(&codes);
    const struct topic_route_options good = { .pairs = pairs, .pair_count = COUNT_OF(pairs) };
    assert_true(topic_route_check(&good, take_text, &codes));
    assert_string_equal(buf_text(&codes), "");
}

static void take_table(void *self, const char *table)
{
    struct buf *out = self;
    buf_append_format(out, "%s;", table);
}

static void tells_what_no_published_table_uses(void **state)
{
    (void)state;
    AUTO(struct topic_route *, topic_route_free_p) route =
        route_of((struct topic_route_options){ .pairs = pairs, .pair_count = COUNT_OF(pairs) });
    static const char *const published[] = { "sales.orders", "public.user", "public.users" };
    AUTO(struct buf, buf_done) tables = buf_init(4096);
    topic_route_unused(route, published, COUNT_OF(published), take_table, &tables);
    assert_string_equal(buf_text(&tables), "public.orders;");
    buf_clear(&tables);
    topic_route_unused(route, NULL, 0, take_table, &tables);
    assert_string_equal(buf_text(&tables), "public.users;public.orders;sales.orders;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_tables_by_name),
        cmocka_unit_test(the_mapping_goes_before_the_template),
        cmocka_unit_test(a_part_takes_the_topic_of_its_nearest_mapped_parent),
        cmocka_unit_test(one_topic_may_take_every_table),
        cmocka_unit_test(copies_its_options),
        cmocka_unit_test(an_unmapped_table_is_an_error_unless_skipped),
        cmocka_unit_test(one_table_may_stand_aside),
        cmocka_unit_test(a_name_that_kafka_refuses_is_an_error),
        cmocka_unit_test(refuses_bad_templates),
        cmocka_unit_test(refuses_bad_topics),
        cmocka_unit_test(refuses_two_topics_for_one_table),
        cmocka_unit_test(reports_every_problem),
        cmocka_unit_test(tells_what_no_published_table_uses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
