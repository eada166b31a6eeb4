/* Making and comparing objects of the API server. Pure; any thread. */
#ifndef OPERATOR_OBJECTS_H
#define OPERATOR_OBJECTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* The annotation of each child that says what was applied: objects_hash() of the wanted object
 * without it. */
#define OBJECTS_APPLIED "pqcdc.io/applied"

enum { OBJECTS_HASH_SIZE = sizeof("0123456789abcdef") };

/* json_pack() that cannot fail: a wrong format is a broken invariant. */
json_t *objects_pack(const char *format, ...);

/* Ends the text before the first byte that is not UTF-8, such as half a character where it was cut:
 * JSON takes nothing else. */
void objects_trim(char *text);

/* Seconds since a time as Kubernetes writes it (whole seconds, Z); 0 = it is none. */
int64_t objects_age_s(const char *time, int64_t now_us);

/* Takes the value over; NULL sets nothing. */
void objects_set(json_t *object, const char *key, json_t *value);
void objects_append(json_t *array, json_t *value);

/* A copy of what the user gave laid over ours: his keys win, his nulls remove. `over` may be NULL.
 * Changes `base`, one level deep. */
void objects_overlay(json_t *base, const json_t *over);

/* The element of that kind and name; NULL = none. Borrowed. */
json_t *objects_find(const json_t *array, const char *kind, const char *name);

/* One line with sorted keys; memory_free() it. */
char *objects_text(const json_t *value);

/* FNV-1a, 64 bits, in hexadecimal: it tells that something changed, nothing more. */
void objects_hash_text(struct slice text, char out[OBJECTS_HASH_SIZE]);
void objects_hash(const json_t *value, char out[OBJECTS_HASH_SIZE]);

/* True when everything in `wanted` stands in `existing` too. What else stands there belongs to
 * others: further members of objects, further named elements of lists of objects. What the API
 * server writes otherwise is equal: quantities ("1000m" and 1), and what is empty and left out. */
bool objects_hold(const json_t *existing, const json_t *wanted);

#endif
