/* The kinds of objects that the operator deals with: where they are, whose they are, and what of
 * them it keeps. Pure; any thread. */
#ifndef OPERATOR_KINDS_H
#define OPERATOR_KINDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum kinds_role { KINDS_CONNECTOR, KINDS_CHILD, KINDS_JOB, KINDS_POD };

struct kind {
    const char *api_version, *name, *plural;
    enum kinds_role role;
    bool everywhere; /* false: its API may not be installed */
};

const struct kind *kinds_all(size_t *out_count);
const struct kind *kinds_find(const char *api_version, const char *name); /* NULL = none of ours */

/* "/apis/apps/v1", "/api/v1". memory_free() it, as those below. */
char *kinds_api_path(const struct kind *kind);
/* Of one object; without name of the collection, without namespace of that of all namespaces. */
char *kinds_path(const struct kind *kind, const char *namespace_name, const char *name);

/* "namespace/name" of the Connector whose it is, by its name, or of a pod by its label; NULL = it
 * is nobody's. */
char *kinds_owner(const struct kind *kind, const json_t *object);
char *kinds_key(const json_t *object); /* "namespace/name" of itself */

/* Takes out of the object, in place, what nobody reads, and says what it is: items of lists do not.
 */
void kinds_trim(const struct kind *kind, json_t *object);

#endif
