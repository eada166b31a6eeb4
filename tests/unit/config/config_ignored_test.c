#include "config/config_ignored.h"

#include "config_fixture.h"

#include <stdio.h>

#include "config/config_docs.h"
#include "config/config_print.h"

static void assert_ignored(const struct config *config, uint32_t index, const char *path,
                           const char *where)
{
    uint32_t count;
    const struct config_ignored *ignored = config_ignored_all(config, &count);
    assert_true(index < count);
    assert_string_equal(ignored[index].path, path);
    assert_string_equal(ignored[index].where, where);
    assert_true(strlen(ignored[index].why) > 10);
}

static uint32_t count_ignored(const struct config *config)
{
    uint32_t count;
    (void)config_ignored_all(config, &count);
    return count;
}

static void nothing_is_ignored_unless_given(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config = config_new();
    assert_int_equal(count_ignored(config), 0);
    AUTO(struct config *, config_free_p) minimal =
        fixture_config(FIXTURE_MINIMAL, FIXTURE_NONE, FIXTURE_NONE);
    assert_int_equal(count_ignored(minimal), 0);
    AUTO(struct buf, buf_done) text = buf_init(FIXTURE_MAX_BYTES);
    config_print_effective(minimal, &text);
    assert_null(strstr(buf_text(&text), "without effect"));
}

/* Whatever its value is: text, number, list, mapping, nothing. */
static void any_value_is_accepted_and_where_it_stands_is_known(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config = fixture_config(
        "cdc:\n"
        "  host: h\n"
        "  username: u\n"
        "  database: d\n"
        "  logger: {level: warn, logger: {a: [1, {b: c}]}}\n"
        "  publication:\n"
        "    name: p\n"
        "    tables:\n"
        "      - name: t\n"
        "      - name: v\n"
        "        queryCondition: 'id > 7'\n"
        "        schema: s\n"
        "        snapshotPartitionStrategy: ctid_block\n"
        "  slot: {name: s}\n"
        "  snapshot:\n"
        "    enabled: false\n"
        "    mode: initial\n"
        "    tables: [{name: t}, x]\n"
        "    claimTimeout:\n"
        "kafka: {brokers: [b], skipOversizedMessages: true}\n",
        FIXTURE_LIST("PQCDC_CDC_SNAPSHOT_CHUNK_SIZE=-1"), FIXTURE_LIST("cdc.snapshot.id=[x]"));
    assert_int_equal(count_ignored(config), 8);
    assert_ignored(config, 0, "cdc.logger.logger", "f:5");
    assert_ignored(config, 1, "cdc.publication.tables[1].queryCondition", "f:11");
    assert_ignored(config, 2, "cdc.publication.tables[1].snapshotPartitionStrategy", "f:13");
    assert_ignored(config, 3, "cdc.snapshot.tables", "f:18");
    assert_ignored(config, 4, "cdc.snapshot.claimTimeout", "f:19");
    assert_ignored(config, 5, "cdc.snapshot.chunkSize", "PQCDC_CDC_SNAPSHOT_CHUNK_SIZE");
    assert_ignored(config, 6, "cdc.snapshot.id", "--set cdc.snapshot.id");
    assert_ignored(config, 7, "kafka.skipOversizedMessages", "f:20");
    assert_int_equal(config->cdc_logger_log_level, CONFIG_LOG_LEVEL_WARN);
    assert_string_equal(config->cdc_publication_tables.items[1].schema, "s");
    AUTO(struct buf, buf_done) text = buf_init(FIXTURE_MAX_BYTES);
    config_print_effective(config, &text);
    assert_non_null(strstr(buf_text(&text),
                           "# without effect:\n"
                           "#   cdc.logger.logger (f:5): A logger is an object of a program; "));
    assert_null(strstr(buf_text(&text), "id > 7"));
}

/* More than the list has room for at first. */
static void each_of_many_tables_is_listed(void **state)
{
    (void)state;
    enum { TABLE_COUNT = 100 };
    AUTO(struct buf, buf_done) set = buf_init(FIXTURE_MAX_BYTES);
    buf_append_text(&set, "cdc.publication.tables=[");
    for (uint32_t i = 0; i < TABLE_COUNT; i++)
        buf_append_format(&set, "%s{name: t%u, queryCondition: x}", i > 0 ? ", " : "", i);
    buf_append_text(&set, "]");
    AUTO(struct config *, config_free_p) config = fixture_set(buf_text(&set));
    assert_int_equal(count_ignored(config), TABLE_COUNT);
    for (uint32_t i = 0; i < TABLE_COUNT; i++) {
        char path[64];
        snprintf(path, sizeof(path), "cdc.publication.tables[%u].queryCondition", i);
        assert_ignored(config, i, path, "--set cdc.publication.tables");
    }
}

/* What is only near, or below, or written with dots, is no option. */
static void nothing_else_is_accepted(void **state)
{
    (void)state;
    fixture_refused("cdc: {snapshot: {chunksize: 1}, host: h, username: u, database: d,\n"
                    " publication: {name: p, queryCondition: x,\n"
                    "  tables: [{name: t, chunkSize: 1}]}, slot: {name: s}}\n"
                    "kafka: {brokers: [b]}\n"
                    "cdc.snapshot.id: x\n",
                    FIXTURE_NONE, FIXTURE_NONE,
                    "f:1: cdc.snapshot.chunksize: no such option\n"
                    "f:2: cdc.publication.queryCondition: no such option\n"
                    "f:3: cdc.publication.tables[0].chunkSize: no such option\n"
                    "f:5: cdc.snapshot.id: no such option\n");
    fixture_set_refused("cdc.snapshot.tables[0]=x",
                        "--set cdc.snapshot.tables[0]: no such option\n");
}

static void a_snapshot_that_is_asked_for_is_refused(void **state)
{
    (void)state;
    static const char refusal[] =
        "--set cdc.snapshot: cdc.snapshot.enabled: snapshots are not offered yet, and without the "
        "one that cdc.snapshot.mode asks for, rows that exist already would be missing: set it to "
        "false\n";
    fixture_set_refused("cdc.snapshot={enabled: true, mode: initial}", refusal);
    fixture_set_refused("cdc.snapshot={enabled: true, mode: snapshot_only}", refusal);
    static const char *const accepted[] = {
        "cdc.snapshot={enabled: false, mode: initial}",
        "cdc.snapshot={enabled: true, mode: never}",
        "cdc.snapshot.enabled=true", /* never is the mode unless another is given */
        "cdc.snapshot.mode=snapshot_only",
    };
    for (size_t i = 0; i < COUNT_OF(accepted); i++) {
        AUTO(struct config *, config_free_p) config = fixture_set(accepted[i]);
        assert_int_equal(count_ignored(config), 0);
    }
}

static void help_and_documentation_list_each_of_them(void **state)
{
    (void)state;
    uint32_t count;
    const struct config_ignored_option *ignored = config_option_ignored(&count);
    AUTO(struct buf, buf_done) help = buf_init(FIXTURE_MAX_BYTES);
    AUTO(struct buf, buf_done) markdown = buf_init(FIXTURE_MAX_BYTES);
    config_docs_help(&help);
    config_docs_markdown(&markdown);
    assert_true(count > 10);
    for (uint32_t i = 0; i < count; i++) {
        char line[512];
        snprintf(line, sizeof(line), "\n  %s\n      %s\n", ignored[i].path, ignored[i].why);
        assert_non_null(strstr(buf_text(&help), line));
        snprintf(line, sizeof(line), "\n| `%s` | %s |\n", ignored[i].path, ignored[i].why);
        assert_non_null(strstr(buf_text(&markdown), line));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_ignored_unless_given),
        cmocka_unit_test(any_value_is_accepted_and_where_it_stands_is_known),
        cmocka_unit_test(each_of_many_tables_is_listed),
        cmocka_unit_test(nothing_else_is_accepted),
        cmocka_unit_test(a_snapshot_that_is_asked_for_is_refused),
        cmocka_unit_test(help_and_documentation_list_each_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
