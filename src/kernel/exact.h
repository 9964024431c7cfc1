/* Functions that libm gives differently from platform to platform, written so that every build gives the same bits.
 *
 * Only +, -, *, / and sqrt are used, each rounded once (IEEE 754 demands it of all five), in a fixed order; compile
 * with -ffp-contract=off. libm's expf differs in the last bit between glibc, musl (emscripten) and vector libraries.
 */
#ifndef SR_KERNEL_EXACT_H
#define SR_KERNEL_EXACT_H
#include <stdint.h>
#include <string.h>

static inline float sr_sqrtf(float x) {
    return __builtin_sqrtf(x);
} /* one instruction everywhere we build for */

/* Nearest integer, halves to even; |x| < 2^22. Adding 1.5 * 2^23 leaves no fraction bits, so the rounding of the
 * addition does it; unlike lrintf it ignores the rounding mode's setter and vectorises. */
static inline float sr_roundf(float x) {
    const float magic = 12582912.0f;
    return (x + magic) - magic;
}

/* e^x within 2 units in the last place for -87 <= x <= 88; x is clamped to that range, so the result is always finite
 * and never subnormal (1.6e-38 at the bottom). x must not be NaN. */
static inline float sr_expf(float x) {
    x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    float k = sr_roundf(x * 1.44269504f);
    /* ln 2 in two parts; the first has trailing zeros, so k * hi is exact and the difference loses nothing */
    float r = (x - k * 0.693359375f) + k * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = (p * r * r + r) + 1.0f;
    uint32_t bits = (uint32_t)((int32_t)k + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

#endif
