/* What goes on between two streams: a stream that was cut is served or given up, notes are read,
 * the gate is told, and time is waited for. Pipeline's thread. */
#ifndef CONNECTOR_CONNECTOR_REST_H
#define CONNECTOR_CONNECTOR_REST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/thread_role.h"

struct connector;

void connector_rest_mark_turn(struct connector *connector); /* it lives */

/* At least twice a second while a session is opened or waited for; self: the connector. */
void connector_rest_serve(void *self) ON_PIPELINE_THREAD;

/* Soon: what the gate should know, between two streams. */
void connector_rest_tell_gate(struct connector *connector);

/* A stream that was cut and is not to be resumed: what was sent is taken back, as far as it can be.
 */
void connector_rest_abandon(struct connector *connector) ON_PIPELINE_THREAD;

enum connector_rest { CONNECTOR_REST_OVER, CONNECTOR_REST_SEEN, CONNECTOR_REST_STOP };

/* Waits until the time is over, the watcher has looked again or the gate has something new (when
 * asked for), or a stop. */
enum connector_rest connector_rest_until(struct connector *connector, mono_ms_t until, bool sights)
    ON_PIPELINE_THREAD;
/* True: asked to stop. */
bool connector_rest_for(struct connector *connector, int64_t wait_ms) ON_PIPELINE_THREAD;

/* The pause before the next attempt to start. Who lost PostgreSQL tries again as soon as it is
 * seen. True: asked to stop. */
void connector_rest_set_pause(struct connector *connector, int64_t pause_ms);
bool connector_rest_pause(struct connector *connector) ON_PIPELINE_THREAD;

#endif
