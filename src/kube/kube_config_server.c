#include "kube/kube_config_server.h"

#include <curl/curl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"

CLEANUP_POINTER(CURLU, curl_url_cleanup)

static void curl_text_free(char **text)
{
    curl_free(*text);
}

/* NULL = the URL has no such part. curl_free() it. */
static char *part_of(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    return curl_url_get(url, part, &text, CURLU_DEFAULT_PORT) == CURLUE_OK ? text : NULL;
}

static bool has(CURLU *url, CURLUPart part)
{
    AUTO(char *, curl_text_free) text = part_of(url, part);
    return text != NULL;
}

/* What has an @ may have a password before it. */
static bool refuse(const char *server, const char *reason, struct error *err)
{
    const char *shown = strchr(server, '@') == NULL ? server : "(not shown: it has an @)";
    return error_set(err, ERROR_CONFIG, "server_invalid",
                     "\"%s\" is no address of an API server: %s", shown, reason);
}

static bool has_a_scheme(const char *server)
{
    return strncmp(server, "https://", strlen("https://")) == 0 ||
           strncmp(server, "http://", strlen("http://")) == 0;
}

bool kube_config_server_check(const char *server, char **out_server, struct error *err)
{
    if (!has_a_scheme(server))
        return refuse(server, "it must begin with https://", err);
    if (strpbrk(server, "?# \t\r\n") != NULL)
        return refuse(server, "it has a query, a fragment or a space", err);
    AUTO(CURLU *, curl_url_cleanup_p) url = curl_url();
    CHECK(url != NULL);
    CURLUcode parsed = curl_url_set(url, CURLUPART_URL, server, 0);
    if (parsed != CURLUE_OK)
        return refuse(server, curl_url_strerror(parsed), err);
    if (has(url, CURLUPART_USER) || has(url, CURLUPART_PASSWORD))
        return refuse(server, "it has a user or a password", err);
    AUTO(char *, curl_text_free) whole = part_of(url, CURLUPART_URL);
    CHECK(whole != NULL);
    size_t size = strlen(whole);
    while (size > 0 && whole[size - 1] == '/')
        size--;
    *out_server = memory_text_n(whole, size);
    return true;
}

void kube_config_server_rename(const char *server, const char *name, char **out_url,
                               char **out_authority)
{
    AUTO(CURLU *, curl_url_cleanup_p) url = curl_url();
    CHECK(url != NULL && curl_url_set(url, CURLUPART_URL, server, 0) == CURLUE_OK);
    AUTO(char *, curl_text_free) scheme = part_of(url, CURLUPART_SCHEME);
    AUTO(char *, curl_text_free) host = part_of(url, CURLUPART_HOST);
    AUTO(char *, curl_text_free) port = part_of(url, CURLUPART_PORT);
    AUTO(char *, curl_text_free) path = part_of(url, CURLUPART_PATH);
    CHECK(scheme != NULL && host != NULL && port != NULL && path != NULL);
    *out_url = text_format("%s://%s:%s%s", scheme, name, port, strcmp(path, "/") == 0 ? "" : path);
    *out_authority = text_format("%s:%s", host, port);
}
