/* The checks of Kafka's side. What each needs stands in the table of check_command.c. */
#ifndef WORKER_CHECK_KAFKA_H
#define WORKER_CHECK_KAFKA_H

#include "worker/check_sight.h"

MUST_CHECK check_fn check_kafka_brokers; /* fills sight->brokers */
MUST_CHECK check_fn check_kafka_topics;
MUST_CHECK check_fn check_kafka_record_size;

#endif
