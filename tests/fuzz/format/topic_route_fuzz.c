/* Any mapping, template and table: what is routed goes to a topic that Kafka takes, the one that a
 * simple reading of the rules gives; everything else is an error that names the table.
 *
 * The input is texts, each up to its NUL: flags (of the first byte: 1 a template, 2 a database,
 * 4 skip), template, database, schema, table, then pairs of table and topic. */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/reader.h"
#include "base/text.h"
#include "format/topic_route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAIRS_MAX = 8, TOPIC_MAX_BYTES = 249 };

static const char *const published[] = { "public.t", "s.t" };

static bool takes(const char *topic)
{
    size_t size = strlen(topic);
    return size > 0 && size <= TOPIC_MAX_BYTES && strcmp(topic, ".") != 0 &&
           strcmp(topic, "..") != 0 &&
           strspn(topic, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
               size;
}

static char *replace(char *text, const char *placeholder, const char *value)
{
    for (char *at; (at = strstr(text, placeholder)) != NULL;) {
        AUTO(char *, memory_free_p) clean = memory_text(value);
        for (char *byte = clean; *byte != '\0'; byte++)
            *byte = takes((char[]){ *byte, 'a', '\0' }) ? *byte : '_';
        char *longer =
            text_format("%.*s%s%s", (int)(at - text), text, clean, at + strlen(placeholder));
        memory_free(text);
        text = longer;
    }
    return text;
}

static char *expected_of_template(const struct topic_route_options *options, const char *schema,
                                  const char *table)
{
    char *topic = memory_text(options->topic_template);
    topic = replace(topic, "{database}", options->database != NULL ? options->database : "");
    topic = replace(topic, "{schema}", schema);
    return replace(topic, "{table}", table);
}

/* The mapped topic; NULL = not mapped. */
static const char *mapped(const struct topic_route_options *options, const char *schema,
                          const char *table)
{
    AUTO(char *, memory_free_p) name = text_format("%s.%s", schema, table);
    for (uint32_t i = 0; i < options->pair_count; i++) {
        const char *given = options->pairs[i].table;
        bool plain = strchr(given, '.') == NULL;
        AUTO(char *, memory_free_p) full = text_format("%s%s", plain ? "public." : "", given);
        if (strcmp(full, name) == 0)
            return options->pairs[i].topic;
    }
    return NULL;
}

static void check_find(const struct topic_route *route, const struct topic_route_options *options,
                       const char *schema, const char *table)
{
    AUTO(char *, memory_free_p) topic = NULL;
    AUTO(char *, memory_free_p) expected = NULL;
    const char *by_pair = mapped(options, schema, table);
    const struct topic_route_name name = { slice_of(schema), slice_of(table) };
    CHECK(topic_route_maps(route, name.schema, name.table) == (by_pair != NULL));
    struct error err = ERROR_INIT;
    bool found = topic_route_find(route, &name, 1, &topic, &err);
    if (by_pair != NULL)
        expected = memory_text(by_pair);
    else if (options->topic_template != NULL)
        expected = expected_of_template(options, schema, table);
    bool skipped = expected == NULL && options->unmapped == TOPIC_ROUTE_SKIP;
    CHECK(found == (skipped || (expected != NULL && takes(expected))));
    CHECK(!found || (topic == NULL) == skipped);
    CHECK(!found || skipped || strcmp(topic, expected) == 0);
    CHECK(found || (err.class == ERROR_HALT && err.text[0] != '\0' && err.advice[0] != '\0'));
}

static void count_problem(void *self, const struct error *problem)
{
    uint32_t *count = self;
    CHECK(problem->class == ERROR_CONFIG && problem->text[0] != '\0');
    (*count)++;
}

static void check_unused(void *self, const char *table)
{
    (void)self;
    CHECK(strchr(table, '.') != NULL);
    for (size_t i = 0; i < COUNT_OF(published); i++)
        CHECK(strcmp(table, published[i]) != 0);
}

static const char *next_text(struct reader *input)
{
    struct slice text = reader_text(input);
    return text.size > 0 ? text.data : "";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader input = reader_init((struct slice){ (const char *)data, size });
    uint8_t flags = reader_u8(&input);
    const char *topic_template = next_text(&input), *database = next_text(&input);
    const char *schema = next_text(&input), *table = next_text(&input);
    struct topic_route_pair pairs[PAIRS_MAX];
    struct topic_route_options options = {
        .pairs = pairs,
        .topic_template = (flags & 1) != 0 ? topic_template : NULL,
        .database = (flags & 2) != 0 ? database : NULL,
        .unmapped = (flags & 4) != 0 ? TOPIC_ROUTE_SKIP : TOPIC_ROUTE_FAIL,
    };
    while (options.pair_count < PAIRS_MAX && reader_left(&input) > 0) {
        const char *from = next_text(&input);
        pairs[options.pair_count++] = (struct topic_route_pair){ from, next_text(&input) };
    }
    AUTO(struct topic_route *, topic_route_free_p) route = NULL;
    struct error err = ERROR_INIT;
    uint32_t problems = 0;
    bool sound = topic_route_new(&options, &route, &err);
    CHECK(topic_route_check(&options, count_problem, &problems) == sound);
    CHECK(sound == (problems == 0));
    CHECK(sound || (err.class == ERROR_CONFIG && err.text[0] != '\0'));
    if (sound) {
        check_find(route, &options, schema, table);
        topic_route_unused(route, published, COUNT_OF(published), check_unused, NULL);
    }
    return 0;
}
