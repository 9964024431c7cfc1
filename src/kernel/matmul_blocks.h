/* A set's bytes() or nibbles() out of its function for a block: groups of columns, then tokens 4 at a time, with their
 * number a constant inside each call.
 *
 *   block(act, start, cols, tokens, weights, columns, out)
 *
 * is given the group's first column: columns, a multiple of 32, are the group's, cols a whole token's. The next token's
 * start is cols / 16 further. block_bytes: of the weights of 32 columns of a strip. weights is what prepare(packed,
 * columns) makes of a strip's, once a group.
 */
#ifndef SR_MATMUL_BLOCKS_H
#define SR_MATMUL_BLOCKS_H
#include "matmul.h"

#define SR_AS_PACKED(packed, columns) (packed)

#define SR_PRODUCTS(name, block, block_bytes, prepare)                                                                 \
    static void name(const int8_t *act, const int16_t *start, size_t tokens, const uint8_t *packed, size_t cols,       \
                     size_t group, int32_t *out) {                                                                     \
        for (size_t from = 0, g = 0; from < cols; from += group, g++) {                                                \
            size_t columns = cols - from < group ? cols - from : group;                                                \
            const void *w = prepare(packed + from / SR_MATMUL_BLOCK * (block_bytes), columns);                         \
            for (size_t t = 0; t < tokens; t += 4) {                                                                   \
                const int8_t *a = act + t * cols + from;                                                               \
                const int16_t *s = start + (t * cols + from) / 16;                                                     \
                int32_t *o = out + (g * tokens + t) * SR_MATMUL_STRIP;                                                 \
                size_t left = tokens - t;                                                                              \
                if (left == 1)                                                                                         \
                    block(a, s, cols, 1, w, columns, o);                                                               \
                else if (left == 2)                                                                                    \
                    block(a, s, cols, 2, w, columns, o);                                                               \
                else if (left == 3)                                                                                    \
                    block(a, s, cols, 3, w, columns, o);                                                               \
                else                                                                                                   \
                    block(a, s, cols, 4, w, columns, o);                                                               \
            }                                                                                                          \
        }                                                                                                              \
    }

#endif
