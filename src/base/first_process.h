/* What the first process of a PID namespace, that of a container, owes to it. */
#ifndef BASE_FIRST_PROCESS_H
#define BASE_FIRST_PROCESS_H

/* For PID 1; does nothing in any other process. The kernel gives it the orphans of the namespace:
 * from now on they are reaped as they die (whose own children then cannot be waited for). And it
 * spares PID 1 the default action of signals: from now on SIGTERM and SIGINT end the process with
 * 128 + signal, as a shell says it, until they are blocked and read elsewhere.
 * At the start of main(), while there is one thread. */
void first_process_begin(void);

#endif
