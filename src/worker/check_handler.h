/* The check of a handler of the user's own. */
#ifndef WORKER_CHECK_HANDLER_H
#define WORKER_CHECK_HANDLER_H

#include "worker/check_sight.h"

/* Loads the plug-in of handler.path, where one is configured, without opening it. */
MUST_CHECK check_fn check_handler;

#endif
