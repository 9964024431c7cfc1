/* A letter and the mark after it as one code point, as Unicode's canonical composition has it: e, U+0301 -> U+00E9. */
#ifndef SR_COMPOSE_H
#define SR_COMPOSE_H
#include <stdint.h>

/* The composition of two code points, or 0 when they have none. Of the first plane, Hangul included. */
uint32_t sr_compose(uint32_t base, uint32_t mark);
/* Is it what sr_compose gives for some two? */
int sr_is_composition(uint32_t code);
#endif
