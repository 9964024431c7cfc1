/* The contract of all kernels. One table of functions an instruction set; the caller picks once.
 *
 * Bit for bit: integer kernels are exact, so all sets agree. Float kernels use fixed eight-lane arithmetic: lane j
 * accumulates elements j, j + 8, j + 16, ... by one multiply and one add each (never fused: -ffp-contract=off), a tail
 * is treated as if padded with zeros, and lanes are combined as ((0+4)+(2+6)) + ((1+5)+(3+7)). The scalar set is the
 * reference. Lengths are any, 0 included; pointers need no alignment unless said; int8 values lie in -127..127 (a row
 * holding -128 is clamped by whoever writes it, and refused by the asset reader).
 */
#ifndef SR_KERNEL_H
#define SR_KERNEL_H
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *name; /* "scalar", "simd128", "relaxed", "relaxed-dot", "avx2" */

    /* sum a[i] * b[i]; n <= 8192 * 8, so the sum fits. */
    int32_t (*dot_i8)(const int8_t *a, const int8_t *b, size_t n);
    /* out[r] = dot(query, rows + r * stride); rows 64-byte aligned, stride a multiple of 64 and padded with zeros,
     * query 64-byte aligned and zero-padded to stride. */
    void (*dots_i8)(const int8_t *query, const int8_t *rows, size_t row_count, size_t stride, int32_t *out);
    float (*dot_f32)(const float *a, const float *b, size_t n);
    /* f32 query against one int8 map row: sum query[i] * (float)row[i], eight lanes. */
    float (*dot_f32_i8)(const float *query, const int8_t *row, size_t n);
    /* out[r] = dot_f32(query, rows + r * stride, n), and the same for int8 rows, the same bits, several rows a pass:
     * one row's additions wait for one another. Each row is zero from n to the next multiple of 8; stride in elements.
     */
    void (*dots_f32)(const float *query, const float *rows, size_t row_count, size_t stride, size_t n, float *out);
    void (*dots_f32_i8)(const float *query, const int8_t *rows, size_t row_count, size_t stride, size_t n, float *out);
} sr_kernels;

extern const sr_kernels sr_kernels_scalar;
#if defined(__x86_64__)
extern const sr_kernels sr_kernels_avx2;
#endif
#if defined(__wasm_simd128__)
extern const sr_kernels sr_kernels_simd128;
#endif
#if defined(__wasm_relaxed_simd__)
extern const sr_kernels sr_kernels_relaxed;     /* the relaxed dot where it is one instruction, else SIMD128's */
extern const sr_kernels sr_kernels_relaxed_dot; /* the relaxed dot everywhere: for tests */
/* Whether the engine makes one instruction of the relaxed dot of 4. */
int sr_relaxed_dot_is_one_instruction(void);
#endif

/* The best set that this processor (native) or this build (wasm) has. SMARTROUTER_KERNELS is not read here: the
 * library has no environment. */
const sr_kernels *sr_kernels_best(void);
/* By name, or null when this build or processor lacks it. For tests and benchmarks. */
const sr_kernels *sr_kernels_by_name(const char *name);
/* Forces a set for everything opened afterwards; null returns to the best. Not thread-safe; for tests and benchmarks.
 */
void sr_kernels_force(const sr_kernels *k);

#endif
