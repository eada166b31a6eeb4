#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"

enum { LINE_LIMIT = 16 * 1024, FIELD_LIMIT = 4 * 1024 };

/* A log that writes into a file in memory, with the clock at 2026-01-02T03:04:05.678Z. */
struct scene {
    struct clock_manual manual;
    struct log *log;
    int fd;
    char *content; /* what read_log() found */
};

static struct log *make_log(struct scene *scene, int fd, enum log_format format)
{
    struct log_options options = {
        .fd = fd, .level = LOG_DEBUG, .format = format, .clock = clock_manual(&scene->manual)
    };
    return log_new(&options);
}

static void scene_open(struct scene *scene, enum log_format format)
{
    *scene = (struct scene){ .manual.wall_us = INT64_C(1767323045678901) };
    scene->fd = memfd_create("log", 0);
    assert_true(scene->fd >= 0);
    scene->log = make_log(scene, scene->fd, format);
}

static void scene_done(struct scene *scene)
{
    log_free(scene->log);
    close(scene->fd);
    memory_free(scene->content);
}

/* All that was written since the last call. */
static const char *read_log(struct scene *scene)
{
    memory_free(scene->content);
    size_t size = (size_t)lseek(scene->fd, 0, SEEK_END);
    scene->content = memory_alloc(size + 1);
    assert_int_equal(pread(scene->fd, scene->content, size, 0), size);
    assert_int_equal(ftruncate(scene->fd, 0), 0);
    lseek(scene->fd, 0, SEEK_SET);
    return scene->content;
}

/* The one JSON line that was written, parsed; strict about everything. */
static json_t *read_json(struct scene *scene)
{
    const char *line = read_log(scene);
    size_t size = strlen(line);
    assert_true(size > 0 && size <= LINE_LIMIT);
    assert_ptr_equal(strchr(line, '\n'), line + size - 1);
    json_error_t error;
    json_t *parsed = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    if (parsed == NULL)
        fail_msg("%s: %s", error.text, line);
    return parsed;
}

static const char *string_of(const json_t *parsed, const char *key)
{
    const char *value = json_string_value(json_object_get(parsed, key));
    assert_non_null(value);
    return value;
}

static void json_lines_have_a_fixed_head(void **state)
{
    (void)state;
    AUTO(struct scene, scene_done) scene;
    scene_open(&scene, LOG_JSON);
    log_info(scene.log, "slot created", LOG_STR("slot", "cdc"), LOG_INT("lag", -5),
             LOG_UINT("lsn", UINT64_MAX), LOG_BOOL("temporary", false), LOG_NUM("seconds", 0.25),
             LOG_STR("none", NULL));
    assert_string_equal(read_log(&scene),
                        "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"INFO\","
                        "\"msg\":\"slot created\",\"slot\":\"cdc\",\"lag\":-5,"
                        "\"lsn\":18446744073709551615,\"temporary\":false,\"seconds\":0.25,"
                        "\"none\":null}\n");
    errno = ERANGE;
    log_error(scene.log, "alone");
    assert_int_equal(errno, ERANGE);
    assert_string_equal(read_log(&scene), "{\"time\":\"2026-01-02T03:04:05.678Z\","
                                          "\"level\":\"ERROR\",\"msg\":\"alone\"}\n");
}

static void text_lines_quote_what_needs_it(void **state)
{
    (void)state;
    AUTO(struct scene, scene_done) scene;
    scene_open(&scene, LOG_TEXT);
    log_info(scene.log, "slot created", LOG_STR("slot", "cdc"), LOG_INT("n", 3),
             LOG_STR("words", "two words"), LOG_STR("empty", ""), LOG_STR("none", NULL),
             LOG_STR("equals", "a=b"), LOG_STR("quote", "say \"hi\""), LOG_STR("path", "a\\b"),
             LOG_STR("utf8", "\xc3\xa9"), LOG_STR("bad", "x\xff"), LOG_STR("tab", "a\tb"));
    assert_string_equal(read_log(&scene),
                        "2026-01-02T03:04:05.678Z INFO  slot created slot=cdc n=3 "
                        "words=\"two words\" empty=\"\" none=null equals=\"a=b\" "
                        "quote=\"say \\\"hi\\\"\" path=\"a\\\\b\" utf8=\xc3\xa9 "
                        "bad=\"x\\ufffd\" tab=\"a\\tb\"\n");
    log_warn(scene.log, "line one\nERROR forged");
    assert_string_equal(read_log(&scene),
                        "2026-01-02T03:04:05.678Z WARN  line one\\nERROR forged\n");
}

static void every_byte_survives_or_is_replaced(void **state)
{
    (void)state;
    AUTO(struct scene, scene_done) scene;
    scene_open(&scene, LOG_JSON);
    for (int byte = 1; byte < 256; byte++) {
        char value[] = { 'a', (char)byte, 'z', '\0' };
        log_info(scene.log, value, LOG_STR(value, value));
        json_t *parsed = read_json(&scene);
        const char *expected = byte < 0x80 ? value : "a\xef\xbf\xbdz";
        assert_string_equal(string_of(parsed, "msg"), expected);
        assert_string_equal(string_of(parsed, expected), expected);
        json_decref(parsed);
    }
}

static void whole_characters_pass(void **state)
{
    (void)state;
    AUTO(struct scene, scene_done) scene;
    scene_open(&scene, LOG_JSON);
    log_info(scene.log, "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x98", LOG_STR("cut", "a\xe2\x82"));
    json_t *parsed = read_json(&scene);
    assert_string_equal(string_of(parsed, "msg"), "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x98");
    assert_string_equal(string_of(parsed, "cut"), "a\xef\xbf\xbd\xef\xbf\xbd");
    json_decref(parsed);
}

static void control_characters_are_escaped(void **state)
{
    (void)state;
    AUTO(struct scene, scene_done) scene;
    scene_open(&scene, LOG_JSON);
    log_info(scene.log, "\x1b[31m\x7f\n\r\t\"\\");
    assert_non_null(strstr(read_log(&scene), "\"msg\":\"\\u001b[31m\\u007f\\n\\r\\t\\\"\\\\\"}"));
}

static void reals_without_a_json_form_are_null(void **state)
{
    (void)state;
    AUTO(struct scene, scene_done) scene;
    scene_open(&scene, LOG_JSON);
    log_info(scene.log, "m", LOG_NUM("nan", (double)NAN), LOG_NUM("inf", (double)INFINITY),
             LOG_NUM("big", 1e300));
    json_t *parsed = read_json(&scene);
    assert_true(json_is_null(json_object_get(parsed, "nan")));
    assert_true(json_is_null(json_object_get(parsed, "inf")));
    assert_true(json_real_value(json_object_get(parsed, "big")) > 9e299);
    json_decref(parsed);
}

static char *filled(const char *unit, size_t count)
{
    size_t size = strlen(unit);
    char *text = memory_alloc(count * size + 1);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * size, unit, size);
    return text;
}

static void a_long_field_is_cut(void **state)
{
    (void)state;
    static const char *const units[] = { "x", "\n", "\x01", "\xff", "\"", "\xf0\x9f\x90\x98" };
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        AUTO(struct scene, scene_done) scene;
        AUTO(char *, memory_free_p) value = filled(units[i], 10000);
        scene_open(&scene, LOG_JSON);
        log_info(scene.log, "message", LOG_STR("long", value), LOG_INT("after", 1));
        json_t *parsed = read_json(&scene);
        assert_true(strlen(scene.content) < FIELD_LIMIT + 200);
        assert_int_equal(json_integer_value(json_object_get(parsed, "after")), 1);
        json_decref(parsed);
    }
    AUTO(struct scene, scene_done) scene;
    AUTO(char *, memory_free_p) value = filled("x", 10000);
    scene_open(&scene, LOG_JSON);
    log_info(scene.log, value, LOG_STR("long", value), LOG_INT("after", 1));
    json_t *parsed = read_json(&scene);
    assert_int_equal(strlen(string_of(parsed, "msg")), FIELD_LIMIT);
    assert_int_equal(strlen(string_of(parsed, "long")), FIELD_LIMIT);
    assert_string_equal(string_of(parsed, "long") + FIELD_LIMIT - 4, "x...");
    assert_int_equal(json_integer_value(json_object_get(parsed, "after")), 1);
    json_decref(parsed);
}

static void a_long_line_leaves_fields_out_and_says_so(void **state)
{
    (void)state;
    AUTO(char *, memory_free_p) value = filled("x", 4000);
    for (int format = LOG_JSON; format <= LOG_TEXT; format++) {
        AUTO(struct scene, scene_done) scene;
        scene_open(&scene, (enum log_format)format);
        log_info(scene.log, value, LOG_STR("a", value), LOG_STR("b", value), LOG_STR("c", value),
                 LOG_STR("d", value), LOG_STR("small", "fits"));
        if (format == LOG_TEXT) {
            const char *line = read_log(&scene);
            assert_true(strlen(line) <= LINE_LIMIT);
            assert_non_null(strstr(line, " small=fits truncated=true\n"));
            continue;
        }
        json_t *parsed = read_json(&scene);
        assert_non_null(json_object_get(parsed, "c"));
        assert_null(json_object_get(parsed, "d"));
        assert_string_equal(string_of(parsed, "small"), "fits");
        assert_true(json_is_true(json_object_get(parsed, "truncated")));
        json_decref(parsed);
    }
}

static void lines_of_every_length_are_whole(void **state)
{
    (void)state;
    AUTO(struct scene, scene_done) scene;
    scene_open(&scene, LOG_JSON);
    AUTO(char *, memory_free_p) big = filled("x", 4000);
    /* Walks the last field over the line's limit, byte by byte. */
    for (size_t size = 0; size < 400; size++) {
        AUTO(char *, memory_free_p) value = filled("y", size);
        AUTO(char *, memory_free_p) rest = filled("z", 3900);
        log_info(scene.log, big, LOG_STR("a", big), LOG_STR("b", big), LOG_STR("c", rest),
                 LOG_STR("d", value));
        json_t *parsed = read_json(&scene);
        bool truncated = json_object_get(parsed, "truncated") != NULL;
        assert_int_equal(json_object_get(parsed, "d") == NULL, truncated);
        json_decref(parsed);
    }
}

static void the_level_is_a_threshold(void **state)
{
    (void)state;
    AUTO(struct scene, scene_done) scene;
    scene_open(&scene, LOG_TEXT);
    log_set_level(scene.log, LOG_WARN);
    assert_false(log_enabled(scene.log, LOG_INFO));
    assert_true(log_enabled(scene.log, LOG_WARN));
    log_debug(scene.log, "d");
    log_info(scene.log, "i");
    assert_string_equal(read_log(&scene), "");
    log_warn(scene.log, "w");
    log_error(scene.log, "e");
    assert_string_equal(read_log(&scene), "2026-01-02T03:04:05.678Z WARN  w\n"
                                          "2026-01-02T03:04:05.678Z ERROR e\n");
    log_set_level(scene.log, LOG_DEBUG);
    log_debug(scene.log, "d");
    assert_string_equal(read_log(&scene), "2026-01-02T03:04:05.678Z DEBUG d\n");
}

static void times_before_1970_and_far_ahead(void **state)
{
    (void)state;
    AUTO(struct scene, scene_done) scene;
    scene_open(&scene, LOG_TEXT);
    scene.manual.wall_us = -1;
    log_info(scene.log, "m");
    assert_string_equal(read_log(&scene), "1969-12-31T23:59:59.999Z INFO  m\n");
    scene.manual.wall_us = INT64_C(253402300799999000);
    log_info(scene.log, "m");
    assert_string_equal(read_log(&scene), "9999-12-31T23:59:59.999Z INFO  m\n");
}

static void failures_show_what_the_error_holds(void **state)
{
    (void)state;
    AUTO(struct scene, scene_done) scene;
    scene_open(&scene, LOG_JSON);
    struct error err = ERROR_INIT;
    error_set(&err, ERROR_HALT, "42704", "slot \"cdc\" does not exist");
    log_failure(scene.log, LOG_ERROR, "stopped", &err);
    json_t *parsed = read_json(&scene);
    assert_string_equal(string_of(parsed, "level"), "ERROR");
    assert_string_equal(string_of(parsed, "msg"), "stopped");
    assert_string_equal(string_of(parsed, "class"), "halt");
    assert_string_equal(string_of(parsed, "code"), "42704");
    assert_string_equal(string_of(parsed, "error"), "slot \"cdc\" does not exist");
    assert_null(json_object_get(parsed, "advice"));
    json_decref(parsed);
    error_advise(&err, "Create it.");
    log_failure(scene.log, LOG_WARN, "stopped", &err);
    parsed = read_json(&scene);
    assert_string_equal(string_of(parsed, "advice"), "Create it.");
    json_decref(parsed);
}

struct heard {
    enum log_level level;
    char message[32];
    char key[32];
    int count;
};

static void hear(void *self, enum log_level level, const char *message,
                 const struct log_field *fields)
{
    struct heard *heard = self;
    heard->level = level;
    heard->count++;
    snprintf(heard->message, sizeof(heard->message), "%s", message);
    for (; fields->type != LOG_END; fields++)
        snprintf(heard->key, sizeof(heard->key), "%s", fields->key);
}

static void a_sink_gets_the_events_instead(void **state)
{
    (void)state;
    struct heard heard = { 0 };
    struct log_options options = {
        .fd = -1, .level = LOG_INFO, .clock = clock_system(), .sink = hear, .sink_self = &heard
    };
    struct log *log = log_new(&options);
    log_debug(log, "below the level");
    assert_int_equal(heard.count, 0);
    log_warn(log, "slow", LOG_INT("first", 1), LOG_INT("last", 2));
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.level, LOG_WARN);
    assert_string_equal(heard.message, "slow");
    assert_string_equal(heard.key, "last");
    assert_int_equal(log_dropped_count(log), 0);
    log_free(log);
}

/* Nobody reads the pipe: the lines are dropped, and no call waits, though the pipe would block. */
static void a_full_pipe_drops_and_never_blocks(void **state)
{
    (void)state;
    static const size_t sizes[] = { 10, 3000, 4050, 12000 };
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        struct scene scene = { 0 };
        struct log *log = make_log(&scene, ends[1], LOG_JSON);
        AUTO(char *, memory_free_p) value = filled("x", sizes[i] < 4000 ? sizes[i] : 4000);
        uint64_t written = 0;
        while (log_dropped_count(log) < 5) {
            uint64_t before = log_dropped_count(log);
            if (sizes[i] > 10000)
                log_info(log, value, LOG_STR("a", value), LOG_STR("b", value));
            else
                log_info(log, value);
            written += log_dropped_count(log) == before;
        }
        assert_true(written >= 2);
        /* What was written is whole lines. */
        close(ends[1]);
        FILE *reader = fdopen(ends[0], "r");
        char *line = NULL;
        size_t room = 0;
        uint64_t lines = 0;
        for (ssize_t size; (size = getline(&line, &room, reader)) > 0; lines++)
            assert_string_equal(line + size - 2, "}\n");
        assert_true(lines == written);
        free(line);
        fclose(reader);
        log_free(log);
    }
}

/* The lines of a pipe, as text; each call takes what is there. */
static struct buf drain_pipe(int fd)
{
    struct buf all = buf_init(1024 * 1024);
    char part[4096];
    for (ssize_t size; (size = read(fd, part, sizeof(part))) > 0;)
        buf_append(&all, part, (size_t)size);
    return all;
}

static void what_was_dropped_is_told_when_lines_are_taken_again(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    struct scene scene = { .manual.wall_us = INT64_C(1767323045678901) };
    struct log *log = make_log(&scene, ends[1], LOG_TEXT);
    while (log_dropped_count(log) < 5)
        log_info(log, "to nobody");
    AUTO(struct buf, buf_done) before = drain_pipe(ends[0]);
    assert_null(strstr(buf_text(&before), "WARN"));

    log_info(log, "first");
    log_info(log, "second");
    AUTO(struct buf, buf_done) after = drain_pipe(ends[0]);
    assert_string_equal(buf_text(&after),
                        "2026-01-02T03:04:05.678Z WARN  log lines could not be written dropped=5 "
                        "dropped_total=5\n"
                        "2026-01-02T03:04:05.678Z INFO  first\n"
                        "2026-01-02T03:04:05.678Z INFO  second\n");
    assert_int_equal(log_dropped_count(log), 5);

    while (log_dropped_count(log) < 7)
        log_info(log, "to nobody");
    AUTO(struct buf, buf_done) again = drain_pipe(ends[0]);
    assert_null(strstr(buf_text(&again), "WARN"));
    log_info(log, "third");
    AUTO(struct buf, buf_done) last = drain_pipe(ends[0]);
    assert_non_null(strstr(buf_text(&last), "dropped=2 dropped_total=7\n"));
    log_free(log);
    close(ends[0]);
    close(ends[1]);
}

/* A disk with no room for the rest of a line, then with some again. */
static void a_line_that_was_cut_ends_before_the_next_one(void **state)
{
    (void)state;
    AUTO(struct scene, scene_done) scene;
    scene_open(&scene, LOG_TEXT);
    log_info(scene.log, "whole");
    off_t whole = lseek(scene.fd, 0, SEEK_CUR);
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = (rlim_t)whole + 10;
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    log_info(scene.log, "cut");
    log_info(scene.log, "no room at all");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(log_dropped_count(scene.log), 2);

    log_info(scene.log, "next");
    assert_string_equal(read_log(&scene),
                        "2026-01-02T03:04:05.678Z INFO  whole\n"
                        "2026-01-02\n"
                        "2026-01-02T03:04:05.678Z WARN  log lines could not be written dropped=2 "
                        "dropped_total=2\n"
                        "2026-01-02T03:04:05.678Z INFO  next\n");
}

static void broken_descriptors_drop_without_a_signal(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    struct scene scene = { 0 };
    struct log *log = make_log(&scene, ends[1], LOG_JSON);
    errno = ERANGE;
    log_info(log, "to nobody");
    assert_int_equal(errno, ERANGE);
    assert_int_equal(log_dropped_count(log), 1);
    log_free(log);
    close(ends[1]);
    log = make_log(&scene, -1, LOG_JSON);
    log_info(log, "to nowhere");
    assert_int_equal(log_dropped_count(log), 1);
    log_free(log);
}

enum { THREADS = 4, LINES = 500 };

static void *write_lines(void *self)
{
    AUTO(char *, memory_free_p) value = filled("x", 300);
    for (int i = 0; i < LINES; i++)
        log_info(self, "line", LOG_INT("i", i), LOG_STR("value", value));
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
    (void)state;
    AUTO(struct scene, scene_done) scene;
    scene_open(&scene, LOG_JSON);
    assert_int_equal(fcntl(scene.fd, F_SETFL, O_APPEND), 0);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, scene.log), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    const char *at = read_log(&scene);
    int lines = 0;
    for (; *at != '\0'; lines++) {
        json_t *parsed = json_loads(at, JSON_DISABLE_EOF_CHECK, NULL);
        assert_int_equal(strlen(string_of(parsed, "value")), 300);
        json_decref(parsed);
        at = strchr(at, '\n') + 1;
    }
    assert_int_equal(lines, THREADS * LINES);
    assert_int_equal(log_dropped_count(scene.log), 0);
}

static void levels_are_parsed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum log_level level;
    } rows[] = { { "debug", LOG_DEBUG },  { "INFO", LOG_INFO },    { "Warn", LOG_WARN },
                 { "warning", LOG_WARN }, { "WARNING", LOG_WARN }, { "error", LOG_ERROR } };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum log_level level = LOG_DEBUG;
        assert_true(log_level_parse(rows[i].text, &level));
        assert_int_equal(level, rows[i].level);
    }
    enum log_level level = LOG_WARN;
    assert_false(log_level_parse("", &level));
    assert_false(log_level_parse("fatal", &level));
    assert_false(log_level_parse("info ", &level));
    assert_int_equal(level, LOG_WARN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_lines_have_a_fixed_head),
        cmocka_unit_test(text_lines_quote_what_needs_it),
        cmocka_unit_test(every_byte_survives_or_is_replaced),
        cmocka_unit_test(whole_characters_pass),
        cmocka_unit_test(control_characters_are_escaped),
        cmocka_unit_test(reals_without_a_json_form_are_null),
        cmocka_unit_test(a_long_field_is_cut),
        cmocka_unit_test(a_long_line_leaves_fields_out_and_says_so),
        cmocka_unit_test(lines_of_every_length_are_whole),
        cmocka_unit_test(the_level_is_a_threshold),
        cmocka_unit_test(times_before_1970_and_far_ahead),
        cmocka_unit_test(failures_show_what_the_error_holds),
        cmocka_unit_test(a_sink_gets_the_events_instead),
        cmocka_unit_test(a_full_pipe_drops_and_never_blocks),
        cmocka_unit_test(what_was_dropped_is_told_when_lines_are_taken_again),
        cmocka_unit_test(a_line_that_was_cut_ends_before_the_next_one),
        cmocka_unit_test(broken_descriptors_drop_without_a_signal),
        cmocka_unit_test(lines_of_threads_do_not_mix),
        cmocka_unit_test(levels_are_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
