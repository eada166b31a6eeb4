/* A Connector as the API server holds it, read into what the rest of the room needs. The schema of
 * the CRD refuses nearly all that is wrong here; what comes through (an older CRD, a server that
 * prunes rules) is an error value, which ends in a condition.
 *
 * Everything borrows from the object, which must outlive the struct. Pure; any thread. */
#ifndef OPERATOR_RESOURCE_H
#define OPERATOR_RESOURCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "operator/operator_settings.h"

#define RESOURCE_API_VERSION    "pqcdc.io/v1alpha1"
#define RESOURCE_KIND           "Connector"
#define RESOURCE_FINALIZER      "pqcdc.io/slot"
#define RESOURCE_ABANDON        "pqcdc.io/abandon-slot" /* annotation: "true" */
#define RESOURCE_LABEL          "pqcdc.io/connector"    /* of every child and pod: the name */
#define RESOURCE_ROLE_LABEL     "pqcdc.io/role"         /* of the leader's pod: leader */
#define RESOURCE_FIELD_MANAGER  "pqcdc-operator"
#define RESOURCE_STATUS_MANAGER "pqcdc-operator-status"

enum { RESOURCE_NAME_MAX_BYTES = 49, RESOURCE_CHILD_SIZE = 64, RESOURCE_REPLICAS_MAX = 10 };

struct resource {
    const json_t *object;
    const json_t *spec; /* NULL = none; the members below say why that is wrong */
    const char *name, *namespace_name, *uid;
    int64_t generation;
    char child[RESOURCE_CHILD_SIZE]; /* pqcdc-NAME: the name of every child */
    char drop[RESOURCE_CHILD_SIZE];  /* pqcdc-NAME-drop: the Job */

    const char *host, *database, *slot, *publication;
    int64_t replicas; /* as asked for, whether or not it is paused */
    bool paused;
    bool delete_slot; /* deletionPolicy: Delete */
    bool pod_monitor;
    const json_t *template;      /* spec.template, or NULL */
    const char *service_account; /* template.serviceAccountName, or NULL */
    int64_t shutdown_ms;         /* cdc.shutdownTimeout */

    bool deleting;      /* deletionTimestamp is set */
    bool has_finalizer; /* ours */
    bool abandoned;     /* the annotation that gives the slot up */
};

/* False: ERROR_CONFIG with a path in its text. What metadata says is read all the same, so that a
 * resource that is wrong can be deleted and can have a status; out_resource is always set. */
MUST_CHECK bool resource_read(const json_t *object, struct resource *out_resource,
                              struct error *err);

/* Appends the image of its workers: the operator's own, of which spec.image replaces parts. A
 * digest without a tag goes without one. */
void resource_image(const struct resource *resource, const struct operator_settings *settings,
                    struct buf *out);

/* Appends what two Connectors may not have in common: hosts, port, database and slot, in a form
 * that compares as bytes. Names without a dot and paths of sockets are other servers in each
 * namespace, and so is their key. Nothing is appended where one of them is missing. */
void resource_slot_key(const json_t *object, struct buf *out);

/* True when a came before b: by creationTimestamp, then by namespace and name. */
bool resource_is_older(const json_t *a, const json_t *b);

#endif
