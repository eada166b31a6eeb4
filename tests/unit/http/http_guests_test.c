#include "http/http_guests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* IPv4 or IPv6, by its text. */
static const struct sockaddr *address(const char *text, struct sockaddr_storage *storage)
{
    struct sockaddr_in four = { .sin_family = AF_INET };
    struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
    *storage = (struct sockaddr_storage){ 0 };
    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        memcpy(storage, &four, sizeof(four));
    else if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1)
        memcpy(storage, &six, sizeof(six));
    else
        fail_msg("%s", text);
    return (const struct sockaddr *)storage;
}

/* Visitors are numbers. Who has to go: 0 = nobody. */
static intptr_t enter(struct http_guests *guests, const char *text, intptr_t visitor)
{
    struct sockaddr_storage storage;
    return (intptr_t)http_guests_enter(guests, address(text, &storage), (void *)visitor);
}

static void the_ninth_of_an_address_takes_the_place_of_its_most_silent(void **state)
{
    (void)state;
    struct http_guests guests = { 0 };
    for (intptr_t n = 1; n <= HTTP_GUESTS_PER_ADDRESS; n++) {
        assert_int_equal(enter(&guests, "192.0.2.1", n), 0);
        assert_int_equal(enter(&guests, "2001:db8::1", 100 + n), 0);
    }
    assert_int_equal(enter(&guests, "192.0.2.1", 9), 1);
    http_guests_hear(&guests, (void *)2);
    assert_int_equal(enter(&guests, "192.0.2.1", 10), 3);
    assert_int_equal(enter(&guests, "2001:db8::1", 109), 101);
    assert_int_equal(enter(&guests, "192.0.2.2", 201), 0);
    http_guests_leave(&guests, (void *)104);
    assert_int_equal(enter(&guests, "2001:db8::1", 110), 0);
    assert_int_equal(enter(&guests, "2001:db8::1", 111), 102);
}

static void a_mapped_address_is_the_same_address(void **state)
{
    (void)state;
    struct http_guests guests = { 0 };
    for (intptr_t n = 1; n <= HTTP_GUESTS_PER_ADDRESS; n++)
        assert_int_equal(enter(&guests, n % 2 == 0 ? "192.0.2.1" : "::ffff:192.0.2.1", n), 0);
    assert_int_equal(enter(&guests, "192.0.2.1", 9), 1);
    assert_int_equal(enter(&guests, "::ffff:192.0.2.1", 10), 2);
}

static void loopback_has_only_the_common_limit(void **state)
{
    (void)state;
    static const char *const addresses[] = { "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1" };
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct http_guests guests = { 0 };
        for (intptr_t n = 1; n <= HTTP_GUESTS_MAX; n++)
            assert_int_equal(enter(&guests, addresses[i], n), 0);
        assert_int_equal(enter(&guests, addresses[i], 65), 1);
        assert_int_equal(enter(&guests, "192.0.2.1", 66), 2);
    }
}

static void who_lost_its_place_changes_nothing(void **state)
{
    (void)state;
    struct http_guests guests = { 0 };
    for (intptr_t n = 1; n <= HTTP_GUESTS_MAX; n++)
        assert_int_equal(enter(&guests, "127.0.0.1", n), 0);
    assert_int_equal(enter(&guests, "127.0.0.1", 65), 1);
    http_guests_hear(&guests, (void *)1);
    http_guests_leave(&guests, (void *)1);
    assert_int_equal(enter(&guests, "127.0.0.1", 66), 2);
}

static void places_are_used_again(void **state)
{
    (void)state;
    struct http_guests guests = { 0 };
    for (intptr_t n = 1; n <= HTTP_GUESTS_MAX; n++)
        assert_int_equal(enter(&guests, "127.0.0.1", n), 0);
    for (intptr_t n = 2; n <= HTTP_GUESTS_MAX; n += 2)
        http_guests_leave(&guests, (void *)n);
    for (intptr_t n = 1; n <= HTTP_GUESTS_MAX / 2; n++)
        assert_int_equal(enter(&guests, "127.0.0.1", 100 + n), 0);
    assert_int_equal(enter(&guests, "127.0.0.1", 200), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ninth_of_an_address_takes_the_place_of_its_most_silent),
        cmocka_unit_test(a_mapped_address_is_the_same_address),
        cmocka_unit_test(loopback_has_only_the_common_limit),
        cmocka_unit_test(who_lost_its_place_changes_nothing),
        cmocka_unit_test(places_are_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
