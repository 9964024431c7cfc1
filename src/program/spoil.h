/* What happens to prompts on their way: typing errors, lost accents, greetings, pasted documents. For eval --robust. */
#ifndef SR_SPOIL_H
#define SR_SPOIL_H
#include "program/eval_stats.h"

typedef struct {
    const char *text, *lang; /* lang may be "" */
    const char *route_name;  /* a route that is not the right one */
} spoil_prompt;

typedef struct {
    const char *words; /* "typing errors, 1 word in 10" */
    char *(*apply)(const spoil_prompt *p, stats_rng *random);
} spoil_way;
extern const spoil_way spoil_ways[]; /* ends with null words */
#endif
