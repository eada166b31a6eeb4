/* `pqcdc check`: looks at both sides with the worker's own configuration, changes nothing, and says
 * what is right, what is missing, and what mends it. */
#ifndef WORKER_CHECK_COMMAND_H
#define WORKER_CHECK_COMMAND_H

#include "config/config.h"
#include "worker/arguments.h"
#include "worker/exit_codes.h"

/* EXIT_CODE_MEND: at least one row fails. */
enum exit_code check_command(const struct arguments *arguments, const struct config *config);

#endif
