/* What is written onto pods: who leads, and in which order a Deployment may take them away. Pure;
 * any thread. */
#ifndef OPERATOR_MARKS_H
#define OPERATOR_MARKS_H

#include <jansson.h>

/* Appends {name, labels?, annotations?} for each pod that does not say it yet: the leader's has the
 * label pqcdc.io/role=leader and a deletion cost of 1000, all others none and 0. leader: "" = not
 * known: all stay as they are. */
void marks_compare(const json_t *pods, const char *leader, json_t *patches);

#endif
