#include "unit/kafka/login_broker.h"

static void write_file(const char *path, const char *content)
{
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    fputs(content, stream);
    fclose(stream);
}

static void wait_for(struct delivery *delivery, const _Atomic int *count)
{
    mono_ms_t start = fixture_now();
    struct delivery_event event;
    while (atomic_load(count) == 0) {
        if (fixture_expired(start))
            fail_msg("it did not come so far");
        while (delivery_next(delivery, &event))
            assert_int_equal(event.kind, DELIVERY_NOTE);
        fixture_wait_fd(delivery);
    }
}

/* The producer stays; whoever changes the password at the broker changes the file as well. */
static void a_password_that_was_changed_is_read_again(void **state)
{
    (void)state;
    char path[] = "/tmp/pqcdc-login-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    write_file(path, "before");
    struct login_broker broker;
    login_broker_start(&broker, "after");
    const struct producer_property properties[] = { { "security.protocol", "sasl_plaintext" },
                                                    { "sasl.mechanism", "PLAIN" },
                                                    { "sasl.username", "me" },
                                                    { "reconnect.backoff.ms", "10" } };
    const struct producer_property file = { "sasl.password", path };
    struct producer_options options = fixture_options(NULL);
    options.brokers = broker.address;
    options.required_acks = 1; /* it knows nothing of idempotent producers */
    options.properties = properties;
    options.property_count = COUNT_OF(properties);
    options.property_files = &file;
    options.property_file_count = 1;
    struct delivery *delivery = fixture_delivery(&options);
    wait_for(delivery, &broker.refused);
    write_file(path, "after\n");
    wait_for(delivery, &broker.admitted);
    delivery_free(delivery);
    login_broker_stop(&broker);
    unlink(path);
}

static void expect_lost(struct delivery *delivery)
{
    mono_ms_t start = fixture_now();
    struct delivery_event event;
    while (!fixture_expired(start)) {
        while (delivery_next(delivery, &event)) {
            if (event.kind == DELIVERY_NOTE)
                continue;
            assert_int_equal(event.kind, DELIVERY_LOST);
            assert_int_equal(event.err->class, ERROR_RECONNECT);
            assert_string_equal(event.err->code, "credentials_changed");
            return;
        }
        fixture_wait_fd(delivery);
    }
    fail_msg("nothing was told");
}

/* Of a producer that is in use, and of one that was given up: who waits for its turn has that. */
static void another_file_takes_a_new_producer(void **state)
{
    (void)state;
    char path[] = "/tmp/pqcdc-login-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    write_file(path, "first");
    const struct producer_property file = { "client.rack", path };
    struct producer_options options = fixture_options(NULL); /* of brokers that are away */
    options.property_files = &file;
    options.property_file_count = 1;
    struct delivery *delivery = fixture_delivery(&options);
    struct error err = ERROR_INIT;
    write_file(path, "second");
    expect_lost(delivery);
    assert_true(delivery_rebuild(delivery, &err));
    delivery_abandon(delivery);
    write_file(path, "third");
    expect_lost(delivery);
    expect_lost(delivery); /* until it is rebuilt */
    assert_int_equal(unlink(path), 0);
    assert_false(delivery_rebuild(delivery, &err));
    assert_int_equal(err.class, ERROR_RETRY);
    write_file(path, "third");
    assert_true(delivery_rebuild(delivery, &err));
    delivery_free(delivery);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_that_was_changed_is_read_again),
        cmocka_unit_test(another_file_takes_a_new_producer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
