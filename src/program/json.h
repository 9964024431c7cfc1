/* JSON through cJSON, with the place of an error. */
#ifndef SR_JSON_H
#define SR_JSON_H
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/* Parses one JSON value; nothing but white space may follow. On failure returns null and writes
 * "line 3, column 7: what" into message. Refuses invalid UTF-8 and zeros, escaped ones too. */
cJSON *json_parse(const char *text, size_t bytes, char *message, size_t message_bytes);
/* Member of an object, or null; case-sensitive. */
cJSON *json_get(const cJSON *object, const char *name);
/* A member that is a text, or null; the object's. */
const char *json_text(const cJSON *object, const char *name);
/* Floats print with seven digits, so that decisions stay readable. Returns an item for cJSON_AddItemToObject. */
cJSON *json_float(double value);
#endif
