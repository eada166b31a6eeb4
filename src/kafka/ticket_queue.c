#include "kafka/ticket_queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/memory.h"

struct ticket_queue ticket_queue_init(uint32_t run_max)
{
    struct ticket_queue queue = {
        .runs = memory_array(run_max, sizeof(struct ticket_run)),
        .run_max = run_max,
        .wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
    };
    CHECK(queue.wake_fd >= 0);
    return queue;
}

void ticket_queue_done(struct ticket_queue *queue)
{
    memory_free(queue->runs);
    close(queue->wake_fd);
    *queue = (struct ticket_queue){ .wake_fd = -1 };
}

void ticket_queue_wake(struct ticket_queue *queue)
{
    CHECK(eventfd_write(queue->wake_fd, 1) == 0);
}

bool ticket_queue_push(struct ticket_queue *queue, ticket_t ticket)
{
    if (queue->run_count > 0) {
        uint32_t last = (queue->first + queue->run_count - 1) % queue->run_max;
        if (queue->runs[last].ticket.value == ticket.value) {
            queue->runs[last].count++;
            return true;
        }
    }
    if (queue->run_count == queue->run_max)
        return false;
    if (queue->run_count == 0)
        ticket_queue_wake(queue);
    uint32_t next = (queue->first + queue->run_count++) % queue->run_max;
    queue->runs[next] = (struct ticket_run){ ticket, 1 };
    return true;
}

bool ticket_queue_pop(struct ticket_queue *queue, ticket_t *out_ticket)
{
    if (queue->run_count == 0) {
        eventfd_t signals = 0;
        (void)eventfd_read(queue->wake_fd, &signals);
        return false;
    }
    struct ticket_run *run = &queue->runs[queue->first];
    *out_ticket = run->ticket;
    if (--run->count == 0) {
        queue->first = (queue->first + 1) % queue->run_max;
        queue->run_count--;
    }
    return true;
}

void ticket_queue_clear(struct ticket_queue *queue)
{
    queue->run_count = 0;
}
