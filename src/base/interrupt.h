/* How a call that waits (for a connection, a query) is told to stop and shows that it lives.
 *
 * The waiting call polls `stop_fd` beside its own descriptor and returns an ERROR_STOPPED error
 * when it is readable; at least every 500 ms it calls turn(self), when there is one. The descriptor
 * is never read, so it stays readable for everyone who waits on it. */
#ifndef BASE_INTERRUPT_H
#define BASE_INTERRUPT_H

struct interrupt {
    int stop_fd; /* -1 = cannot be stopped */
    void (*turn)(void *self);
    void *self;
};

#define INTERRUPT_NONE ((struct interrupt){ .stop_fd = -1 })

#endif
