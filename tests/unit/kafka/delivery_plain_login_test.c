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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_that_was_changed_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
