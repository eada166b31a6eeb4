#include "config/config_docs.h"

#include "config_fixture.h"

#include <stdio.h>

#include "config/config_option.h"

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("missing: %s", part);
}

static uint32_t count_of(const char *text, const char *part)
{
    uint32_t count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part))
        count++;
    return count;
}

static void assert_each_row_once(const char *text, const char *path_format)
{
    uint32_t counts[2];
    const struct config_option *tables[2] = { config_option_all(&counts[0]),
                                              config_option_items(&counts[1]) };
    for (int table = 0; table < 2; table++) {
        for (uint32_t i = 0; i < counts[table]; i++) {
            char start[256];
            bool markdown = *path_format == '|';
            snprintf(start, sizeof(start), markdown ? "| `%s` |" : "  %s  (",
                     tables[table][i].path);
            assert_int_equal(count_of(text, start), 1);
            assert_has(text, tables[table][i].doc);
        }
    }
}

static void the_help_has_every_option(void **state)
{
    (void)state;
    AUTO(struct buf, buf_done) text = buf_init(FIXTURE_MAX_BYTES);
    config_docs_help(&text);
    assert_false(text.failed);
    assert_each_row_once(buf_text(&text), " ");
    assert_has(buf_text(&text), "PostgreSQL and the connector\n  cdc.host  (text, required)\n");
    assert_has(buf_text(&text), "  cdc.onHalt  (choice: exit, wait) [exit]\n"
                                "      What to do when only a person can help: exit, or wait, say "
                                "why, and try again.\n"
                                "      PQCDC_CDC_ON_HALT\n");
    assert_has(buf_text(&text), "  cdc.walSenderTimeout  (duration: 1s to 1h) [10s]\n");
    assert_null(strstr(buf_text(&text), "PQCDC_CDC_PUBLICATION_TABLES["));
}

static void the_markdown_has_every_option(void **state)
{
    (void)state;
    AUTO(struct buf, buf_done) text = buf_init(FIXTURE_MAX_BYTES);
    config_docs_markdown(&text);
    assert_false(text.failed);
    assert_each_row_once(buf_text(&text), "|");
    assert_has(buf_text(&text),
               "| `cdc.host` | text | *required* |  | `PQCDC_CDC_HOST` | Host of ");
    assert_has(buf_text(&text), "| `cdc.slot.slotActivityCheckerInterval` | duration | `100ms` | "
                                "10ms to 1h | `PQCDC_CDC_SLOT_SLOT_ACTIVITY_CHECKER_INTERVAL` | ");
    assert_has(buf_text(&text), "Secret: never shown.");
    assert_has(buf_text(&text), "Also called `cdc.logger.level`.");
}

/* Every row of a table has as many cells as its heading. */
static void the_markdown_tables_are_rectangular(void **state)
{
    (void)state;
    AUTO(struct buf, buf_done) text = buf_init(FIXTURE_MAX_BYTES);
    config_docs_markdown(&text);
    uint32_t cells = 0;
    for (const char *line = buf_text(&text); *line != '\0';) {
        size_t size = strcspn(line, "\n");
        uint32_t bars = 0;
        for (size_t i = 0; i < size; i++)
            bars += line[i] == '|';
        if (bars == 0)
            cells = 0;
        else if (cells == 0)
            cells = bars;
        assert_int_equal(bars, cells);
        line += size + (line[size] == '\n');
    }
}

static void the_example_in_the_markdown_loads(void **state)
{
    (void)state;
    AUTO(struct buf, buf_done) text = buf_init(FIXTURE_MAX_BYTES);
    config_docs_markdown(&text);
    const char *start = strstr(buf_text(&text), "```yaml\n");
    assert_non_null(start);
    start += strlen("```yaml\n");
    const char *end = strstr(start, "```\n");
    assert_non_null(end);
    AUTO(char *, memory_free_p) example = memory_text_n(start, (size_t)(end - start));
    AUTO(struct config *, config_free_p) config =
        fixture_config(example, FIXTURE_NONE, FIXTURE_LIST("cdc.passwordFile="));
    assert_string_equal(config->cdc_publication_tables.items[0].name, "orders");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_help_has_every_option),
        cmocka_unit_test(the_markdown_has_every_option),
        cmocka_unit_test(the_markdown_tables_are_rectangular),
        cmocka_unit_test(the_example_in_the_markdown_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
