/* The files that count when a connection to a broker is made: whether they hold something else than
 * before. Contents are compared by a hash; of a directory only when it was changed. Any thread. */
#ifndef KAFKA_CREDENTIAL_FILES_H
#define KAFKA_CREDENTIAL_FILES_H

#include <stdint.h>

#include "kafka/producer_options.h"

struct credential_files {
    uint64_t login; /* user and password: a producer takes new ones */
    uint64_t rest;  /* certificates, keys, authorities, tokens: they take a new producer */
};

/* Reads all of them. One that cannot be read is told from any other content. */
struct credential_files credential_files_look(const struct producer_options *options);

#endif
