/* Any JSON as a Lease: it is read, or it is refused; what is written of it is a Lease again, keeps
 * what is not ours, and says what was asked for. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "kube/kube_client.h"
#include "kube/kube_lease.h"
#include "kube/kube_object.h"
#include "kube/kube_time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(void *self, const struct kube_answer *answer)
{
    (void)self;
    (void)answer;
}

/* A client that never comes to say anything, since its loop does not turn. */
static struct kube_client *mute_client(void)
{
    static char server[] = "https://127.0.0.1:1";
    static const struct kube_config config = { .server = server };
    static struct kube_client *client;
    if (client == NULL) {
        struct clock clock = clock_system();
        struct kube_client_options options = { .config = &config,
                                               .loop = loop_new(&clock),
                                               .clock = clock };
        CHECK(kube_client_new(&options, &client, NULL));
    }
    return client;
}

/* The body can be sent. */
static void send(const json_t *body, const char *name)
{
    struct kube_client *client = mute_client();
    kube_client_cancel(kube_lease_get(client, name, name, 1000, ignore, NULL));
    kube_client_cancel(kube_lease_create(client, name, body, 1000, ignore, NULL));
    kube_client_cancel(kube_lease_put(client, name, name, body, 1000, ignore, NULL));
}

/* Behind the server: read again, with the same uid and version. */
static struct kube_lease read_again(json_t *body, const struct kube_lease *before)
{
    struct kube_lease again = KUBE_LEASE_INIT;
    CHECK(kube_lease_parse(body, &again, NULL));
    CHECK(strcmp(again.uid, before->uid) == 0);
    CHECK(strcmp(again.resource_version, before->resource_version) == 0);
    CHECK(kube_object_find(body, "metadata.managedFields") == NULL);
    return again;
}

/* Whatever the object has beside ours is in the body. */
static void check_kept(const json_t *object, const json_t *body)
{
    static const char *const ours[] = { "apiVersion", "kind", "metadata", "spec" };
    void *at = json_object_iter((json_t *)(intptr_t)object);
    for (; at != NULL; at = json_object_iter_next((json_t *)(intptr_t)object, at)) {
        const char *key = json_object_iter_key(at);
        bool is_ours = false;
        for (size_t i = 0; i < COUNT_OF(ours); i++)
            is_ours = is_ours || strcmp(ours[i], key) == 0;
        CHECK(is_ours || json_equal(json_object_iter_value(at), json_object_get(body, key)));
    }
    CHECK(json_equal(kube_object_find(object, "spec.strategy"),
                     kube_object_find(body, "spec.strategy")) ||
          kube_object_find(object, "spec.strategy") == NULL);
}

static void check_claimed(const struct kube_lease *lease, const struct kube_lease_claim *claim)
{
    AUTO(json_t *, json_decrefp) body = kube_lease_make_claimed(lease, claim);
    AUTO(struct kube_lease, kube_lease_done) again = read_again(body, lease);
    bool renewed = strcmp(lease->holder, claim->holder) == 0;
    CHECK(strcmp(again.holder, claim->holder) == 0);
    CHECK(again.duration_ms == claim->duration_s * 1000);
    CHECK(again.transitions == lease->transitions + !renewed || again.transitions == INT32_MAX);
    CHECK(strcmp(again.phase, claim->phase != NULL ? claim->phase : lease->phase) == 0);
    CHECK(strcmp(again.source, claim->source != NULL ? claim->source : lease->source) == 0);
    check_kept(lease->object, body);
    send(body, claim->holder);
}

static void check_released(const struct kube_lease *lease)
{
    AUTO(json_t *, json_decrefp) body = kube_lease_make_released(lease, NULL);
    AUTO(struct kube_lease, kube_lease_done) again = read_again(body, lease);
    CHECK(again.holder[0] == '\0' && again.duration_ms == 1000 && again.phase[0] == '\0');
    CHECK(again.transitions == lease->transitions);
    CHECK(strcmp(again.source, lease->source) == 0);
    check_kept(lease->object, body);
}

/* A time that is one of ours is written as it was read. */
static void check_time(const char *text)
{
    int64_t wall_us;
    char again[KUBE_TIME_SIZE];
    if (!kube_time_parse(text, &wall_us))
        return;
    kube_time_format(wall_us, again);
    CHECK(strcmp(again, text) == 0);
}

static void check_lease(const struct kube_lease *lease)
{
    const struct kube_lease_claim claims[] = {
        { .holder = "me", .duration_s = 15, .now_us = 0, .phase = "starting", .source = "" },
        { .holder = lease->holder,
          .duration_s = 1,
          .now_us = kube_object_integer(lease->object, "spec.now", 1),
          .phase = lease->source },
    };
    for (size_t i = 0; i < COUNT_OF(claims); i++) {
        check_claimed(lease, &claims[i]);
        AUTO(json_t *, json_decrefp) made = kube_lease_make_new("n", lease->uid, &claims[i]);
        CHECK(strcmp(kube_object_text(made, "metadata.name", ""), lease->uid) == 0);
    }
    check_released(lease);
    check_time(kube_object_text(lease->object, "spec.renewTime", ""));
    AUTO(struct kube_lease, kube_lease_done) copy = kube_lease_copy(lease);
    CHECK(strcmp(copy.holder, lease->holder) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(json_t *, json_decrefp)
    object = kube_object_load((struct slice){ (const char *)data, size });
    AUTO(struct kube_lease, kube_lease_done) lease = KUBE_LEASE_INIT;
    struct error err = ERROR_INIT;
    if (kube_lease_parse(object, &lease, &err))
        check_lease(&lease);
    else
        CHECK(lease.object == NULL && err.class == ERROR_RETRY);
    return 0;
}
