/* `pqcdc run`: one connector until it is stopped by a signal or halts. */
#ifndef WORKER_RUN_COMMAND_H
#define WORKER_RUN_COMMAND_H

#include "config/config.h"
#include "worker/arguments.h"
#include "worker/exit_codes.h"

enum exit_code run_command(const struct arguments *arguments, const struct config *config);

#endif
