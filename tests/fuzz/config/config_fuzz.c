/* Any bytes as a configuration: they load, or they are refused with problems; what loads is printed
 * and must load again as the same.
 *
 * The input is the file's content; what follows a NUL, up to the next NUL, is a variable when it
 * begins with PQCDC_, else an argument of --set. */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "config/config.h"
#include "config/config_print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUTPUT_MAX_BYTES = 64 * 1024 * 1024, PART_MAX = 32 };

struct input {
    struct slice file;
    const char *environment[PART_MAX + 1];
    const char *sets[PART_MAX];
    uint32_t variable_count, set_count;
};

/* `text` is one byte longer than `size`, and that is a NUL. */
static struct input split(const char *text, size_t size)
{
    struct input input = { .file = { text, strlen(text) } };
    size_t at = input.file.size + 1;
    while (at < size && input.variable_count + input.set_count < PART_MAX) {
        const char *part = text + at;
        at += strlen(part) + 1;
        if (strncmp(part, "PQCDC_", strlen("PQCDC_")) == 0)
            input.environment[input.variable_count++] = part;
        else
            input.sets[input.set_count++] = part;
    }
    return input;
}

static void check_prints_again(const struct config *config)
{
    AUTO(struct buf, buf_done) text = buf_init(OUTPUT_MAX_BYTES);
    config_print_effective(config, &text);
    CHECK(!text.failed);
    if (text.size > 1024 * 1024)
        return;
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    AUTO(struct config *, config_free_p) again = NULL;
    struct config_sources sources = { .file = "again" };
    CHECK(config_load_text(&sources, buf_slice(&text), &again, &problems));
    CHECK(again->kafka_table_topic_mapping.count == config->kafka_table_topic_mapping.count);
    CHECK(again->cdc_publication_tables.count == config->cdc_publication_tables.count);
    CHECK(again->kafka_brokers.count == config->kafka_brokers.count);
    CHECK(strcmp(again->cdc_host, config->cdc_host) == 0);
    CHECK(strcmp(again->cdc_publication_name, config->cdc_publication_name) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(char *, memory_free_p) text = memory_text_n((const char *)data, size);
    struct input input = split(text, size);
    struct config_sources sources = {
        .file = "fuzz",
        .environment = input.environment,
        .sets = input.sets,
        .set_count = input.set_count,
    };
    AUTO(struct config *, config_free_p) config = NULL;
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    if (config_load_text(&sources, input.file, &config, &problems)) {
        CHECK(problems.count == 0 && config != NULL);
        check_prints_again(config);
    } else {
        CHECK(problems.count > 0 && config == NULL);
        AUTO(struct buf, buf_done) lines = buf_init(OUTPUT_MAX_BYTES);
        config_problems_write(&problems, &lines);
        CHECK(!lines.failed);
    }
    return 0;
}
