/* A map for a table that has no fit, from its own utterances. */
#ifndef SR_COMPILE_MAP_H
#define SR_COMPILE_MAP_H
#include "asset_write.h"
#include <stdbool.h>

/* Fits a map on the exit's vectors, negatives left out and routes weighing the same; the exit then has it. *map and
 * *mean, from memory(), must live as long as the exit. False, with a message, when there are too few utterances.
 *
 * Why this and not a whitening that travels with the model: `profile --fit` measured both. Whitening by ordinary
 * prompts gains on narrow intents and loses on broad routes; a map from the utterances gains on both, from 4 a route
 * on. */
bool compile_map(const sr_write_route *routes, uint32_t route_count, sr_write_exit *e, float **map, float **mean);

/* Numbers a mapped row: the directions that tell the routes apart, and as many whitened ones, up to 12, as so many
 * utterances can say something about. Less than SR_MIN_DIM: too few for a map. */
size_t compile_map_row_dim(size_t utterances, uint32_t routes);
#endif
