/* What people put around a request, for training: greetings, thanks, another language, the name of a route, a pasted
 * document. (What eval --robust tries is another set of texts: spoil.h.) */
#ifndef SR_SURROUND_H
#define SR_SURROUND_H
#include "program/dataset.h"

/* Appends a surrounded copy of about `share` of the first `count` rows that are not skipped. `path`: JSONL, of each
 * line "lang" and one of "before", "after", "document", and "route", a text with {route} in it. labels[route]: how
 * routes are named there. The same input gives the same copies. On failure prints what and why. */
bool surround_rows(dataset *d, size_t count, const uint8_t *skip, double share, const char *path, char *const *labels);
#endif
