#include "kube/kube_login.h"

#include <string.h>

#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include "kube/kube_file.h"

static void replace(char **place, char *text)
{
    secret_free(*place);
    *place = text;
}

static bool is_pem(const char *text)
{
    return strstr(text, "-----BEGIN ") != NULL;
}

/* What may stand in a header's line. */
static bool is_token(const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++)
        if (text[i] < '!' || text[i] > '~')
            return false;
    return size > 0;
}

static void trim(char *text)
{
    static const char spaces[] = " \t\r\n";
    size_t size = strlen(text);
    while (size > 0 && strchr(spaces, text[size - 1]) != NULL)
        text[--size] = '\0';
    size_t start = strspn(text, spaces);
    memmove(text, text + start, size - start);
    explicit_bzero(text + size - start, start);
}

static bool read_item(const struct kube_config_item *item, char **out_text, struct error *err)
{
    if (item->path != NULL)
        return kube_file_read(item->path, out_text, err);
    *out_text = memory_text(item->data);
    return true;
}

static bool read_pem(const struct kube_config_item *item, char **out_text, struct error *err)
{
    AUTO(char *, secret_free_p) text = NULL;
    if (!read_item(item, &text, err))
        return false;
    if (text != NULL && !is_pem(text))
        return error_set(err, ERROR_CONFIG, "pem_invalid", "%s holds no certificate or key in PEM",
                         item->path != NULL ? item->path : "the kubeconfig");
    *out_text = TAKE(text);
    return true;
}

static bool read_token(const struct kube_config_item *item, char **out_text, struct error *err)
{
    AUTO(char *, secret_free_p) text = NULL;
    if (!read_item(item, &text, err))
        return false;
    if (text != NULL)
        trim(text);
    if (text != NULL && !is_token(text))
        return error_set(err, ERROR_CONFIG, "token_invalid", "%s holds no token",
                         item->path != NULL ? item->path : "the kubeconfig");
    *out_text = TAKE(text);
    return true;
}

/* Into a login that is empty. */
static bool read_all(struct kube_login *login, const struct kube_config *config, struct error *err)
{
    return read_pem(&config->authority, &login->authority, err) &&
           read_pem(&config->certificate, &login->certificate, err) &&
           read_pem(&config->key, &login->key, err) &&
           read_token(&config->token, &login->token, err);
}

bool kube_login_init(struct kube_login *login, const struct kube_config *config, mono_ms_t now,
                     struct error *err)
{
    *login = (struct kube_login){ .config = config, .read_at = now };
    if (read_all(login, config, err))
        return true;
    kube_login_done(login);
    return false;
}

void kube_login_done(struct kube_login *login)
{
    replace(&login->authority, NULL);
    replace(&login->certificate, NULL);
    replace(&login->key, NULL);
    replace(&login->token, NULL);
}

static bool is_other(const char *a, const char *b)
{
    return a != NULL && (b == NULL || strcmp(a, b) != 0);
}

bool kube_login_reread(struct kube_login *login, mono_ms_t now)
{
    struct kube_login read = { .config = login->config };
    login->read_at = now;
    /* Certificate and key only together. */
    bool whole = read_pem(&login->config->certificate, &read.certificate, NULL) &&
                 read_pem(&login->config->key, &read.key, NULL);
    (void)!read_pem(&login->config->authority, &read.authority, NULL);
    (void)!read_token(&login->config->token, &read.token, NULL);
    bool pair =
        whole && (is_other(read.certificate, login->certificate) || is_other(read.key, login->key));
    bool authority = is_other(read.authority, login->authority);
    bool token = is_other(read.token, login->token);
    if (pair) {
        replace(&login->certificate, TAKE(read.certificate));
        replace(&login->key, TAKE(read.key));
    }
    if (authority)
        replace(&login->authority, TAKE(read.authority));
    if (token)
        replace(&login->token, TAKE(read.token));
    kube_login_done(&read);
    return pair || authority || token;
}

void kube_login_refresh(struct kube_login *login, mono_ms_t now)
{
    if (mono_ms_since(now, login->read_at) >= KUBE_LOGIN_FRESH_MS)
        (void)kube_login_reread(login, now);
}

static void set_blob(CURL *easy, CURLoption option, char *pem)
{
    if (pem == NULL)
        return;
    struct curl_blob blob = { .data = pem, .len = strlen(pem), .flags = CURL_BLOB_COPY };
    CHECK(curl_easy_setopt(easy, option, &blob) == CURLE_OK);
}

void kube_login_apply(const struct kube_login *login, CURL *easy)
{
    bool strict = !login->config->insecure;
    CHECK(curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, strict ? 1L : 0L) == CURLE_OK &&
          curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, strict ? 2L : 0L) == CURLE_OK &&
          curl_easy_setopt(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2) == CURLE_OK);
    /* Ours alone, not those of the system beside them. */
    if (login->authority != NULL)
        CHECK(curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK);
    set_blob(easy, CURLOPT_CAINFO_BLOB, login->authority);
    set_blob(easy, CURLOPT_SSLCERT_BLOB, login->certificate);
    set_blob(easy, CURLOPT_SSLKEY_BLOB, login->key);
}

char *kube_login_header(const struct kube_login *login)
{
    return login->token == NULL ? NULL : text_format("Authorization: Bearer %s", login->token);
}
