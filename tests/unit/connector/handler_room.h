/* What the handlers' tests share: a built-in handler with a null sink, two mapped tables and a
 * watcher that answers what a test scripts. */
#ifndef TESTS_UNIT_CONNECTOR_HANDLER_ROOM_H
#define TESTS_UNIT_CONNECTOR_HANDLER_ROOM_H

#include "unit/format/rows.h"
#include "unit/postgres/fake_sessions.h"

#include "base/text.h"
#include "connector/handler_builtin.h"

enum { ROOM_PATIENCE_TURNS = 20 * 1000 };

/* What the watcher does before a key is asked for: one look at a slot that is not there. */

struct room {
    struct fake_sessions fake;
    bool faked;
    struct handler_builtin_options with; /* may be changed before room_begin() */
    struct topic_route *route;
    struct status status;
    struct handler handler; /* the built-in one */
    struct arena arena;
    struct record_list list;
    struct txn txn;
    struct error err;
    int warnings;
    char warning[1024];
};

static inline void room_note(void *self, enum log_level level, const char *message,
                             const struct log_field *fields)
{
    struct room *room = self;
    if (level != LOG_WARN)
        return;
    room->warnings++;
    const char *table = fields->type == LOG_STRING ? fields->value.string : "";
    (void)snprintf(room->warning, sizeof(room->warning), "%s: %s", table, message);
}

static inline int room_setup(void **state)
{
    struct room *room = memory_alloc(sizeof(*room));
    status_init(&room->status);
    room->arena = arena_init(4096);
    room->list.arena = &room->arena;
    room->txn = (struct txn){ .xid = 77,
                              .final_lsn = { 0x16B374D848 },
                              .commit_time = server_time_from_unix_us(1700000000123456),
                              .ordinal = 5 };
    room->with = (struct handler_builtin_options){
        .encoder = encoder_find("flat"),
        .encoding = { .max_record_bytes = 1000 },
        .delivery = delivery_null_new(),
        .status = &room->status,
        .decides = true,
        .log = log_new(&(struct log_options){
            .level = LOG_INFO, .clock = clock_system(), .sink = room_note, .sink_self = room }),
    };
    *state = room;
    return 0;
}

/* key: columns of the primary key that the watcher's session is told, a line each; NULL = it never
 * has a session. */
static inline void room_begin(struct room *room, const char *key,
                              enum topic_route_unmapped unmapped)
{
    static const struct topic_route_pair pairs[] = { { "public.users", "users-topic" },
                                                     { "public.orders", "orders-topic" },
                                                     { "public.bad", "bad-topic" } };
    const struct topic_route_options options = {
        .pairs = pairs, .pair_count = COUNT_OF(pairs), .database = "d b", .unmapped = unmapped
    };
    struct watcher_options watcher = { .slot = "orders",
                                       .interval_ms = 60 * 1000,
                                       .clock = clock_system() };
    if (!topic_route_new(&options, &room->route, &room->err))
        fail_msg("%s", room->err.text);
    room->faked = key != NULL;
    if (key != NULL) {
        fake_sessions_begin(&room->fake, LOGIN_SERVED);
        atomic_store(&room->fake.key, key);
    }
    watcher.conn = fake_options(&room->fake.peer);
    if (key == NULL)
        watcher.conn.port = "1";
    room->with.watcher = watcher_start(&watcher);
    room->with.route = room->route;
    room->handler = handler_builtin_new(&room->with);
    uint32_t other; /* so that no topic of a table is number 0 */
    assert_true(delivery_topic(room->with.delivery, "other", &other, &room->err));
    for (int i = 0; room->faked && !watcher_connected(room->with.watcher); i++) {
        assert_true(i < ROOM_PATIENCE_TURNS);
        (void)poll(NULL, 0, 1);
    }
    watcher_acknowledge(room->with.watcher);
}

static inline int room_teardown(void **state)
{
    struct room *room = *state;
    if (room->handler.ops != NULL)
        room->handler.ops->free(room->handler.self);
    watcher_stop(room->with.watcher);
    if (room->faked)
        fake_sessions_end(&room->fake);
    topic_route_free(room->route);
    delivery_free(room->with.delivery);
    log_free(room->with.log);
    record_list_done(&room->list);
    arena_done(&room->arena);
    status_done(&room->status);
    memory_free(room);
    return 0;
}

static inline struct relation *room_table(uint32_t oid, const char *name,
                                          enum replica_identity identity)
{
    bool full = identity == REPLICA_IDENTITY_FULL;
    const struct column columns[] = { COLUMN("id", INT4, true), COLUMN("name", TEXT, full),
                                      COLUMN("note", TEXT, full) };
    if (identity != REPLICA_IDENTITY_NOTHING)
        return relation_new(oid, SLICE_TEXT("public"), slice_of(name), identity, columns, 3);
    const struct column none[] = { COLUMN("id", INT4, false), COLUMN("name", TEXT, false),
                                   COLUMN("note", TEXT, false) };
    return relation_new(oid, SLICE_TEXT("public"), slice_of(name), identity, none, 3);
}

/* One call of a handler for a row; the list is cleared before. */
static inline enum emit room_call(struct room *room, const struct handler *handler,
                                  struct change change, struct relation *relation)
{
    record_list_clear(&room->list);
    room->err = ERROR_INIT;
    change.relation = relation;
    return handler->ops->change(handler->self, &room->txn, &change, &room->list, &room->err);
}

/* Again and again, as the pipeline does, until the handler does not wait any more. */
static inline enum emit room_call_until(struct room *room, const struct handler *handler,
                                        struct change change, struct relation *relation)
{
    for (int i = 0; i < ROOM_PATIENCE_TURNS; i++) {
        enum emit emit = room_call(room, handler, change, relation);
        if (emit != EMIT_WAIT)
            return emit;
        assert_int_equal(room->list.count, 0);
        struct pollfd ready = { .fd = watcher_fd(room->with.watcher), .events = POLLIN };
        (void)poll(&ready, 1, 1);
        watcher_acknowledge(room->with.watcher);
    }
    fail_msg("it waits for ever");
    return EMIT_WAIT;
}

static inline void room_expect_slice(struct slice found, const char *expected)
{
    if (expected == NULL)
        assert_null(found.data);
    else if (found.data == NULL || !slice_is(found, expected))
        fail_msg("%.*s instead of %s", SLICE_ARGS(found), expected);
}

static inline void room_expect_record(const struct room *room, uint32_t at, const char *topic,
                                      const char *key, const char *value)
{
    assert_true(at < room->list.count);
    const struct record *record = &room->list.items[at];
    assert_string_equal(delivery_topic_name(room->with.delivery, record->topic), topic);
    assert_int_equal(record->partition, RECORD_PARTITION_ANY);
    room_expect_slice(record->key, key);
    room_expect_slice(record->value, value);
}

static inline void room_expect_error(const struct room *room, enum error_class class,
                                     const char *code, const char *text)
{
    fake_assert_error(&room->err, class, code, text, "");
}

#define ROOM_ROW       rows_insert(TUPLE(T("1"), T("a"), NULL_VALUE))
#define ROOM_ROW_VALUE "{\"id\":1,\"name\":\"a\",\"note\":null,\"operation\":\"INSERT\"}"

#define ROOM_TEST(name) cmocka_unit_test_setup_teardown(name, room_setup, room_teardown)

#endif
