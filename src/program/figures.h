/* Reads figures out of the JSON that the measuring commands make, whether just made or read from a file. */
#ifndef SR_FIGURES_H
#define SR_FIGURES_H
#include "program/json.h"

/* "routing.utterances.16": member of member; null when absent. A part may not hold a dot. */
const cJSON *figure_at(const cJSON *o, const char *path);
/* Its number; of an interval the value; NaN when absent. */
double figure(const cJSON *o, const char *path);
const char *figure_text(const cJSON *o, const char *path); /* "" when absent */
/* "81.3" of 0.8134, "-" of NaN; a static buffer, one of eight. */
const char *figure_percent(double share);
/* "81.3 % (79.0 to 83.4)" of an interval, "-" when absent; likewise. */
const char *figure_interval(const cJSON *interval);
size_t figure_characters(const char *s); /* code points */
#endif
