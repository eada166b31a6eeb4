/* Loading configurations from texts, for the tests of this room. */
#ifndef CONFIG_FIXTURE_H
#define CONFIG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "config/config.h"

/* All that is required, each by JSON on line 1, so that a test's own text begins on line 2. The
 * sections are left open for a test by --set or the environment. */
#define FIXTURE_MINIMAL                                                                            \
    "{cdc: {host: h, username: u, database: d, publication: {name: p}, slot: {name: s}}, "         \
    "kafka: {brokers: [b]}}"

enum { FIXTURE_MAX_BYTES = 4 * 1024 * 1024 };

#define FIXTURE_LIST(...)                                                                          \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define FIXTURE_NONE ((const char *const[]){ NULL })

static inline uint32_t fixture_count(const char *const *texts)
{
    uint32_t count = 0;
    while (texts[count] != NULL)
        count++;
    return count;
}

/* The configuration, or NULL and *out_lines = the problems, which memory_free() takes. The file is
 * called "f". */
static inline struct config *fixture_load(const char *text, const char *const *environment,
                                          const char *const *sets, char **out_lines)
{
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    struct config_sources sources = {
        .file = "f",
        .environment = environment,
        .sets = sets,
        .set_count = fixture_count(sets),
    };
    struct config *config = NULL;
    bool loaded = config_load_text(&sources, slice_of(text), &config, &problems);
    AUTO(struct buf, buf_done) lines = buf_init(FIXTURE_MAX_BYTES);
    config_problems_write(&problems, &lines);
    assert_int_equal(loaded, config != NULL);
    assert_int_equal(loaded, problems.count == 0);
    *out_lines = memory_text(buf_text(&lines));
    return config;
}

/* What must load. */
static inline struct config *fixture_config(const char *text, const char *const *environment,
                                            const char *const *sets)
{
    char *lines;
    struct config *config = fixture_load(text, environment, sets, &lines);
    assert_string_equal(lines, "");
    memory_free(lines);
    return config;
}

/* What must not load, with exactly these problems. */
static inline void fixture_refused(const char *text, const char *const *environment,
                                   const char *const *sets, const char *expected_lines)
{
    char *lines;
    struct config *config = fixture_load(text, environment, sets, &lines);
    assert_null(config);
    assert_string_equal(lines, expected_lines);
    memory_free(lines);
}

/* The minimal configuration with one --set must be refused with this line. */
static inline void fixture_set_refused(const char *set, const char *expected_line)
{
    fixture_refused(FIXTURE_MINIMAL, FIXTURE_NONE, FIXTURE_LIST(set), expected_line);
}

static inline struct config *fixture_set(const char *set)
{
    return fixture_config(FIXTURE_MINIMAL, FIXTURE_NONE, FIXTURE_LIST(set));
}

#endif
