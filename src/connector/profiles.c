#include "connector/profiles.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "connector/symbols.h"

/* Of gperftools' C++ interface (malloc_extension.h), as the Itanium C++ ABI names it; its C
 * interface has no heap samples. The text is libstdc++'s std::string since GCC 5. */
#define MALLOC_EXTENSION "_ZN15MallocExtension8instanceEv"
#define GET_HEAP_SAMPLE                                                                            \
    "_ZN15MallocExtension13GetHeapSampleEPNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"

struct cxx_string {
    char *data; /* `local`, or allocated */
    size_t size;
    char local[16];
};

typedef int start_fn(const char *path); /* 0 = cannot */
typedef void stop_fn(void);
typedef void *malloc_extension_fn(void);
typedef void get_heap_sample_fn(void *extension, struct cxx_string *out);

static const char missing[] =
    "501: gperftools is not loaded, so there are no profiles. The worker loads it when it starts "
    "with cdc.debugMode:\ninstall it (Debian: libgoogle-perftools4, or libgoogle-perftools4t64) "
    "and start again; the log says why it did not.\nA program that embeds the connector links "
    "libtcmalloc_and_profiler.\n";

/* ISO C has no way from an object's pointer to a function's. */
#define FUNCTION_OF(name, type)                                                                    \
    __extension__({                                                                                \
        void *found_ = dlsym(RTLD_DEFAULT, name);                                                  \
        type *function_;                                                                           \
        memcpy(&function_, &found_, sizeof(function_));                                            \
        function_;                                                                                 \
    })

static void refuse(struct http_response *response, unsigned status, const char *text)
{
    response->status = status;
    buf_append_text(response->body, text);
}

static void append_file(struct buf *out, int fd)
{
    char part[8 * 1024];
    ssize_t size;
    while ((size = read(fd, part, sizeof(part))) > 0)
        buf_append(out, part, (size_t)size);
}

/* The file is in memory: the process may have none that it can write. */
static void take_profile(const struct http_request *request, int64_t seconds, start_fn *start,
                         stop_fn *stop, int fd, struct http_response *response)
{
    AUTO(char *, memory_free_p) path = text_format("/proc/self/fd/%d", fd);
    if (start(path) == 0) {
        refuse(response, 503,
               "503: the profiler does not start: another profile is being taken (CPUPROFILE?), or "
               "SIGPROF has another handler.\n");
        return;
    }
    (void)http_server_wait(request, seconds * 1000);
    stop();
    response->content_type = "application/octet-stream";
    append_file(response->body, fd);
}

static void on_profile(void *self UNUSED, const struct http_request *request,
                       struct http_response *response)
{
    int64_t seconds = PROFILES_SECONDS;
    if (request->seconds != NULL && (!text_parse_i64(request->seconds, &seconds) || seconds < 1 ||
                                     seconds > PROFILES_SECONDS_MAX)) {
        response->status = 400;
        buf_append_format(response->body, "400: seconds: expected 1 to %d\n", PROFILES_SECONDS_MAX);
        return;
    }
    start_fn *start = FUNCTION_OF("ProfilerStart", start_fn);
    stop_fn *stop = FUNCTION_OF("ProfilerStop", stop_fn);
    if (start == NULL || stop == NULL) {
        refuse(response, 501, missing);
        return;
    }
    int fd = memfd_create("profile", MFD_CLOEXEC);
    if (fd < 0) {
        refuse(response, 503, "503: no file for the profile: out of descriptors or memory\n");
        return;
    }
    take_profile(request, seconds, start, stop, fd, response);
    close(fd);
}

static void on_heap(void *self UNUSED, const struct http_request *request UNUSED,
                    struct http_response *response)
{
    malloc_extension_fn *malloc_extension = FUNCTION_OF(MALLOC_EXTENSION, malloc_extension_fn);
    get_heap_sample_fn *get_heap_sample = FUNCTION_OF(GET_HEAP_SAMPLE, get_heap_sample_fn);
    if (malloc_extension == NULL || get_heap_sample == NULL) {
        refuse(response, 501, missing);
        return;
    }
    struct cxx_string text = { .data = text.local };
    get_heap_sample(malloc_extension(), &text);
    buf_append(response->body, text.data, text.size);
    if (text.data != text.local)
        free(text.data); /* tcmalloc's operator new and free() go together */
}

/* What was set with --set is blotted out in it (worker/arguments.h). */
static void on_cmdline(void *self UNUSED, const struct http_request *request UNUSED,
                       struct http_response *response)
{
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        refuse(response, 503, "503: /proc/self/cmdline cannot be read\n");
        return;
    }
    append_file(response->body, fd);
    close(fd);
    if (response->body->size > 0)
        response->body->size--; /* the NUL behind the last word */
}

/* "0x4005a0+4005b0"; what is no number is passed over. */
static size_t read_addresses(struct slice text, struct symbol *out)
{
    size_t count = 0;
    const char *at = text.data, *end = text.data + text.size;
    while (at < end) {
        char number[20] = "";
        const char *plus = memchr(at, '+', (size_t)(end - at));
        size_t size = (size_t)((plus != NULL ? plus : end) - at);
        memcpy(number, at, size < sizeof(number) - 1 ? size : sizeof(number) - 1);
        uintptr_t address = strtoul(number, NULL, 16);
        if (address != 0)
            out[count++] = (struct symbol){ .address = address };
        at += size + 1;
    }
    return count;
}

static void on_symbol(void *self UNUSED, const struct http_request *request,
                      struct http_response *response)
{
    buf_append_text(response->body, "num_symbols: 1\n");
    struct symbol *symbols = memory_array(request->body.size / 2 + 1, sizeof(*symbols));
    size_t count = read_addresses(request->body, symbols);
    symbols_find(symbols, count);
    for (size_t i = 0; i < count; i++)
        if (symbols[i].name != NULL)
            buf_append_format(response->body, "%#lx %s\n", symbols[i].address, symbols[i].name);
    symbols_done(symbols, count);
    memory_free(symbols);
}

static void on_index(void *self UNUSED, const struct http_request *request UNUSED,
                     struct http_response *response)
{
    uint32_t count;
    const struct http_route *routes = profiles_routes(&count);
    buf_append_text(response->body, "Profiles of this process, for pprof:\n");
    for (uint32_t i = 0; i < count; i++)
        buf_append_format(response->body, "%-22s %s\n", routes[i].path,
                          http_server_purpose(routes[i].path));
}

const struct http_route *profiles_routes(uint32_t *out_count)
{
    static const struct http_route routes[] = {
        { "/debug/pprof/", on_index, NULL, HTTP_QUICK },
        { "/debug/pprof/profile", on_profile, NULL, HTTP_SLOW },
        { "/debug/pprof/heap", on_heap, NULL, HTTP_QUICK },
        { "/debug/pprof/cmdline", on_cmdline, NULL, HTTP_QUICK },
        { "/debug/pprof/symbol", on_symbol, NULL, HTTP_POSTS },
    };
    *out_count = COUNT_OF(routes);
    return routes;
}
