/* PostgreSQL's timestamps: microseconds since 2000-01-01 00:00:00 UTC, on the server's clock. */
#ifndef CHANGE_SERVER_TIME_H
#define CHANGE_SERVER_TIME_H

#include <stdint.h>

typedef struct {
    int64_t value;
} server_time_t;

#define SERVER_TIME_EPOCH_US INT64_C(946684800000000) /* 2000-01-01 in Unix microseconds */

static inline int64_t server_time_unix_us(server_time_t time)
{
    return time.value + SERVER_TIME_EPOCH_US;
}

static inline server_time_t server_time_from_unix_us(int64_t unix_us)
{
    return (server_time_t){ unix_us - SERVER_TIME_EPOCH_US };
}

#endif
