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

static struct http_guest *enter(struct http_guests *guests, const char *text)
{
    struct sockaddr_storage storage;
    const struct sockaddr *from = address(text, &storage);
    return http_guests_may_enter(guests, from) ? http_guests_enter(guests, from) : NULL;
}

static void eight_from_one_address_and_more_from_others(void **state)
{
    (void)state;
    static const char *const addresses[] = { "192.0.2.1", "2001:db8::1" };
    struct http_guests guests = { 0 };
    struct http_guest *last = NULL;
    for (size_t i = 0; i < 2; i++) {
        for (int n = 0; n < HTTP_GUESTS_PER_ADDRESS; n++)
            assert_non_null(last = enter(&guests, addresses[i]));
        assert_null(enter(&guests, addresses[i]));
    }
    assert_non_null(enter(&guests, "192.0.2.2"));
    http_guests_leave(&guests, last);
    assert_null(enter(&guests, addresses[0]));
    assert_non_null(enter(&guests, addresses[1]));
    assert_null(enter(&guests, addresses[1]));
}

static void a_mapped_address_is_the_same_address(void **state)
{
    (void)state;
    struct http_guests guests = { 0 };
    for (int n = 0; n < HTTP_GUESTS_PER_ADDRESS; n++)
        assert_non_null(enter(&guests, n % 2 == 0 ? "192.0.2.1" : "::ffff:192.0.2.1"));
    assert_null(enter(&guests, "192.0.2.1"));
    assert_null(enter(&guests, "::ffff:192.0.2.1"));
}

static void loopback_has_only_the_common_limit(void **state)
{
    (void)state;
    static const char *const addresses[] = { "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1" };
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct http_guests guests = { 0 };
        for (int n = 0; n < HTTP_GUESTS_MAX; n++)
            assert_non_null(enter(&guests, addresses[i]));
        assert_null(enter(&guests, addresses[i]));
        assert_null(enter(&guests, "192.0.2.1"));
        assert_int_equal(guests.count, HTTP_GUESTS_MAX);
    }
}

static void places_are_used_again(void **state)
{
    (void)state;
    struct http_guests guests = { 0 };
    struct http_guest *places[HTTP_GUESTS_MAX];
    for (int n = 0; n < HTTP_GUESTS_MAX; n++)
        places[n] = enter(&guests, "127.0.0.1");
    for (int n = 0; n < HTTP_GUESTS_MAX; n += 2)
        http_guests_leave(&guests, places[n]);
    assert_int_equal(guests.count, HTTP_GUESTS_MAX / 2);
    for (int n = 0; n < HTTP_GUESTS_MAX / 2; n++)
        assert_non_null(enter(&guests, "127.0.0.1"));
    assert_null(enter(&guests, "127.0.0.1"));
    struct sockaddr_storage storage;
    assert_null(http_guests_enter(&guests, address("127.0.0.1", &storage)));
    http_guests_leave(&guests, NULL);
    assert_int_equal(guests.count, HTTP_GUESTS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_from_one_address_and_more_from_others),
        cmocka_unit_test(a_mapped_address_is_the_same_address),
        cmocka_unit_test(loopback_has_only_the_common_limit),
        cmocka_unit_test(places_are_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
