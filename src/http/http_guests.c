#include "http/http_guests.h"

#include <stdbool.h>
#include <string.h>

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

/* The longest silent one: of all, or of those from that address. */
static struct http_guest *most_silent(struct http_guests *guests, const struct in6_addr *from)
{
    struct http_guest *silent = NULL;
    for (uint32_t i = 0; i < HTTP_GUESTS_MAX; i++) {
        struct http_guest *guest = &guests->places[i];
        if (from != NULL && memcmp(&guest->address, from, sizeof(*from)) != 0)
            continue;
        if (silent == NULL || guest->heard < silent->heard)
            silent = guest;
    }
    return silent;
}

static uint32_t count_from(const struct http_guests *guests, const struct in6_addr *from)
{
    uint32_t same = 0;
    for (uint32_t i = 0; i < HTTP_GUESTS_MAX; i++)
        same += guests->places[i].visitor != NULL &&
                memcmp(&guests->places[i].address, from, sizeof(*from)) == 0;
    return same;
}

static struct http_guest *place_of(struct http_guests *guests, const void *visitor)
{
    for (uint32_t i = 0; i < HTTP_GUESTS_MAX; i++)
        if (guests->places[i].visitor == visitor)
            return &guests->places[i];
    return NULL;
}

static struct http_guest *place_for(struct http_guests *guests, const struct in6_addr *from)
{
    if (!is_loopback(from) && count_from(guests, from) >= HTTP_GUESTS_PER_ADDRESS)
        return most_silent(guests, from);
    struct http_guest *free_place = place_of(guests, NULL);
    return free_place != NULL ? free_place : most_silent(guests, NULL);
}

void *http_guests_enter(struct http_guests *guests, const struct sockaddr *address, void *visitor)
{
    struct in6_addr from = address_of(address);
    struct http_guest *place = place_for(guests, &from);
    void *leaver = place->visitor;
    *place = (struct http_guest){ visitor, from, ++guests->last_heard };
    return leaver;
}

void http_guests_hear(struct http_guests *guests, const void *visitor)
{
    struct http_guest *place = place_of(guests, visitor);
    if (place != NULL)
        place->heard = ++guests->last_heard;
}

void http_guests_leave(struct http_guests *guests, const void *visitor)
{
    struct http_guest *place = place_of(guests, visitor);
    if (place != NULL)
        *place = (struct http_guest){ .visitor = NULL };
}
