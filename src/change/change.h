/* One decoded logical replication message. Slices view the message's bytes and the arena that it
 * was decoded with: a change lives until the next one is decoded. */
#ifndef CHANGE_CHANGE_H
#define CHANGE_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "change/lsn.h"
#include "change/relation.h"
#include "change/server_time.h"
#include "change/value.h"

enum change_kind {
    CHANGE_BEGIN,
    CHANGE_COMMIT,
    CHANGE_ORIGIN,
    CHANGE_RELATION,
    CHANGE_TYPE,
    CHANGE_INSERT,
    CHANGE_UPDATE,
    CHANGE_DELETE,
    CHANGE_TRUNCATE,
    CHANGE_MESSAGE,
    CHANGE_KIND_COUNT
};

/* A transaction as its handler sees it. */
struct txn {
    uint32_t xid;
    lsn_t final_lsn; /* of Begin == commit_lsn of Commit */
    server_time_t commit_time;
    uint64_t ordinal; /* of the change in hand: 0, 1, ... per row change of the transaction */
};

/* What an UPDATE or DELETE carries of the row before. KEY: identity columns only, the others are
 * sent as null and mean nothing. FULL: every column. */
enum old_tuple { OLD_NONE, OLD_KEY, OLD_FULL };

struct change {
    enum change_kind kind;
    struct relation *relation; /* RELATION, INSERT, UPDATE, DELETE; owned by the relation cache */
    union {
        struct {
            uint32_t xid;
            lsn_t final_lsn;
            server_time_t commit_time;
        } begin;
        struct {
            lsn_t commit_lsn;
            lsn_t end_lsn;
            server_time_t commit_time;
        } commit;
        struct {
            lsn_t lsn;
            struct slice name;
        } origin;
        struct {
            uint32_t oid;
            struct slice schema, name;
        } type;
        struct {
            enum old_tuple old_kind;
            struct tuple old;
            struct tuple new; /* count 0 for DELETE */
        } row;
        struct {
            struct relation *const *relations;
            uint32_t count;
            bool cascade, restart_identity;
        } truncate;
        struct {
            bool transactional;
            lsn_t lsn;
            struct slice prefix, content;
        } message;
    } as;
};

const char *change_kind_name(enum change_kind kind); /* "begin", "insert", ... */
/* Puts the place of what cannot go on before what the error says: kind, table, transaction; returns
 * false. final_lsn: of the transaction that is open. */
bool change_prefix(const struct change *change, lsn_t final_lsn, struct error *err);
/* Begin, rows, truncates, Commit: what a transaction consists of, and always in the same number. */
bool change_is_item(enum change_kind kind);
/* Whether an INSERT, UPDATE or DELETE has the tuples that it must have, each as wide as the
 * relation. */
MUST_CHECK bool change_fits(const struct change *change, const struct relation *relation);
/* The new row of a change that fits, its unchanged values filled in from what the old one holds. */
struct tuple change_complete_row(const struct change *change, const struct relation *relation,
                                 struct arena *arena);

#endif
