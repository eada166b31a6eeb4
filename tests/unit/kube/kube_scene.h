/* What the tests of this room share: a clock that goes and can be set forward, a directory, a
 * client of a scripted API server, and waiting. */
#ifndef TESTS_UNIT_KUBE_KUBE_SCENE_H
#define TESTS_UNIT_KUBE_KUBE_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "kube/kube_client.h"
#include "kube/kube_config.h"
#include "unit/kube/fake_api.h"

enum { SCENE_PATIENCE_MS = 60000 };

struct scene {
    struct fake_api api;
    char *directory;
    int64_t ahead_ms; /* of the system's clock */
    struct clock clock;
    struct loop *loop;
    struct kube_config *config;
    struct kube_client *client;
};

static inline mono_ms_t scene_mono(void *self)
{
    const struct scene *scene = self;
    struct clock system = clock_system();
    return mono_ms_add(clock_now(&system), scene->ahead_ms);
}

static inline int64_t scene_wall_us(void *self)
{
    const struct scene *scene = self;
    return INT64_C(1767323045678901) + scene->ahead_ms * 1000; /* 2026-01-02T03:04:05.678901Z */
}

/* memory_free() it. */
static inline char *scene_path(const struct scene *scene, const char *name)
{
    return text_format("%s/%s", scene->directory, name);
}

/* At once, so that a reader sees the old file or the new one. */
static inline void scene_write(const struct scene *scene, const char *name, const char *text)
{
    AUTO(char *, memory_free_p) path = scene_path(scene, name);
    AUTO(char *, memory_free_p) aside = text_format("%s.new", path);
    FILE *file = fopen(aside, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(aside, path), 0);
}

static inline void scene_init(struct scene *scene)
{
    *scene = (struct scene){ .directory = memory_text("/tmp/pqcdc-kube-XXXXXX") };
    assert_non_null(mkdtemp(scene->directory));
    scene->clock = (struct clock){ scene_mono, scene_wall_us, scene };
    scene->loop = loop_new(&scene->clock);
}

static inline int scene_remove(const char *path, const struct stat *status UNUSED, int flag UNUSED,
                               struct FTW *walk UNUSED)
{
    return remove(path);
}

static inline void scene_done(struct scene *scene)
{
    kube_client_free(scene->client);
    loop_free(scene->loop);
    kube_config_free(scene->config);
    (void)nftw(scene->directory, scene_remove, 8, FTW_DEPTH | FTW_PHYS);
    memory_free(scene->directory);
}

/* By a kubeconfig: `cluster` and `user` are the fields of those, in braces. */
static inline void scene_load(struct scene *scene, const char *cluster, const char *user)
{
    struct error err = ERROR_INIT;
    AUTO(char *, memory_free_p) path = scene_path(scene, "kubeconfig");
    AUTO(char *, memory_free_p)
    text = text_format("current-context: c\n"
                       "contexts: [{name: c, context: {cluster: c, user: u}}]\n"
                       "clusters: [{name: c, cluster: %s}]\n"
                       "users: [{name: u, user: %s}]\n",
                       cluster, user);
    scene_write(scene, "kubeconfig", text);
    if (!kube_config_load(path, NULL, &scene->config, &err))
        fail_msg("%s", err.text);
}

static inline void scene_connect(struct scene *scene, size_t limit_bytes)
{
    struct error err = ERROR_INIT;
    struct kube_client_options options = { .config = scene->config,
                                           .loop = scene->loop,
                                           .clock = scene->clock,
                                           .seed = 7,
                                           .answer_limit_bytes = limit_bytes };
    if (!kube_client_new(&options, &scene->client, &err))
        fail_msg("%s", err.text);
}

/* The plain case: no TLS, a token in a file. */
static inline int scene_setup(void **state)
{
    struct scene *scene = memory_alloc(sizeof(*scene));
    scene_init(scene);
    fake_api_start(&scene->api, &(struct fake_api_options){ .port = 0 });
    scene_write(scene, "token", "first-token\n");
    AUTO(char *, memory_free_p)
    cluster = text_format("{server: \"http://127.0.0.1:%u\"}", scene->api.port);
    scene_load(scene, cluster, "{tokenFile: token}");
    scene_connect(scene, 0);
    *state = scene;
    return 0;
}

static inline int scene_teardown(void **state)
{
    struct scene *scene = *state;
    scene_done(scene);
    fake_api_stop(&scene->api);
    memory_free(scene);
    return 0;
}

/* A listening socket whose peer is the test itself. */
static inline int scene_listen(struct scene *scene, const char *scheme, const char *user)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    kube_client_free(scene->client);
    kube_config_free(scene->config);
    AUTO(char *, memory_free_p)
    cluster = text_format("{server: \"%s://127.0.0.1:%u\"}", scheme, ntohs(address.sin_port));
    scene_load(scene, cluster, user);
    scene_connect(scene, 0);
    return fd;
}

/* How many connections to the scripted server are open; *out_fd = one of them, NULL = not asked. */
static inline int scene_connections(const struct scene *scene, int *out_fd)
{
    int count = 0;
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in address = { .sin_family = AF_UNSPEC };
        socklen_t size = sizeof(address);
        if (getpeername(fd, (struct sockaddr *)&address, &size) != 0 ||
            address.sin_family != AF_INET || ntohs(address.sin_port) != scene->api.port)
            continue;
        count++;
        if (out_fd != NULL)
            *out_fd = fd;
    }
    return count;
}

/* The environment must not send us elsewhere, and nobody is to be told of closed pipes. */
static inline int scene_group(void **state UNUSED)
{
    static const char *const names[] = { "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                         "ALL_PROXY" };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        unsetenv(names[i]);
    return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -1 : 0;
}

/* Turns the loop until `wanted` holds. */
#define scene_until(scene, wanted)                                                                 \
    do {                                                                                           \
        struct clock system_ = clock_system();                                                     \
        mono_ms_t until_ = mono_ms_add(clock_now(&system_), SCENE_PATIENCE_MS);                    \
        while (!(wanted)) {                                                                        \
            if (mono_ms_before(until_, clock_now(&system_)))                                       \
                fail_msg("waited too long for %s", #wanted);                                       \
            (void)loop_turn((scene)->loop, 20);                                                    \
        }                                                                                          \
    } while (0)

/* What happens at once, happened. */
static inline void scene_settle(struct scene *scene)
{
    for (int i = 0; i < 5; i++)
        (void)loop_turn(scene->loop, 10);
}

/* Time passes, and what is due by then happens. */
static inline void scene_pass(struct scene *scene, int64_t ms)
{
    scene->ahead_ms += ms;
    (void)loop_turn(scene->loop, 0);
}

/* An answer that came. */
struct scene_answer {
    struct kube_answer answer;
    int count;
};

static inline void scene_on_answer(void *self, const struct kube_answer *answer)
{
    struct scene_answer *got = self;
    kube_answer_done(&got->answer);
    got->answer = *answer;
    json_incref(answer->object);
    got->count++;
}

static inline void scene_answer_done(struct scene_answer *got)
{
    kube_answer_done(&got->answer);
}

/* A call, and its answer; kube_answer_done() it. */
static inline struct kube_answer scene_call(struct scene *scene, const struct kube_request *request)
{
    struct kube_answer answer;
    kube_client_call_wait(scene->client, request, &answer);
    return answer;
}

static inline struct kube_answer scene_get(struct scene *scene, const char *path)
{
    return scene_call(scene, &(struct kube_request){ .path = path });
}

#endif
