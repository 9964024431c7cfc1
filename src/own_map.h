/* The map of a table without a fit: the model's whitening, and with it the directions that tell this table's routes
 * apart, learned from its utterances.
 *
 * The whitening (embed/model.h) turns down what prompts about one thing differ in, above all their language, and knows
 * no routes. A ridge regression in its space onto the routes gives the directions, which are appended. Computed in
 * double precision in a fixed order, so page and program write the same bytes. The caller allocates:
 *
 *   map = malloc(sr_own_map_rows(routes, route_count, e.dim, whitening_rows) * e.dim * sizeof(float));
 *   work = malloc(sr_own_map_work_bytes(routes, route_count, e.dim, whitening_rows));
 *   e.mean = the whitening's; rc = sr_own_map(routes, route_count, &e, whitening, whitening_rows, map, work);
 */
#ifndef SR_OWN_MAP_H
#define SR_OWN_MAP_H
#include "asset_write.h"

/* Numbers a mapped row at most: the whitening's, and one less than there are routes with utterances. No more than dim:
 * the whitening's last rows, which matter least, give way. */
uint32_t sr_own_map_rows(const sr_write_route *routes, uint32_t route_count, uint32_t dim, uint32_t whitening_rows);
/* Bytes of 64-byte-aligned scratch memory. */
size_t sr_own_map_work_bytes(const sr_write_route *routes, uint32_t route_count, uint32_t dim, uint32_t whitening_rows);

/* The map for an exit whose dim, mean and vectors are set; sets its map and row_dim. Negatives and vectors without
 * direction are left out.
 *
 * Shape   whitening[whitening_rows][e->dim], map[sr_own_map_rows][e->dim]
 * Memory  map stays the caller's, and the exit points at it; nothing is allocated
 * Errors  SR_E_ARGUMENT for no whitening rows or more than dim; SR_E_NAN for a vector that is not finite
 */
int sr_own_map(const sr_write_route *routes, uint32_t route_count, sr_write_exit *e, const float *whitening,
               uint32_t whitening_rows, float *map, void *work);

#endif
