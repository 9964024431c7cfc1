/* Figures out of JSON. */
#include "program/figures.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const cJSON *figure_at(const cJSON *o, const char *path) {
    while (o && *path) {
        char name[128];
        size_t bytes = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)bytes, path);
        o = json_get(o, name);
        path += bytes + (path[bytes] == '.');
    }
    return o;
}

double figure(const cJSON *o, const char *path) {
    o = figure_at(o, path);
    if (cJSON_IsObject(o)) o = json_get(o, "value");
    if (cJSON_IsRaw(o)) return strtod(o->valuestring, NULL); /* json_float writes raw text */
    return cJSON_IsNumber(o) ? o->valuedouble : NAN;
}

const char *figure_text(const cJSON *o, const char *path) {
    o = figure_at(o, path);
    return cJSON_IsString(o) ? o->valuestring : "";
}

static char *buffer(void) {
    static char texts[8][64];
    static int turn;
    return texts[turn++ % 8];
}

const char *figure_percent(double share) {
    char *out = buffer();
    if (isnan(share)) return "-";
    snprintf(out, 64, "%.1f", 100 * share);
    return out;
}

const char *figure_interval(const cJSON *i) {
    char *out = buffer();
    double value = figure(i, "value");
    if (isnan(value)) return "-";
    snprintf(out, 64, "%.1f %% (%.1f to %.1f)", 100 * value, 100 * figure(i, "low"), 100 * figure(i, "high"));
    return out;
}

size_t figure_characters(const char *s) {
    size_t n = 0;
    for (; *s; s++) n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}
