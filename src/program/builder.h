/* Text that grows, and JSON written straight into it: for one answer a line, where a tree of cJSON items would take
 * longer than the routing. */
#ifndef SR_BUILDER_H
#define SR_BUILDER_H
#include "smartrouter.h"
#include <stdbool.h>

typedef struct {
    char *data; /* zero-terminated once something was added; free() it */
    size_t bytes, room;
} builder;

void build(builder *b, const char *text, size_t bytes);
void build_text(builder *b, const char *text);
/* A JSON string, quotes included; text is valid UTF-8. */
void build_json_text(builder *b, const char *text, size_t bytes);
/* As printf's %.7g, as json_float prints; null when not finite. */
void build_json_float(builder *b, float value);

/* The string member `name` of a JSON object, found in one pass: of a plain record, whose members are strings, numbers,
 * true, false or null, and of which none is called "decision". Returns false for any other line, right or wrong: then
 * ask json_parse. What it accepts, json_parse accepts too, with the same text. *text points into the line or, where
 * the string holds escapes, into scratch. */
bool json_plain_member(const char *line, size_t bytes, const char *name, builder *scratch, sr_text *text);
#endif
