/* products() out of a set's block(): groups of columns, then tokens 4 at a time. Included at the end of matmul_<isa>.c,
 * so that `tokens` is a constant inside each block. */
static void products(const int8_t *act, const int32_t *act_sum, size_t tokens, const uint8_t *packed, size_t cols,
                     size_t group, int32_t *out) {
    size_t groups = sr_matmul_groups(cols, group);
    for (size_t g = 0; g < groups; g++) {
        size_t from = g * group, to = cols - from < group ? cols : from + group, t = 0;
        int32_t *o = out + g * tokens * SR_MATMUL_STRIP;
#define BLOCK(n)                                                                                                       \
    block(act + t * cols, act_sum + t * groups + g, groups, n, packed, from, to, cols, o + t * SR_MATMUL_STRIP)
        for (; t + 4 <= tokens; t += 4) BLOCK(4);
        switch (tokens - t) {
        case 3:
            BLOCK(3);
            break;
        case 2:
            BLOCK(2);
            break;
        case 1:
            BLOCK(1);
            break;
        default:
            break;
        }
#undef BLOCK
    }
}
