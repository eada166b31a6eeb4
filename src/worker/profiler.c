#include "worker/profiler.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"

enum { ASLEEP_BYTES = 17 * 1024 * 1024 };

#define LIBRARY "libtcmalloc_and_profiler.so.4"
#define BEGUN   "PQCDC_PROFILER" /* what was put before LD_PRELOAD */
#define PRELOAD "LD_PRELOAD"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

static bool refuse(struct error *err, const char *why)
{
    error_set(err, ERROR_CONFIG, "no_profiles", "cdc.debugMode: profiles are not to be had: %s",
              why);
    return error_advise(err, "The line works without; /debug/pprof answers 501. Install gperftools "
                             "(Debian: libgoogle-perftools4, or libgoogle-perftools4t64) and start "
                             "again, or turn cdc.debugMode off.");
}

/* tcmalloc sets the first thread's sampler before it reads its settings, and then lets 16 MiB pass
 * until it looks again. They are taken and given back untouched. */
static void wake_sampler(void)
{
    void *volatile unused = malloc(ASLEEP_BYTES);
    free(unused);
}

bool profiler_begun(void)
{
    const char *library = getenv(BEGUN);
    if (library == NULL)
        return false;
    const char *preload = getenv(PRELOAD);
    size_t size = strlen(library);
    if (preload != NULL && strncmp(preload, library, size) == 0) {
        AUTO(char *, memory_free_p) rest =
            memory_text(preload[size] == ':' ? preload + size + 1 : "");
        CHECK(rest[0] != '\0' ? setenv(PRELOAD, rest, 1) == 0 : unsetenv(PRELOAD) == 0);
    }
    CHECK(unsetenv(BEGUN) == 0);
    wake_sampler();
    return true;
}

/* Where the loader finds it: asked of the loader, since it complains of what it cannot preload. */
static bool find_library(char **out_path, struct error *err)
{
    void *library = dlopen(LIBRARY, RTLD_LAZY | RTLD_LOCAL);
    const struct link_map *map = NULL;
    if (library == NULL)
        return refuse(err, dlerror());
    if (dlinfo(library, RTLD_DI_LINKMAP, &map) != 0 || map->l_name[0] != '/' ||
        strpbrk(map->l_name, ": ") != NULL)
        return refuse(err, LIBRARY " is in a place that LD_PRELOAD cannot name");
    *out_path = memory_text(map->l_name);
    return true;
}

/* The program itself, by its name: as /proc/self/exe it would be called "exe" from then on. */
static bool find_program(char *out_path, size_t size, struct error *err)
{
    if (getauxval(AT_BASE) == 0)
        return refuse(err, "the program was started by another one, as its file");
    ssize_t length = readlink("/proc/self/exe", out_path, size - 1);
    if (length <= 0 || (size_t)length >= size - 1)
        return refuse(err, "/proc/self/exe does not say which program this is");
    out_path[length] = '\0';
    return true;
}

static void set_environment(const char *library)
{
    const char *before = getenv(PRELOAD);
    AUTO(char *, memory_free_p) preload =
        text_format("%s%s%s", library, before != NULL ? ":" : "", before != NULL ? before : "");
    CHECK(setenv(PRELOAD, preload, 1) == 0);
    CHECK(setenv(BEGUN, library, 1) == 0);
    /* Heap: a sample for each so many bytes, fine enough for so small a process; and no words of
     * its own beside our log. */
    CHECK(setenv("TCMALLOC_SAMPLE_PARAMETER", "32768", 0) == 0);
    CHECK(setenv("PERFTOOLS_VERBOSE", "-1", 0) == 0);
}

void profiler_begin(const struct arguments *arguments, struct error *err)
{
    char program[PATH_MAX];
    AUTO(char *, memory_free_p) library = NULL;
    if (SANITIZED) {
        (void)refuse(err, "this build has a sanitizer, whose malloc must stay");
        return;
    }
    if (!find_program(program, sizeof(program), err) || !find_library(&library, err))
        return;
    set_environment(library);
    arguments_show(arguments);
    (void)execv(program, arguments->words);
    int failure = errno;
    arguments_blot(arguments);
    (void)profiler_begun();
    (void)refuse(err, strerrordesc_np(failure));
}
