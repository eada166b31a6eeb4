#include "kafka_fixture.h"

#include "kafka/broker_sight.h"

static char orders[] = "orders", denied[] = "denied";
static char *const two_topics[] = { orders, denied };

static void topics_are_seen_or_it_is_said_why_not(void **state UNUSED)
{
    struct mock mock = mock_start(1);
    mock_topic(&mock, orders, 3);
    mock_topic(&mock, denied, 1);
    rd_kafka_mock_topic_set_error(mock.cluster, denied,
                                  RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    const struct producer_property property = { "message.max.bytes", "2000000" };
    struct producer_options options = fixture_options(&mock);
    options.properties = &property;
    options.property_count = 1;
    AUTO(struct broker_sight, broker_sight_done) sight = { .topic_count = 0 };
    struct error err = ERROR_INIT;
    assert_true(broker_sight_look(&options, two_topics, 2, &sight, &err));
    assert_int_equal(sight.broker_count, 1);
    assert_int_equal(sight.message_max_bytes, 2000000);
    assert_string_equal(sight.user, "");
    assert_int_equal(sight.topic_count, 2);
    assert_true(sight.topics[0].exists);
    assert_int_equal(sight.topics[0].partition_count, 3);
    assert_int_equal(sight.topics[0].leaderless_count, 0);
    assert_int_equal(sight.topics[0].least_in_sync, 1);
    assert_int_equal(sight.topics[0].limits_failure.class != ERROR_NONE, true);
    assert_false(sight.topics[1].exists);
    assert_string_equal(sight.topics[1].failure.code, "TOPIC_AUTHORIZATION_FAILED");
    mock_stop(&mock);
}

static void wrong_options_are_the_configuration_s_error(void **state UNUSED)
{
    const struct producer_property property = { "no.such", "x" };
    struct producer_options options = fixture_options(NULL);
    options.properties = &property;
    options.property_count = 1;
    struct broker_sight sight;
    struct error err = ERROR_INIT;
    assert_false(broker_sight_look(&options, NULL, 0, &sight, &err));
    assert_string_equal(err.code, "property_unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topics_are_seen_or_it_is_said_why_not),
        cmocka_unit_test(wrong_options_are_the_configuration_s_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
