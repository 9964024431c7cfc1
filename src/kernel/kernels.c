/* Which set of kernels runs. */
#include "kernel/kernel.h"
#include <string.h>

static const sr_kernels *forced;

static const sr_kernels *const all[] = {
#if defined(__wasm_relaxed_simd__)
    &sr_kernels_relaxed,
#endif
#if defined(__wasm_simd128__)
    &sr_kernels_simd128,
#endif
#if defined(__x86_64__)
    &sr_kernels_avx2,
#endif
    &sr_kernels_scalar,
#if defined(__wasm_relaxed_simd__)
    &sr_kernels_relaxed_dot, /* never the best */
#endif
};

static int runs_here(const sr_kernels *k) {
#if defined(__x86_64__)
    if (k == &sr_kernels_avx2) return __builtin_cpu_supports("avx2");
#endif
    (void)k; /* in wasm the module would not have compiled */
    return 1;
}

const sr_kernels *sr_kernels_best(void) {
    if (forced) return forced;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (runs_here(all[i])) return all[i];
    return &sr_kernels_scalar;
}

const sr_kernels *sr_kernels_by_name(const char *name) {
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i]->name, name) == 0 && runs_here(all[i])) return all[i];
    return NULL;
}

void sr_kernels_force(const sr_kernels *k) {
    forced = k;
}
