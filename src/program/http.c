/* Vectors from an OpenAI-compatible server: batches, a time limit, retries with growing pauses, and nothing believed
 * unchecked. */
#include "program/http.h"
#include "program/cli.h"
#include "program/files.h"
#include "program/json.h"
#include <curl/curl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ANSWER_MOST = 256 << 20 };

typedef struct {
    char *data;
    size_t bytes;
} body;

static size_t take(char *data, size_t size, size_t count, void *user) {
    body *b = user;
    size_t n = size * count;
    if (b->bytes + n > ANSWER_MOST) return 0;
    b->data = memory_more(b->data, b->bytes + n + 1);
    memcpy(b->data + b->bytes, data, n);
    b->bytes += n;
    b->data[b->bytes] = 0;
    return n;
}

static char *request_json(const http_embedder *h, const char *const *texts, size_t count) {
    cJSON *o = cJSON_CreateObject(), *input = cJSON_AddArrayToObject(o, "input");
    cJSON_AddStringToObject(o, "model", h->model);
    cJSON_AddStringToObject(o, "encoding_format", "float");
    size_t prefix = h->prefix ? strlen(h->prefix) : 0;
    for (size_t i = 0; i < count; i++) {
        size_t bytes = strlen(texts[i]);
        char *whole = memory(prefix + bytes + 1);
        if (prefix) memcpy(whole, h->prefix, prefix);
        memcpy(whole + prefix, texts[i], bytes);
        cJSON_AddItemToArray(input, cJSON_CreateString(whole));
        free(whole);
    }
    char *text = cJSON_PrintUnformatted(o);
    cJSON_Delete(o);
    return text;
}

/* Reads {"data": [{"index", "embedding": [...]}, ...]} into rows; says what is wrong in message. */
static bool read_answer(const body *b, size_t count, size_t *dim, float **rows, size_t first, char *message,
                        size_t message_bytes) {
    char place[200];
    cJSON *root = b->data ? json_parse(b->data, b->bytes, place, sizeof place) : NULL;
    bool fine = false;
    size_t seen = 0;
    if (!root) {
        bool html = b->data && strchr(b->data, '<') && b->data[strspn(b->data, " \r\n\t")] == '<';
        snprintf(message, message_bytes, "the answer is %s",
                 !b->bytes ? "empty"
                 : html    ? "a web page, not JSON; is the URL right?"
                           : place);
        return false;
    }
    const cJSON *data = json_get(root, "data"), *item;
    if (cJSON_GetArraySize(data) != (int)count) {
        snprintf(message, message_bytes, "%zu texts were sent, %d vectors came back", count, cJSON_GetArraySize(data));
        goto end;
    }
    cJSON_ArrayForEach(item, data) {
        const cJSON *vector = json_get(item, "embedding"), *index = json_get(item, "index"), *number;
        size_t n = (size_t)cJSON_GetArraySize(vector), at = seen;
        if (cJSON_IsNumber(index))
            at = index->valuedouble >= 0 && index->valuedouble < (double)count ? (size_t)index->valuedouble : count;
        if (!*dim && n >= SR_MIN_DIM && n <= SR_MAX_DIM) *dim = n;
        if (!cJSON_IsArray(vector) || n != *dim || at >= count) {
            snprintf(message, message_bytes, "vector %zu has %zu numbers; %zu are expected", seen, n, *dim);
            goto end;
        }
        if (!*rows || seen == 0) {
            *rows = memory_more(*rows, (first + count) * *dim * sizeof(float));
            memset(*rows + first * *dim, 0,
                   count * *dim * sizeof(float)); /* one sent twice leaves another zero: refused */
        }
        float *row = *rows + (first + at) * *dim;
        cJSON_ArrayForEach(number, vector) {
            *row++ = (float)number->valuedouble;
            if (cJSON_IsNumber(number) && isfinite((float)number->valuedouble)) continue;
            snprintf(message, message_bytes, "vector %zu holds something that is no number", seen);
            goto end;
        }
        seen++;
    }
    fine = true;
end:
    cJSON_Delete(root);
    return fine;
}

static void pause_ms(long ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static bool ask(const http_embedder *h, CURL *curl, const char *url, const char *json, size_t count, size_t *dim,
                float **rows, size_t first) {
    long wait = 250;
    int retries = h->retries ? h->retries : 4;
    for (int attempt = 0;; attempt++) {
        body answer = {0};
        char failure[CURL_ERROR_SIZE] = "", message[300] = "";
        long status = 0;
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, json);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, failure);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, h->timeout_ms ? h->timeout_ms : 30000L);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
        CURLcode rc = curl_easy_perform(curl);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        bool again = false;
        if (rc != CURLE_OK) {
            snprintf(message, sizeof message, "%s", failure[0] ? failure : curl_easy_strerror(rc));
            again = rc != CURLE_URL_MALFORMAT && rc != CURLE_UNSUPPORTED_PROTOCOL;
        } else if (status != 200) {
            snprintf(message, sizeof message, "HTTP status %ld: %.160s", status, answer.data ? answer.data : "");
            again = status == 429 || status >= 500;
        } else if (read_answer(&answer, count, dim, rows, first, message, sizeof message)) {
            free(answer.data);
            return true;
        }
        free(answer.data);
        if (!again || attempt >= retries) {
            cli_error("%s: %s%s", url, message, attempt ? " (tried several times)" : "");
            return false;
        }
        pause_ms(wait);
        wait *= 2;
    }
}

bool http_embed(const http_embedder *h, const char *const *texts, size_t count, float **out, size_t *dim_out) {
    static bool started;
    if (!started) curl_global_init(CURL_GLOBAL_DEFAULT), started = true;
    CURL *curl = curl_easy_init();
    if (!curl) return cli_error("cannot start libcurl"), false;
    char url[2048], bearer[1024];
    size_t n = strlen(h->url);
    while (n && h->url[n - 1] == '/') n--;
    bool whole = n >= 11 && memcmp(h->url + n - 11, "/embeddings", 11) == 0;
    snprintf(url, sizeof url, "%.*s%s", (int)n, h->url, whole ? "" : "/embeddings");
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (h->key) {
        snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", h->key);
        headers = curl_slist_append(headers, bearer);
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    size_t batch = h->batch ? h->batch : 32, dim = h->dim;
    float *rows = NULL;
    bool fine = true;
    for (size_t i = 0; i < count && fine; i += batch) {
        size_t some = count - i < batch ? count - i : batch;
        char *json = request_json(h, texts + i, some);
        fine = ask(h, curl, url, json, some, &dim, &rows, i);
        free(json);
        if (fine && count > batch && !h->quiet) cli_progress("embedding", i + some, count);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (!fine) return free(rows), false;
    *out = rows, *dim_out = dim;
    return true;
}
