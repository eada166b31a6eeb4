/* Who may call what, checked by clang's thread-safety analysis (-Wthread-safety); nothing under
 * gcc.
 *
 * A role is put on the prototype: `void pipeline_turn(struct pipeline *) ON_PIPELINE_THREAD;`. The
 * thread's entry function calls thread_role_enter_pipeline() first. */
#ifndef BASE_THREAD_ROLE_H
#define BASE_THREAD_ROLE_H

#if defined(__clang__)
#define THREAD_ROLE_CAPABILITY     __attribute__((capability("thread role")))
#define THREAD_ROLE_REQUIRES(role) __attribute__((requires_capability(role)))
#define THREAD_ROLE_ACQUIRES(role) __attribute__((acquire_capability(role)))
#define THREAD_ROLE_RELEASES(role) __attribute__((release_capability(role)))
#define THREAD_ROLE_UNCHECKED      __attribute__((no_thread_safety_analysis))
#else
#define THREAD_ROLE_CAPABILITY
#define THREAD_ROLE_REQUIRES(role)
#define THREAD_ROLE_ACQUIRES(role)
#define THREAD_ROLE_RELEASES(role)
#define THREAD_ROLE_UNCHECKED
#endif

struct THREAD_ROLE_CAPABILITY thread_role {
    const char *name;
};

extern struct thread_role thread_role_pipeline;
extern struct thread_role thread_role_watcher;

#define ON_PIPELINE_THREAD THREAD_ROLE_REQUIRES(thread_role_pipeline)
#define ON_WATCHER_THREAD  THREAD_ROLE_REQUIRES(thread_role_watcher)

void thread_role_enter_pipeline(void) THREAD_ROLE_ACQUIRES(thread_role_pipeline);
void thread_role_leave_pipeline(void) THREAD_ROLE_RELEASES(thread_role_pipeline);
void thread_role_enter_watcher(void) THREAD_ROLE_ACQUIRES(thread_role_watcher);
void thread_role_leave_watcher(void) THREAD_ROLE_RELEASES(thread_role_watcher);

#endif
