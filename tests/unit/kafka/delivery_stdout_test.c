#include "unit/kafka/kafka_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <jansson.h>

/* A file in memory to write to. */
static int memory_file(void)
{
    int fd = memfd_create("lines", 0);
    assert_true(fd >= 0);
    return fd;
}

static char *content_of(int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    char *text = memory_alloc((size_t)size + 1);
    assert_int_equal(pread(fd, text, (size_t)size, 0), size);
    return text;
}

static void a_record_is_one_line_of_json(void **state)
{
    (void)state;
    int fd = memory_file();
    struct delivery *delivery = delivery_stdout_new(fd);
    uint32_t topic = fixture_topic(delivery, "shop.orders");
    const struct header headers[] = { { "pos", SLICE_TEXT("0/1") }, { "none", SLICE_NULL } };
    struct record record = fixture_record(topic, "1", "{\"id\":1,\"name\":\"\xc3\xbc\\n\"}");
    record.headers = headers;
    record.header_count = 2;
    fixture_send(delivery, &record, 1);
    struct record tombstone = fixture_record(topic, NULL, NULL);
    tombstone.partition = 3;
    fixture_send(delivery, &tombstone, 2);
    struct record bytes = fixture_record(topic, "", NULL);
    bytes.value = (struct slice){ "\x00\x1f\"\\\xff\xc3z\t", 8 };
    fixture_send(delivery, &bytes, 3);
    fixture_expect_acks(delivery, 3);
    char *text = content_of(fd);
    assert_string_equal(
        text, "{\"topic\":\"shop.orders\",\"key\":\"1\","
              "\"value\":\"{\\\"id\\\":1,\\\"name\\\":\\\"\xc3\xbc\\\\n\\\"}\","
              "\"headers\":{\"pos\":\"0/1\",\"none\":null}}\n"
              "{\"topic\":\"shop.orders\",\"partition\":3,\"key\":null,\"value\":null,"
              "\"headers\":{}}\n"
              "{\"topic\":\"shop.orders\",\"key\":\"\","
              "\"value\":\"\\u0000\\u001f\\\"\\\\\\ufffd\\ufffdz\\u0009\",\"headers\":{}}\n");
    /* Another parser reads it back. */
    json_error_t error;
    json_t *line = json_loads(text, JSON_DISABLE_EOF_CHECK, &error);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "value")),
                        "{\"id\":1,\"name\":\"\xc3\xbc\\n\"}");
    json_decref(line);
    memory_free(text);
    delivery_free(delivery);
    assert_true(fcntl(fd, F_GETFD) >= 0); /* not ours to close */
    close(fd);
}

static void nothing_is_acknowledged_before_it_is_written(void **state)
{
    (void)state;
    int fd = memory_file();
    struct delivery *delivery = delivery_stdout_new(fd);
    uint32_t topic = fixture_topic(delivery, "orders");
    for (uint64_t i = 0; i < 3; i++)
        fixture_send_text(delivery, topic, "k", "v", i);
    assert_int_equal(fixture_in_flight_records(delivery), 3);
    assert_int_equal(lseek(fd, 0, SEEK_END), 0);
    struct delivery_event event;
    assert_true(delivery_next(delivery, &event));
    assert_int_equal(event.kind, DELIVERY_ACKED);
    assert_int_equal(fixture_in_flight_records(delivery), 0);
    assert_int_equal(fixture_in_flight_bytes(delivery), 0);
    assert_int_equal(lseek(fd, 0, SEEK_END),
                     3 * (int)strlen("{\"topic\":\"orders\",\"key\":\"k\",\"value\":\"v\","
                                     "\"headers\":{}}\n"));
    fixture_expect_acks(delivery, 2);
    assert_int_equal(atomic_load(&delivery_stats(delivery)->records_acked), 3);
    assert_true(delivery_quiet(delivery));
    delivery_free(delivery);
    close(fd);
}

struct slow_reader {
    int fd;
    size_t lines;
    char last_line[256];
};

static void *read_slowly(void *opaque)
{
    struct slow_reader *reader = opaque;
    FILE *stream = fdopen(reader->fd, "r");
    char line[256];
    while (fgets(line, sizeof line, stream) != NULL) {
        reader->lines++;
        snprintf(reader->last_line, sizeof reader->last_line, "%s", line);
        if (reader->lines % 1000 == 0)
            usleep(1000);
    }
    fclose(stream);
    return NULL;
}

static bool is_readable(const struct delivery *delivery)
{
    struct pollfd ready = { .fd = delivery_fd(delivery), .events = POLLIN };
    return poll(&ready, 1, 0) == 1;
}

/* Neither sending nor looking for events waits for it; it is told of once it reads again. */
static void a_reader_that_stands_still_makes_nobody_wait(void **state)
{
    (void)state;
    int pipe_fds[2];
    char taken[4096];
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0); /* a write to it may block */
    struct delivery *delivery = delivery_stdout_new(pipe_fds[1]);
    uint32_t topic = fixture_topic(delivery, "orders");
    struct record record = fixture_record(topic, "key", "a value of some length, so that it fills");
    struct delivery_event event;
    uint64_t sent = 0;
    while (delivery_send(delivery, &record, (ticket_t){ 1 }, NULL) == DELIVERY_OK)
        sent++;
    assert_true(sent > 1000);
    assert_false(delivery_next(delivery, &event));
    assert_false(delivery_idle(delivery));
    for (int i = 0; i < 2; i++) /* what woke us is read by then */
        (void)delivery_next(delivery, &event);
    assert_false(is_readable(delivery));
    assert_int_equal(read(pipe_fds[0], taken, sizeof(taken)), sizeof(taken));
    assert_true(is_readable(delivery));
    uint64_t acked = 0;
    assert_int_equal(fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK), 0);
    while (acked < sent) {
        while (read(pipe_fds[0], taken, sizeof(taken)) > 0)
            ;
        while (delivery_next(delivery, &event))
            acked += event.kind == DELIVERY_ACKED;
    }
    assert_true(delivery_idle(delivery));
    delivery_free(delivery);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void a_slow_reader_of_a_pipe_gets_every_line(void **state)
{
    (void)state;
    enum { RECORDS = 20000 };
    int pipe_fds[2];
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    assert_int_equal(fcntl(pipe_fds[1], F_SETFL, O_NONBLOCK), 0); /* short writes, EAGAIN */
    struct slow_reader reader = { .fd = pipe_fds[0] };
    pthread_t thread;
    pthread_create(&thread, NULL, read_slowly, &reader);
    struct delivery *delivery = delivery_stdout_new(pipe_fds[1]);
    uint32_t topic = fixture_topic(delivery, "orders");
    char value[32];
    for (uint64_t i = 0; i < RECORDS; i++) {
        snprintf(value, sizeof value, "%" PRIu64, i);
        fixture_send_text(delivery, topic, "key", value, 1);
    }
    fixture_expect_acks(delivery, RECORDS);
    delivery_free(delivery);
    close(pipe_fds[1]);
    pthread_join(thread, NULL);
    assert_int_equal(reader.lines, RECORDS);
    assert_non_null(strstr(reader.last_line, "\"value\":\"19999\""));
}

static void a_reader_that_ended_is_a_loss_told_once(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    close(pipe_fds[0]);
    struct delivery *delivery = delivery_stdout_new(pipe_fds[1]);
    uint32_t topic = fixture_topic(delivery, "orders");
    fixture_send_text(delivery, topic, "k", "v", 1);
    struct error err = ERROR_INIT;
    fixture_expect(delivery, DELIVERY_LOST, &err);
    assert_int_equal(err.class, ERROR_HALT);
    assert_string_equal(err.code, "sink_failed");
    assert_non_null(strstr(err.text, "Broken pipe"));
    struct delivery_event event;
    assert_false(delivery_next(delivery, &event)); /* and nothing was acknowledged */
    struct record record = fixture_record(topic, "k", "v");
    assert_int_equal(delivery_send(delivery, &record, (ticket_t){ 2 }, &err), DELIVERY_FAILED);
    assert_int_equal(err.class, ERROR_RECONNECT);
    assert_int_equal(atomic_load(&delivery_stats(delivery)->records_acked), 0);
    delivery_abandon(delivery);
    assert_true(delivery_rebuild(delivery, &err));
    fixture_send(delivery, &record, 3);
    fixture_expect(delivery, DELIVERY_LOST, NULL);
    delivery_free(delivery);
    close(pipe_fds[1]);
}

static void a_full_disk_is_a_loss_too(void **state)
{
    (void)state;
    int fd = open("/dev/full", O_WRONLY);
    assert_true(fd >= 0);
    struct delivery *delivery = delivery_stdout_new(fd);
    fixture_send_text(delivery, fixture_topic(delivery, "orders"), "k", "v", 1);
    struct error err = ERROR_INIT;
    fixture_expect(delivery, DELIVERY_LOST, &err);
    assert_non_null(strstr(err.text, "No space left"));
    assert_int_equal(err.class, ERROR_HALT);
    delivery_free(delivery);
    close(fd);
}

static void a_cut_comes_when_all_is_written(void **state)
{
    (void)state;
    int fd = memory_file();
    struct delivery *delivery = delivery_stdout_new(fd);
    uint32_t topic = fixture_topic(delivery, "orders");
    struct record record = fixture_record(topic, "k", "v");
    struct error err = ERROR_INIT;
    fixture_send(delivery, &record, 1);
    delivery_cut(delivery, 4, SLICE_NULL);
    assert_int_equal(delivery_send(delivery, &record, (ticket_t){ 2 }, &err), DELIVERY_FULL);
    fixture_expect_acks(delivery, 1);
    assert_int_equal(fixture_expect(delivery, DELIVERY_CUT, NULL).cut, 4);
    fixture_send(delivery, &record, 2);
    delivery_abandon(delivery);
    struct delivery_event event;
    assert_false(delivery_next(delivery, &event));
    assert_int_equal(delivery_send(delivery, &record, (ticket_t){ 2 }, &err), DELIVERY_FAILED);
    assert_true(delivery_rebuild(delivery, &err));
    fixture_send(delivery, &record, 3);
    assert_int_equal(fixture_expect(delivery, DELIVERY_ACKED, NULL).ticket.value, 3);
    delivery_free(delivery);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_one_line_of_json),
        cmocka_unit_test(nothing_is_acknowledged_before_it_is_written),
        cmocka_unit_test(a_reader_that_stands_still_makes_nobody_wait),
        cmocka_unit_test(a_slow_reader_of_a_pipe_gets_every_line),
        cmocka_unit_test(a_reader_that_ended_is_a_loss_told_once),
        cmocka_unit_test(a_full_disk_is_a_loss_too),
        cmocka_unit_test(a_cut_comes_when_all_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
