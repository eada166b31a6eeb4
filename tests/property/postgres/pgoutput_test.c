/* What real servers sent: tests/data/pgoutput-<major>.txt, made by pgoutput.sql. Each recording
 * must come out as its expected text, and no damage to a message may do worse than an error.
 *
 * PQCDC_WRITE_EXPECTED=1 writes the expected texts anew, to be read and compared by a person. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/text.h"
#include "postgres/pgoutput.h"

enum { FILE_MAX = 1 << 22, ARENA_KEEP = 64 * 1024 };

/* A recording: messages in order; one of size 0 begins another stream. */
struct recording {
    struct arena arena;
    struct slice *messages;
    uint32_t count;
    struct slice *titles; /* of the message of size 0, without "# " */
};

/* A change as text, without what differs from run to run. */

static void write_bytes(struct buf *out, struct slice bytes)
{
    enum { SHOWN_MAX = 40 };
    bool readable = text_is_utf8(bytes);
    for (size_t i = 0; i < bytes.size && i < SHOWN_MAX; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];
        if (byte < ' ' || byte == 0x7F || byte == '\\' || (byte > 0x7F && !readable))
            buf_append_format(out, "\\x%02x", byte);
        else
            buf_append_byte(out, (char)byte);
    }
    if (bytes.size > SHOWN_MAX)
        buf_append_format(out, "... %zu bytes, %016" PRIx64, bytes.size, map_hash(bytes));
}

static void write_name(struct buf *out, struct slice schema, struct slice name)
{
    buf_append_format(out, " %.*s.%.*s", SLICE_ARGS(schema), SLICE_ARGS(name));
}

static void write_relation(struct buf *out, const struct relation *relation)
{
    enum { FIRST_USER_OID = 16384 };
    write_name(out, relation->schema, relation->name);
    buf_append_format(out, " %s:", relation_identity_name(relation->identity));
    for (uint16_t i = 0; i < relation->column_count; i++) {
        const struct column *column = &relation->columns[i];
        buf_append_format(out, " %.*s%s", SLICE_ARGS(column->name), column->identity ? "*" : "");
        if (column->type_oid < FIRST_USER_OID)
            buf_append_format(out, "(%" PRIu32 ",%" PRId32 ")", column->type_oid,
                              column->type_modifier);
        else
            buf_append_format(out, "(user,%" PRId32 ")", column->type_modifier);
    }
}

static void write_tuple(struct buf *out, const char *title, const struct relation *relation,
                        struct tuple tuple)
{
    buf_append_format(out, " %s", title);
    for (uint16_t i = 0; i < tuple.count; i++) {
        const struct value *value = &tuple.values[i];
        buf_append_format(out, " %.*s", SLICE_ARGS(relation->columns[i].name));
        if (value->kind == VALUE_NULL || value->kind == VALUE_UNCHANGED) {
            buf_append_text(out, value->kind == VALUE_NULL ? "=null" : "=unchanged");
            continue;
        }
        buf_append_text(out, value->kind == VALUE_TEXT ? "='" : "=binary'");
        write_bytes(out, value->bytes);
        buf_append_byte(out, '\'');
    }
}

static void write_row(struct buf *out, const struct change *change)
{
    write_name(out, change->relation->schema, change->relation->name);
    if (change->as.row.old_kind != OLD_NONE)
        write_tuple(out, change->as.row.old_kind == OLD_KEY ? "key:" : "before:", change->relation,
                    change->as.row.old);
    if (change->kind != CHANGE_DELETE)
        write_tuple(out, "row:", change->relation, change->as.row.new);
}

static void write_truncate(struct buf *out, const struct change *change)
{
    for (uint32_t i = 0; i < change->as.truncate.count; i++)
        write_name(out, change->as.truncate.relations[i]->schema,
                   change->as.truncate.relations[i]->name);
    buf_append_text(out, change->as.truncate.cascade ? " cascade" : "");
    buf_append_text(out, change->as.truncate.restart_identity ? " restart" : "");
}

/* Begin and Commit of a recording fit together and go forwards. */
struct recording_position {
    lsn_t final_lsn, last_end;
    server_time_t commit_time;
};

static void check_position(struct recording_position *position, const struct change *change)
{
    if (change->kind == CHANGE_BEGIN) {
        assert_true(change->as.begin.xid > 0);
        assert_true(lsn_compare(change->as.begin.final_lsn, position->last_end) >= 0);
        position->final_lsn = change->as.begin.final_lsn;
        position->commit_time = change->as.begin.commit_time;
    } else if (change->kind == CHANGE_COMMIT) {
        assert_int_equal(change->as.commit.commit_lsn.value, position->final_lsn.value);
        assert_int_equal(change->as.commit.commit_time.value, position->commit_time.value);
        assert_true(lsn_compare(change->as.commit.end_lsn, change->as.commit.commit_lsn) > 0);
        position->last_end = change->as.commit.end_lsn;
    }
}

static void write_change(struct buf *out, const struct change *change)
{
    buf_append_text(out, change_kind_name(change->kind));
    switch (change->kind) {
    case CHANGE_RELATION:
        write_relation(out, change->relation);
        break;
    case CHANGE_INSERT:
    case CHANGE_UPDATE:
    case CHANGE_DELETE:
        write_row(out, change);
        break;
    case CHANGE_TRUNCATE:
        write_truncate(out, change);
        break;
    case CHANGE_ORIGIN:
        buf_append_format(out, " %s ", lsn_text(change->as.origin.lsn).text);
        write_bytes(out, change->as.origin.name);
        break;
    case CHANGE_TYPE:
        write_name(out, change->as.type.schema, change->as.type.name);
        break;
    case CHANGE_MESSAGE:
        buf_append_text(out, change->as.message.transactional ? " transactional '" : " '");
        write_bytes(out, change->as.message.prefix);
        buf_append_text(out, "' '");
        write_bytes(out, change->as.message.content);
        buf_append_byte(out, '\'');
        break;
    case CHANGE_BEGIN:
    case CHANGE_COMMIT:
    case CHANGE_KIND_COUNT:
        break;
    }
    buf_append_byte(out, '\n');
}

/* The files. */

static void read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char block[4096];
    for (size_t size; (size = fread(block, 1, sizeof block, file)) > 0;)
        buf_append(out, block, size);
    assert_int_equal(ferror(file), 0);
    (void)fclose(file);
    assert_false(out->failed);
}

/* Cuts the first line off. */
static bool next_line(struct slice *text, struct slice *out_line)
{
    if (text->size == 0)
        return false;
    const char *end = memchr(text->data, '\n', text->size);
    size_t size = end != NULL ? (size_t)(end - text->data) : text->size;
    *out_line = (struct slice){ text->data, size };
    size_t used = end != NULL ? size + 1 : size;
    *text = (struct slice){ text->data + used, text->size - used };
    return true;
}

static struct slice from_hex(struct arena *arena, struct slice hex)
{
    char *bytes = arena_alloc(arena, hex.size / 2);
    for (size_t i = 0; i < hex.size / 2; i++) {
        const char digits[] = { hex.data[2 * i], hex.data[2 * i + 1], '\0' };
        char *end = NULL;
        bytes[i] = (char)strtoul(digits, &end, 16);
        assert_true(end == digits + 2);
    }
    return (struct slice){ bytes, hex.size / 2 };
}

static struct recording recording_read(const char *path)
{
    enum { MESSAGES_MAX = 10000 };
    struct recording recording = { .arena = arena_init(0) };
    recording.messages = arena_array(&recording.arena, MESSAGES_MAX, sizeof(struct slice));
    recording.titles = arena_array(&recording.arena, MESSAGES_MAX, sizeof(struct slice));
    AUTO(struct buf, buf_done) text = buf_init(FILE_MAX);
    read_file(path, &text);
    struct slice rest = buf_slice(&text);
    for (struct slice line; next_line(&rest, &line); recording.count++) {
        assert_true(recording.count < MESSAGES_MAX && line.size >= 2);
        struct slice *message = &recording.messages[recording.count];
        *message = line.data[0] == '#' ? (struct slice){ "", 0 } : from_hex(&recording.arena, line);
        recording.titles[recording.count] = arena_copy(&recording.arena, line);
    }
    return recording;
}

static void recording_done(struct recording *recording)
{
    arena_done(&recording->arena);
}

static void path_of(char *out, size_t out_size, const char *major, const char *suffix)
{
    int size = snprintf(out, out_size, "%s/pgoutput-%s%s", TEST_DATA, major, suffix);
    assert_true(size > 0 && (size_t)size < out_size);
}

/* The tests. */

static const char *const majors[] = { "14", "18" };

static void decode_recording(const struct recording *recording, struct buf *out)
{
    AUTO(struct pgoutput *, pgoutput_free_p) decoder = pgoutput_new();
    AUTO(struct arena, arena_done) arena = arena_init(ARENA_KEEP);
    struct recording_position position = { .last_end = LSN_NONE };
    for (uint32_t i = 0; i < recording->count; i++) {
        if (recording->messages[i].size == 0) {
            pgoutput_reset(decoder);
            position = (struct recording_position){ .last_end = LSN_NONE };
            buf_append_format(out, "%.*s\n", SLICE_ARGS(recording->titles[i]));
            continue;
        }
        struct change change;
        struct error err = ERROR_INIT;
        arena_reset(&arena);
        if (!pgoutput_decode(decoder, recording->messages[i], &arena, &change, &err))
            fail_msg("line %u: %s", i + 1, err.text);
        check_position(&position, &change);
        write_change(out, &change);
    }
    assert_false(out->failed);
}

static void assert_same_lines(const char *major, struct slice is, struct slice expected)
{
    struct slice is_line = { "", 0 };
    struct slice expected_line = { "", 0 };
    for (uint32_t line = 1;; line++) {
        bool is_more = next_line(&is, &is_line);
        bool expected_more = next_line(&expected, &expected_line);
        if (!is_more && !expected_more)
            return;
        if (is_more != expected_more || !slice_equal(is_line, expected_line))
            fail_msg("PostgreSQL %s, line %u:\n is       %.*s\n expected %.*s", major, line,
                     SLICE_ARGS(is_more ? is_line : SLICE_TEXT("(end)")),
                     SLICE_ARGS(expected_more ? expected_line : SLICE_TEXT("(end)")));
    }
}

static void write_file(const char *path, struct slice text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text.data, 1, text.size, file), text.size);
    assert_int_equal(fclose(file), 0);
}

static void test_recordings_decode_to_their_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(majors); i++) {
        char path[512];
        path_of(path, sizeof path, majors[i], ".txt");
        AUTO(struct recording, recording_done) recording = recording_read(path);
        AUTO(struct buf, buf_done) text = buf_init(FILE_MAX);
        decode_recording(&recording, &text);
        path_of(path, sizeof path, majors[i], ".expected.txt");
        if (getenv("PQCDC_WRITE_EXPECTED") != NULL)
            write_file(path, buf_slice(&text));
        AUTO(struct buf, buf_done) expected = buf_init(FILE_MAX);
        read_file(path, &expected);
        assert_same_lines(majors[i], buf_slice(&text), buf_slice(&expected));
    }
}

/* Reads every byte that the decoder handed out, so that a sanitizer sees one that is not there. */
static uint64_t touch_tuple(struct tuple tuple)
{
    uint64_t sum = 0;
    for (uint16_t i = 0; i < tuple.count; i++)
        if (tuple.values[i].kind == VALUE_TEXT || tuple.values[i].kind == VALUE_BINARY)
            sum += map_hash(tuple.values[i].bytes);
    return sum;
}

/* The message in a block of its own size. True: it was decoded all the same. */
static bool decode_damaged(struct pgoutput *decoder, struct arena *arena, struct slice message)
{
    arena_reset(arena);
    char *exact = memory_alloc(message.size > 0 ? message.size : 1);
    memcpy(exact, message.data, message.size);
    struct change change;
    struct error err = ERROR_INIT;
    bool ok = pgoutput_decode(decoder, (struct slice){ exact, message.size }, arena, &change, &err);
    if (!ok) {
        assert_int_equal(err.class, ERROR_HALT);
        assert_string_equal(err.code, "undecodable");
    } else if (change.kind == CHANGE_INSERT || change.kind == CHANGE_UPDATE ||
               change.kind == CHANGE_DELETE) {
        assert_true(touch_tuple(change.as.row.old) + touch_tuple(change.as.row.new) != 1);
    }
    memory_free(exact);
    return ok;
}

static void cut_everywhere(struct pgoutput *decoder, struct arena *arena, struct slice message)
{
    for (size_t size = 0; size < message.size; size++)
        assert_false(decode_damaged(decoder, arena, (struct slice){ message.data, size }));
}

/* Each of the first bytes of a message gets other values. */
static uint32_t flip_bytes(struct pgoutput *decoder, struct arena *arena, struct slice message)
{
    enum { DAMAGED_BYTES_MAX = 64 };
    static const unsigned char masks[] = { 0x01, 0x04, 0x20, 0x80, 0xFF };
    char copy[4096];
    if (message.size > sizeof copy)
        return 0;
    uint32_t refused = 0;
    for (size_t at = 0; at < message.size && at < DAMAGED_BYTES_MAX; at++) {
        for (size_t i = 0; i < COUNT_OF(masks); i++) {
            memcpy(copy, message.data, message.size);
            copy[at] = (char)((unsigned char)copy[at] ^ masks[i]);
            refused += !decode_damaged(decoder, arena, (struct slice){ copy, message.size });
        }
    }
    return refused;
}

static void test_damaged_recordings_fail_cleanly(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(majors); i++) {
        char path[512];
        path_of(path, sizeof path, majors[i], ".txt");
        AUTO(struct recording, recording_done) recording = recording_read(path);
        AUTO(struct pgoutput *, pgoutput_free_p) decoder = pgoutput_new();
        AUTO(struct arena, arena_done) arena = arena_init(ARENA_KEEP);
        uint32_t refused = 0;
        for (uint32_t n = 0; n < recording.count; n++) {
            struct slice message = recording.messages[n];
            cut_everywhere(decoder, &arena, message);
            refused += flip_bytes(decoder, &arena, message);
            if (message.size > 0 && message.data[0] == 'R')
                assert_true(decode_damaged(decoder, &arena, message));
        }
        print_message("PostgreSQL %s: %u messages, %u damaged ones refused\n", majors[i],
                      recording.count, refused);
        assert_true(refused > recording.count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recordings_decode_to_their_text),
        cmocka_unit_test(test_damaged_recordings_fail_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
