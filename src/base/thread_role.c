#include "base/thread_role.h"

struct thread_role thread_role_pipeline = { .name = "pipeline" };
struct thread_role thread_role_watcher = { .name = "watcher" };

/* The roles exist for the analysis only: nothing happens when the program runs. */

THREAD_ROLE_UNCHECKED void thread_role_enter_pipeline(void)
{
}

THREAD_ROLE_UNCHECKED void thread_role_leave_pipeline(void)
{
}

THREAD_ROLE_UNCHECKED void thread_role_enter_watcher(void)
{
}

THREAD_ROLE_UNCHECKED void thread_role_leave_watcher(void)
{
}
