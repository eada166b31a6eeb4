/* `pqcdc slot status | drop | create`: the replication slot, by hand. */
#ifndef WORKER_SLOT_COMMAND_H
#define WORKER_SLOT_COMMAND_H

#include "config/config.h"
#include "worker/arguments.h"
#include "worker/exit_codes.h"

enum exit_code slot_command_status(const struct arguments *arguments, const struct config *config);
enum exit_code slot_command_drop(const struct arguments *arguments, const struct config *config);
enum exit_code slot_command_create(const struct arguments *arguments, const struct config *config);

#endif
