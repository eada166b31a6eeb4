#include "http/http_listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/http/http_client.h"

static bool ipv6_is_there(void)
{
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    bool there = fd >= 0 && bind(fd, (const struct sockaddr *)&six, sizeof(six)) == 0;
    if (fd >= 0)
        close(fd);
    return there;
}

static int must_open(const char *address, uint16_t port)
{
    struct error err = ERROR_INIT;
    int fd = -1;
    if (!http_listener_open(address, port, &fd, &err))
        fail_msg("%s", err.text);
    return fd;
}

static bool answers(int family, uint16_t port)
{
    int fd = http_client_connect(family, port);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void every_address_is_ipv4_and_ipv6(void **state)
{
    (void)state;
    static const char *const addresses[] = { NULL, "" };
    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        int fd = must_open(addresses[i], 0);
        uint16_t port = http_listener_port(fd);
        assert_int_not_equal(port, 0);
        assert_true(answers(AF_INET, port));
        if (ipv6_is_there())
            assert_true(answers(AF_INET6, port));
        close(fd);
    }
}

static void one_address_is_only_that(void **state)
{
    (void)state;
    int fd = must_open("127.0.0.1", 0);
    assert_true(answers(AF_INET, http_listener_port(fd)));
    assert_false(answers(AF_INET6, http_listener_port(fd)));
    close(fd);
    if (!ipv6_is_there())
        return;
    fd = must_open("::1", 0);
    assert_true(answers(AF_INET6, http_listener_port(fd)));
    assert_false(answers(AF_INET, http_listener_port(fd)));
    close(fd);
}

static void a_given_port_is_used_and_then_taken(void **state)
{
    (void)state;
    int fd = must_open("127.0.0.1", 0);
    uint16_t port = http_listener_port(fd);
    struct error err = ERROR_INIT;
    int second = -7;
    assert_false(http_listener_open("127.0.0.1", port, &second, &err));
    assert_int_equal(second, -7);
    assert_string_equal(err.code, "port_taken");
    close(fd);
    fd = must_open("127.0.0.1", port);
    assert_int_equal(http_listener_port(fd), port);
    close(fd);
}

/* The IPv4 half of the port is free, yet serving that alone would be half a server. */
static void a_port_taken_on_ipv6_alone_is_taken(void **state)
{
    (void)state;
    if (!ipv6_is_there())
        skip();
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT };
    const int on = 1;
    int other = socket(AF_INET6, SOCK_STREAM, 0);
    assert_int_equal(setsockopt(other, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), 0);
    assert_int_equal(bind(other, (const struct sockaddr *)&six, sizeof(six)), 0);
    assert_int_equal(listen(other, 1), 0);
    struct error err = ERROR_INIT;
    int fd = -7;
    assert_false(http_listener_open(NULL, http_listener_port(other), &fd, &err));
    assert_string_equal(err.code, "port_taken");
    close(other);
}

static void a_foreign_address_is_told(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    int fd = -7;
    assert_false(http_listener_open("192.0.2.1", 8080, &fd, &err));
    assert_int_equal(fd, -7);
    assert_int_equal(err.class, ERROR_CONFIG);
    assert_string_equal(err.code, "address_unusable");
    assert_string_equal(err.text, "cannot listen on port 8080 of 192.0.2.1: Cannot assign "
                                  "requested address");
    assert_non_null(strstr(err.advice, "cdc.metric.address"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_address_is_ipv4_and_ipv6),
        cmocka_unit_test(one_address_is_only_that),
        cmocka_unit_test(a_given_port_is_used_and_then_taken),
        cmocka_unit_test(a_port_taken_on_ipv6_alone_is_taken),
        cmocka_unit_test(a_foreign_address_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
