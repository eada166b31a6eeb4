#include "base/first_process.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

enum { EXIT_OF_SIGNAL = 128 };

static void leave(int number)
{
    _exit(EXIT_OF_SIGNAL + number);
}

static void handle(int number, void (*handler)(int), int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_handler = handler;
    action.sa_flags = flags;
    CHECK(sigaction(number, &action, NULL) == 0);
}

void first_process_begin(void)
{
    if (getpid() != 1)
        return;
    handle(SIGCHLD, SIG_IGN, SA_NOCLDWAIT);
    handle(SIGTERM, leave, 0);
    handle(SIGINT, leave, 0);
}
