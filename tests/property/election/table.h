/* A set of 64-bit hashes of states, with a byte for each. That two states share a hash is as likely
 * as count * count / 2^65: one in a hundred thousand for twenty million. */
#ifndef PROPERTY_ELECTION_TABLE_H
#define PROPERTY_ELECTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table {
    uint64_t *keys; /* 0 = free */
    uint8_t *values;
    size_t size, count;
};

struct table table_init(void);
void table_done(struct table *table);
uint64_t table_hash(const void *bytes, size_t size);        /* never 0 */
uint8_t table_get(const struct table *table, uint64_t key); /* 0 = not there */
void table_put(struct table *table, uint64_t key, uint8_t value);

#endif
