/* Route assets and fits from hostile bytes: opening and matching must never read outside or compute nonsense.
 *
 * Each input is tried as it is and with its hashes made right, since random bytes never get past a hash. */
#include "asset_write.h"
#include "reseal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void match_all(const sr_router *r) {
    size_t work_bytes = sr_router_work_bytes(r);
    void *work = aligned(work_bytes);
    for (uint32_t exit = 0; exit < sr_router_exit_count(r); exit++) {
        sr_exit_info x;
        sr_router_exit(r, exit, &x);
        float *q = malloc(x.dim * sizeof *q), *row = malloc(x.row_dim * sizeof *row), xy[2];
        for (uint32_t i = 0; i < x.dim; i++) q[i] = (float)((i * 7919 + exit) % 255) - 127;
        sr_decision d;
        sr_match m[SR_MAX_ROUTES];
        sr_why why[16];
        uint32_t route = 0, weight = 3;
        sr_learned l = {1, row, &route, &weight};
        if (sr_router_project(r, exit, q, x.dim, work, work_bytes, row) == 0 &&
            sr_router_match(r, exit, q, x.dim, &l, work, work_bytes, &d, m, SR_MAX_ROUTES, why, 16) == 0) {
            if (!(d.confidence >= 0 && d.confidence <= 1) || d.route >= sr_router_route_count(r)) abort();
            for (uint32_t i = 0; i < d.match_count; i++)
                if (!(m[i].score >= -1 && m[i].score <= 1.001f)) abort();
            for (uint32_t i = 0; i < d.why_count; i++) {
                sr_utterance_info u;
                if (why[i].utterance < sr_router_utterance_count(r)) sr_router_utterance(r, why[i].utterance, &u);
            }
        }
        sr_router_plane(r, exit, q, x.dim, work, work_bytes, xy);
        free(q), free(row);
    }
    free(work);
}

static void try_one(const uint8_t *data, size_t bytes, int make_right) {
    uint8_t *file = aligned(bytes);
    memcpy(file, data, bytes);
    if (make_right) reseal(file, bytes);
    const sr_router *r;
    int64_t need = sr_router_bytes(file, bytes);
    if (need > 0) {
        void *mem = aligned((size_t)need);
        if (sr_router_open(mem, (size_t)need, file, bytes, &r) == 0) match_all(r);
        free(mem);
    }
    need = sr_fit_bytes(file, bytes);
    if (need > 0) {
        void *mem = aligned((size_t)need);
        if (sr_fit_open(mem, (size_t)need, file, bytes, &r) == 0) {
            sr_write_exit e;
            sr_write_exit_take(r, 0, NULL, 0, &e, NULL, NULL);
        }
        free(mem);
    }
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    try_one(data, bytes, 0);
    try_one(data, bytes, 1);
    return 0;
}
