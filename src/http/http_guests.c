#include "http/http_guests.h"

#include <string.h>

#include "base/check.h"

/* Sockets of other families count as one address. */
static struct in6_addr address_of(const struct sockaddr *address)
{
    struct in6_addr bytes = IN6ADDR_ANY_INIT;
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, address, sizeof(six));
        bytes = six.sin6_addr;
    } else if (address->sa_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, address, sizeof(four));
        bytes.s6_addr[10] = bytes.s6_addr[11] = 0xff;
        memcpy(bytes.s6_addr + 12, &four.sin_addr, sizeof(four.sin_addr));
    }
    return bytes;
}

static bool is_loopback(const struct in6_addr *address)
{
    return IN6_IS_ADDR_LOOPBACK(address) ||
           (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127);
}

bool http_guests_may_enter(const struct http_guests *guests, const struct sockaddr *address)
{
    struct in6_addr from = address_of(address);
    if (guests->count >= HTTP_GUESTS_MAX)
        return false;
    if (is_loopback(&from))
        return true;
    uint32_t same = 0;
    for (uint32_t i = 0; i < HTTP_GUESTS_MAX; i++)
        same += guests->places[i].present &&
                memcmp(&guests->places[i].address, &from, sizeof(from)) == 0;
    return same < HTTP_GUESTS_PER_ADDRESS;
}

struct http_guest *http_guests_enter(struct http_guests *guests, const struct sockaddr *address)
{
    for (uint32_t i = 0; i < HTTP_GUESTS_MAX; i++) {
        struct http_guest *guest = &guests->places[i];
        if (!guest->present) {
            *guest = (struct http_guest){ .address = address_of(address), .present = true };
            guests->count++;
            return guest;
        }
    }
    return NULL;
}

void http_guests_leave(struct http_guests *guests, struct http_guest *guest)
{
    if (guest == NULL)
        return;
    CHECK(guest->present && guests->count > 0);
    guest->present = false;
    guests->count--;
}
