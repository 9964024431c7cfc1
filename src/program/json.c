/* JSON through cJSON, with the place of an error. */
#include "program/json.h"
#include "container.h"
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void place(const char *text, const char *at, char *message, size_t message_bytes, const char *what) {
    size_t line = 1, column = 1;
    for (const char *p = text; p < at; p++) {
        if (*p == '\n')
            line++, column = 1;
        else if (((uint8_t)*p & 0xc0) != 0x80)
            column++; /* characters, not bytes */
    }
    snprintf(message, message_bytes, "line %zu, column %zu: %s", line, column, what);
}

/* The first escape \u0000, or null: cJSON would end the text there, and its rest would be lost without a word. */
static const char *zero_escape(const char *text, size_t bytes) {
    for (size_t i = 0; i + 6 <= bytes; i++) {
        if (text[i] != '\\') continue;
        if (memcmp(text + i, "\\u0000", 6) == 0) return text + i;
        i++; /* what is escaped begins no escape */
    }
    return NULL;
}

cJSON *json_parse(const char *text, size_t bytes, char *message, size_t message_bytes) {
    if (bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) text += 3, bytes -= 3; /* byte order mark */
    const char *zero = memchr(text, 0, bytes);
    if (zero) return place(text, zero, message, message_bytes, "a zero byte"), NULL;
    size_t good = sr_utf8_prefix(text, bytes);
    if (good < bytes) return place(text, text + good, message, message_bytes, "not valid UTF-8"), NULL;
    zero = zero_escape(text, bytes);
    if (zero) return place(text, zero, message, message_bytes, "the escape \\u0000, which a text cannot hold"), NULL;
    const char *end = NULL;
    cJSON *value = cJSON_ParseWithLengthOpts(text, bytes, &end, 0);
    if (!value) {
        if (!end || end < text || end > text + bytes) end = text + bytes;
        /* cJSON points at the last byte when it ran out of text */
        const char *what = end + 1 >= text + bytes ? "the JSON ends too early" : "not valid JSON from here on";
        return place(text, end, message, message_bytes, what), NULL;
    }
    while (end < text + bytes && strchr(" \t\r\n", *end)) end++;
    if (end < text + bytes) {
        place(text, end, message, message_bytes, "something follows the JSON value");
        cJSON_Delete(value);
        return NULL;
    }
    return value;
}

cJSON *json_get(const cJSON *object, const char *name) {
    return cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, name) : NULL;
}

const char *json_text(const cJSON *object, const char *name) {
    const cJSON *member = json_get(object, name);
    return cJSON_IsString(member) ? member->valuestring : NULL;
}

cJSON *json_float(double value) {
    char text[32];
    if (!isfinite(value)) return cJSON_CreateNull();
    snprintf(text, sizeof text, "%.7g", value);
    return cJSON_CreateRaw(text);
}
