/* The operator as a process: client, controller, election, probes and signals on one loop. */
#ifndef OPERATOR_OPERATOR_H
#define OPERATOR_OPERATOR_H

#include "operator/operator_options.h"

/* Until SIGTERM or SIGINT. The exit status: 0, or as sysexits(3) has it. One a process: signals are
 * its. */
int operator_run(const struct operator_options *options);

#endif
