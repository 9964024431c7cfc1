/* Reads a route file and checks every field, naming the route and the field that is wrong. */
#include "program/routes_file.h"
#include "program/cli.h"
#include "program/files.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *path;
    bool failed;
} checker;

#define WRONG(c, ...) (cli_error(__VA_ARGS__), (void)((c)->failed = true))

static bool known_fields(checker *c, const cJSON *object, const char *where, const char *const *names) {
    bool fine = true;
    for (const cJSON *m = object->child; m; m = m->next) {
        int i = 0;
        while (names[i] && strcmp(names[i], m->string) != 0) i++;
        if (names[i] || m->string[0] == '$' || strcmp(m->string, "comment") == 0) continue;
        WRONG(c, "%s: %s: unknown field \"%s\"; routes/README.md lists the fields", c->path, where, m->string);
        fine = false;
    }
    for (const cJSON *m = object->child; m; m = m->next)
        for (const cJSON *n = m->next; n; n = n->next)
            if (strcmp(m->string, n->string) == 0)
                WRONG(c, "%s: %s: field \"%s\" stands there twice", c->path, where, m->string);
    return fine;
}

static char *string_field(checker *c, const cJSON *object, const char *where, const char *name, bool needed) {
    const cJSON *field = json_get(object, name);
    if (!field && !needed) return NULL;
    if (!cJSON_IsString(field) || (needed && !field->valuestring[0])) {
        WRONG(c, "%s: %s: \"%s\" %s", c->path, where, name, field ? "must be a text that is not empty" : "is missing");
        return NULL;
    }
    return text_copy(field->valuestring, strlen(field->valuestring));
}

static bool number_field(checker *c, const cJSON *object, const char *where, const char *name, double lowest,
                         double highest, double *out) {
    const cJSON *field = json_get(object, name);
    if (!field) return false;
    if (!cJSON_IsNumber(field) || !(field->valuedouble >= lowest && field->valuedouble <= highest)) {
        WRONG(c, "%s: %s: \"%s\" must be a number from %g to %g", c->path, where, name, lowest, highest);
        return false;
    }
    *out = field->valuedouble;
    return true;
}

static char **texts_field(checker *c, const cJSON *object, const char *where, const char *name, uint32_t *count) {
    const cJSON *field = json_get(object, name);
    *count = 0;
    if (!field) return NULL;
    if (!cJSON_IsArray(field)) return WRONG(c, "%s: %s: \"%s\" must be a list of texts", c->path, where, name), NULL;
    int n = cJSON_GetArraySize(field), i = 0;
    char **texts = memory(sizeof *texts * (size_t)(n ? n : 1));
    const cJSON *item;
    cJSON_ArrayForEach(item, field) {
        /* "text", or {"text": …} with notes of the author's own beside it */
        const cJSON *text = cJSON_IsObject(item) ? json_get(item, "text") : item;
        i++;
        if (!cJSON_IsString(text) || !text->valuestring[strspn(text->valuestring, " \t\r\n")]) {
            WRONG(c, "%s: %s: \"%s\" number %d must be a text that is not empty", c->path, where, name, i);
            continue;
        }
        texts[(*count)++] = text_copy(text->valuestring, strlen(text->valuestring));
    }
    return texts;
}

static void read_route(checker *c, const cJSON *item, int number, route_source *r) {
    static const char *const names[] = {"id",     "label",      "description", "target", "threshold",
                                        "margin", "utterances", "negatives",   NULL};
    char where[160];
    const cJSON *id = json_get(item, "id");
    if (cJSON_IsString(id))
        snprintf(where, sizeof where, "route \"%.100s\"", id->valuestring);
    else
        snprintf(where, sizeof where, "route number %d", number);
    if (!cJSON_IsObject(item)) {
        WRONG(c, "%s: %s must be an object", c->path, where);
        return;
    }
    known_fields(c, item, where, names);
    r->id = string_field(c, item, where, "id", true);
    r->label = string_field(c, item, where, "label", false);
    r->description = string_field(c, item, where, "description", false);
    r->target = string_field(c, item, where, "target", false);
    double value;
    if (number_field(c, item, where, "threshold", -1, 1, &value)) r->threshold = (float)value, r->has_threshold = true;
    if (number_field(c, item, where, "margin", 0, 2, &value)) r->margin = (float)value, r->has_margin = true;
    r->utterances = texts_field(c, item, where, "utterances", &r->utterance_count);
    r->negatives = texts_field(c, item, where, "negatives", &r->negative_count);
}

static void read_embedder(checker *c, const cJSON *object, routes_file *out) {
    static const char *const names[] = {"model", "exits", "prefix", "dimensions", NULL};
    if (!object) return;
    if (!cJSON_IsObject(object)) {
        WRONG(c, "%s: \"embedder\" must be an object", c->path);
        return;
    }
    known_fields(c, object, "embedder", names);
    out->model = string_field(c, object, "embedder", "model", false);
    out->prefix = string_field(c, object, "embedder", "prefix", false);
    double value;
    if (number_field(c, object, "embedder", "dimensions", SR_MIN_DIM, SR_MAX_DIM, &value))
        out->dimensions = (uint32_t)value;
    const cJSON *exits = json_get(object, "exits"), *item;
    if (exits && !cJSON_IsArray(exits)) WRONG(c, "%s: embedder: \"exits\" must be a list of layer numbers", c->path);
    cJSON_ArrayForEach(item, exits) {
        double layer = cJSON_IsNumber(item) ? item->valuedouble : -1;
        bool rising = !out->layer_count || layer > out->layers[out->layer_count - 1];
        if (layer < 0 || layer > 255 || layer != floor(layer) || !rising || out->layer_count + 1 >= SR_MAX_EXITS) {
            WRONG(c, "%s: embedder: \"exits\" must be rising whole numbers from 0, such as [1, 4, 9]", c->path);
            return;
        }
        out->layers[out->layer_count++] = (uint32_t)layer;
    }
}

static void check_whole(checker *c, const cJSON *root, routes_file *out) {
    char *fallback = string_field(c, root, "the file", "fallback", true);
    bool found = false;
    for (uint32_t i = 0; i < out->route_count; i++) {
        route_source *r = &out->routes[i];
        if (!r->id) continue;
        if (fallback && strcmp(r->id, fallback) == 0) out->fallback = i, found = true;
        for (uint32_t j = 0; j < i; j++)
            if (out->routes[j].id && strcmp(out->routes[j].id, r->id) == 0)
                WRONG(c, "%s: route \"%s\": the id stands there twice (routes number %u and %u)", c->path, r->id, j + 1,
                      i + 1);
        out->utterance_count += r->utterance_count + r->negative_count;
    }
    if (fallback && !found) WRONG(c, "%s: \"fallback\": no route has the id \"%s\"", c->path, fallback);
    for (uint32_t i = 0; i < out->route_count; i++)
        if (out->routes[i].id && !out->routes[i].utterance_count && !(found && i == out->fallback))
            WRONG(c, "%s: route \"%s\": \"utterances\" is empty; give at least one example prompt", c->path,
                  out->routes[i].id);
    if (out->utterance_count > SR_MAX_UTTERANCES)
        WRONG(c, "%s: %u utterances; at most %d are allowed", c->path, out->utterance_count, SR_MAX_UTTERANCES);
    if (!out->utterance_count) WRONG(c, "%s: no route has an utterance", c->path);
    free(fallback);
}

bool routes_file_read(const char *path, routes_file *out) {
    static const char *const names[] = {"name",       "version", "fallback", "embedder", "aggregation",
                                        "low_margin", "fit",     "routes",   NULL};
    memset(out, 0, sizeof *out);
    file_bytes file;
    char message[200];
    if (!file_read(path, &file)) return false;
    cJSON *root = json_parse(file.data, file.bytes, message, sizeof message);
    file_free(&file);
    if (!root) return cli_error("%s: %s", path, message), false;
    checker c = {path, false};
    const cJSON *routes = json_get(root, "routes"), *item;
    int count = cJSON_GetArraySize(routes);
    if (!cJSON_IsObject(root) || !cJSON_IsArray(routes) || count < 1) {
        WRONG(&c, "%s: the file must be an object with a list \"routes\"; routes/README.md shows one", path);
    } else if (count > SR_MAX_ROUTES) {
        WRONG(&c, "%s: %d routes; at most %d are allowed", path, count, SR_MAX_ROUTES);
    } else {
        known_fields(&c, root, "the file", names);
        out->name = string_field(&c, root, "the file", "name", true);
        out->fit = string_field(&c, root, "the file", "fit", false);
        char *low = string_field(&c, root, "the file", "low_margin", false);
        out->low_margin_flags = low && strcmp(low, "uncertain") == 0;
        if (low && !out->low_margin_flags && strcmp(low, "fallback") != 0)
            WRONG(&c, "%s: \"low_margin\" must be \"fallback\" or \"uncertain\"", path);
        free(low);
        const cJSON *aggregation = json_get(root, "aggregation");
        double k = 0;
        if (cJSON_IsString(aggregation) && strcmp(aggregation->valuestring, "max") == 0)
            out->aggregation_k = 1;
        else if (number_field(&c, root, "the file", "aggregation", 1, SR_MAX_TOP_K, &k))
            out->aggregation_k = (uint32_t)k;
        read_embedder(&c, json_get(root, "embedder"), out);
        out->routes = memory(sizeof *out->routes * (size_t)count);
        cJSON_ArrayForEach(item, routes) {
            read_route(&c, item, (int)out->route_count + 1, &out->routes[out->route_count]);
            out->route_count++;
        }
        check_whole(&c, root, out);
    }
    cJSON_Delete(root);
    if (c.failed) routes_file_free(out);
    return !c.failed;
}

static void free_texts(char **texts, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) free(texts[i]);
    free(texts);
}

void routes_file_free(routes_file *f) {
    for (uint32_t i = 0; i < f->route_count; i++) {
        route_source *r = &f->routes[i];
        free(r->id), free(r->label), free(r->description), free(r->target);
        free_texts(r->utterances, r->utterance_count);
        free_texts(r->negatives, r->negative_count);
    }
    free(f->routes), free(f->name), free(f->fit), free(f->model), free(f->prefix);
    memset(f, 0, sizeof *f);
}
