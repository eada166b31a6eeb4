/* Who may stream. The connector asks; it knows nothing of Kubernetes. slot_only.c is the gate
 * without a Lease; the worker brings another. No function blocks on a peer. All belong to the
 * pipeline's thread but describe(), which any thread may call.
 */
#ifndef CONNECTOR_GATE_H
#define CONNECTOR_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "change/lsn.h"
#include "postgres/slot.h"

enum gate_phase {
    GATE_IDLE,      /* nothing of ours can reach Kafka: standby, or between two attempts */
    GATE_STARTING,  /* a session is being opened, or a stream that was cut may be resumed */
    GATE_STREAMING, /* the slot is ours */
    GATE_HALTED,    /* a person must act */
};

/* What the connector tells, when something of it changed and at least once a second. */
struct gate_news {
    enum gate_phase phase;
    const struct slot_sight *sight; /* a look at the slot since the last news, or NULL */
    bool brokers_up;                /* at least one broker is connected, and reached */
    bool records_waiting;           /* records are unacknowledged */
    lsn_t confirmed;                /* told to PostgreSQL; LSN_NONE = nothing yet */
};

/* What is known of the slot and its server beyond the life of a process. */
struct gate_memory {
    char system_id[24];
    uint32_t timeline;
    lsn_t consistent_point; /* LSN_NONE: the slot was not made by pqcdc */
    lsn_t delivered;        /* changes up to there may be in Kafka, by whoever led */
};

/* For /status and metrics. */
struct gate_status {
    bool leased; /* a Lease decides beside the slot; else nothing below is set */
    bool leads;
    char lease[320]; /* namespace/name */
    char identity[320];
    char holder[320]; /* as last seen; "" = nobody */
    char state[32];
    char phase[16];         /* as the holder wrote it last */
    int64_t transitions;    /* of the Lease */
    int64_t terms;          /* times that we began to lead */
    int64_t renewed_age_ms; /* since the lease was proven ours; -1 = it is not */
    int64_t failures;       /* calls to the API server that failed */
    char error[256];        /* the last one's text while it lasts; "" = none */
};

struct gate {
    void *self;
    int fd; /* readable when an answer may have changed; -1 = it never does */
    bool (*may_start)(void *self);   /* before each START_REPLICATION */
    bool (*must_stop)(void *self);   /* each turn, before each batch */
    void (*acknowledge)(void *self); /* makes fd unreadable */
    void (*report)(void *self, const struct gate_news *news);
    /* False: nothing is remembered. */
    bool (*recall)(void *self, struct gate_memory *out_memory);
    void (*remember)(void *self, const struct gate_memory *memory);
    const char *how_to_forget; /* advice for a person; NULL: nothing is remembered */
    void (*describe)(void *self, struct gate_status *out_status);
};

#endif
