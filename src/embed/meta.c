/* META of a model file, and the codings of stored rows; see MODEL.md. */
#include "model.h"
#include <string.h>

static uint32_t float_bits(float f) {
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}
static float bits_float(uint32_t u) {
    float f;
    memcpy(&f, &u, 4);
    return f;
}
static int is_finite_bits(uint32_t u) {
    return (u & 0x7f800000) != 0x7f800000;
}

/* Every 4-byte field in file order. One list stores and loads, so that the two cannot differ. */
#define META_FIELDS(U, F)                                                                                              \
    U(dim)                                                                                                             \
    U(layers)                                                                                                          \
    U(heads)                                                                                                           \
    U(ffn_dim)                                                                                                         \
    U(piece_count)                                                                                                     \
    U(node_count)                                                                                                      \
    U(max_tokens)                                                                                                      \
    U(position_offset)                                                                                                 \
    U(activation)                                                                                                      \
    U(attention_bias_reach)                                                                                            \
    F(norm_epsilon)                                                                                                    \
    F(unknown_score)                                                                                                   \
    U(tokenizer)                                                                                                       \
    U(tokenizer_flags)                                                                                                 \
    U(begin)                                                                                                           \
    U(end)                                                                                                             \
    U(unknown)                                                                                                         \
    U(pad)                                                                                                             \
    U(mask)                                                                                                            \
    U(pooling)                                                                                                         \
    U(embedding_coding)                                                                                                \
    U(subspaces)                                                                                                       \
    U(position_coding)                                                                                                 \
    U(layer_coding)                                                                                                    \
    U(score_coding)                                                                                                    \
    F(score_low) F(score_step) U(map_count) U(map_outputs) U(head_pieces) U(upstream_pieces) U(id_bytes) U(prefix_bytes)

enum { ID_AT = 132, PREFIX_AT = ID_AT + SR_MODEL_ID_BYTES, ZERO_AT = PREFIX_AT + SR_MODEL_PREFIX_BYTES };

void sr_model_meta_store(uint8_t out[SR_MODEL_META_BYTES], const sr_model_meta *m) {
    size_t at = 0;
    memset(out, 0, SR_MODEL_META_BYTES);
#define U(field) sr_store32(out + at, m->field), at += 4;
#define F(field) sr_store32(out + at, float_bits(m->field)), at += 4;
    META_FIELDS(U, F)
#undef U
#undef F
    memcpy(out + ID_AT, m->id, m->id_bytes);
    memcpy(out + PREFIX_AT, m->prefix, m->prefix_bytes);
}

/* UTF-8 without control characters. */
static int printable(const char *text, uint32_t bytes) {
    for (uint32_t i = 0; i < bytes; i++)
        if ((uint8_t)text[i] < 0x20) return 0;
    return sr_utf8_valid(text, bytes);
}

int sr_model_meta_load(sr_model_meta *m, const uint8_t *in, size_t bytes) {
    if (bytes != SR_MODEL_META_BYTES) return SR_E_FORMAT;
    size_t at = 0;
    memset(m, 0, sizeof *m);
#define U(field) m->field = sr_load32(in + at), at += 4;
#define F(field)                                                                                                       \
    if (!is_finite_bits(sr_load32(in + at))) return SR_E_NAN;                                                          \
    m->field = bits_float(sr_load32(in + at)), at += 4;
    META_FIELDS(U, F)
#undef U
#undef F
    for (size_t i = ZERO_AT; i < SR_MODEL_META_BYTES; i++)
        if (in[i]) return SR_E_FORMAT;
    if (m->dim == 0 || m->dim % 32 || m->ffn_dim == 0 || m->ffn_dim % 32 || m->heads == 0 || m->dim % m->heads)
        return SR_E_FORMAT;
    if (m->dim > SR_MODEL_MAX_WIDTH || m->ffn_dim > SR_MODEL_MAX_FFN || m->layers > SR_MODEL_MAX_LAYERS)
        return SR_E_LIMIT;
    if (m->dim / m->heads % 8 || m->dim / m->heads > 128) return SR_E_UNSUPPORTED;
    if (m->piece_count == 0 || m->node_count == 0) return SR_E_FORMAT;
    if (m->piece_count > SR_MAX_PIECES || m->node_count > 1u << 24) return SR_E_LIMIT;
    if (m->max_tokens < 3 || m->max_tokens > SR_MAX_TOKENS || m->position_offset > 1024) return SR_E_LIMIT;
    if (m->activation > SR_ACTIVATION_RELU) return SR_E_UNSUPPORTED;
    if (m->tokenizer != SR_TOKENIZER_UNIGRAM && m->tokenizer != SR_TOKENIZER_WORDPIECE) return SR_E_UNSUPPORTED;
    if (m->tokenizer_flags & SR_TOKENIZER_WORDPIECE_WORDS || !sr_tokenizer_flags_good(sr_model_flags(m)))
        return SR_E_UNSUPPORTED;
    if (m->attention_bias_reach && (m->attention_bias_reach < m->max_tokens || m->attention_bias_reach > SR_MAX_TOKENS))
        return SR_E_FORMAT;
    if (!(m->norm_epsilon >= 0)) return SR_E_FORMAT;
    if (m->begin >= m->piece_count || m->end >= m->piece_count || m->unknown >= m->piece_count) return SR_E_FORMAT;
    if (m->pooling > SR_POOL_MAX) return SR_E_UNSUPPORTED;
    if (m->embedding_coding > SR_CODING_Q8_BLOCKS) return SR_E_UNSUPPORTED;
    if (m->layer_coding > SR_CODING_Q8_BLOCKS || m->layer_coding == SR_CODING_PQ) return SR_E_UNSUPPORTED;
    if (m->position_coding != SR_CODING_F32 && m->position_coding != SR_CODING_Q8) return SR_E_UNSUPPORTED;
    if (m->embedding_coding == SR_CODING_PQ && (m->subspaces == 0 || m->dim % m->subspaces)) return SR_E_FORMAT;
    if (m->score_coding > SR_SCORES_U8) return SR_E_UNSUPPORTED;
    if (m->map_count > SR_MAX_MAP || m->map_outputs > SR_MAX_MAP_OUTPUTS) return SR_E_LIMIT;
    if (m->head_pieces > m->max_tokens - 2) return SR_E_FORMAT;
    if (m->id_bytes > SR_MODEL_ID_BYTES || m->prefix_bytes > SR_MODEL_PREFIX_BYTES) return SR_E_FORMAT;
    memcpy(m->id, in + ID_AT, SR_MODEL_ID_BYTES);
    memcpy(m->prefix, in + PREFIX_AT, SR_MODEL_PREFIX_BYTES);
    if (!printable(m->id, m->id_bytes) || !printable(m->prefix, m->prefix_bytes)) return SR_E_UTF8;
    return 0;
}

/* ---- codings ------------------------------------------------------------------------------------------------- */

float sr_half_to_float(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 1023;
    if (exponent == 31) return bits_float(sign | 0x7f800000 | mantissa << 13);
    if (exponent) return bits_float(sign | (exponent + 112) << 23 | mantissa << 13);
    float f = (float)mantissa * bits_float(0x33800000); /* 2^-24: subnormal */
    return sign ? -f : f;
}

uint16_t sr_float_to_half(float f) {
    uint32_t u = float_bits(f), sign = u >> 16 & 0x8000, a = u & 0x7fffffff;
    if (a >= 0x7f800000) return (uint16_t)(sign | 0x7c00 | (a > 0x7f800000 ? 0x200 : 0));
    if (a >= 0x477ff000) return (uint16_t)(sign | 0x7c00);
    if (a < 0x38800000) { /* subnormal: let the addition round */
        float r = bits_float(a) + 0.5f;
        return (uint16_t)(sign | (float_bits(r) - 0x3f000000));
    }
    return (uint16_t)(sign | (((a + 0xfff + (a >> 13 & 1)) >> 13) - 0x1c000));
}

size_t sr_coding_row_bytes(uint32_t coding, uint32_t cols, uint32_t subspaces) {
    switch (coding) {
    case SR_CODING_F32:
        return (size_t)cols * 4;
    case SR_CODING_Q4:
        return (size_t)cols / 32 * 18;
    case SR_CODING_Q8:
        return (size_t)cols + 4;
    case SR_CODING_Q8_BLOCKS:
        return (size_t)cols / 32 * 34;
    default:
        return subspaces;
    }
}

int sr_coding_row(uint32_t coding, const uint8_t *row, uint32_t cols, float *out) {
    uint32_t bad = 0;
    if (coding == SR_CODING_F32) {
        for (uint32_t i = 0; i < cols; i++) {
            uint32_t u = sr_load32(row + (size_t)i * 4);
            bad |= !is_finite_bits(u);
            out[i] = bits_float(u);
        }
    } else if (coding == SR_CODING_Q4) {
        for (uint32_t b = 0; b < cols; b += 32, row += 18) {
            float scale = sr_half_to_float((uint16_t)(row[0] | row[1] << 8));
            bad |= !is_finite_bits(float_bits(scale));
            float *low = out + b, *high = low + 16;
            for (int j = 0; j < 16; j++) {
                low[j] = (float)((row[2 + j] & 15) - 8) * scale;
                high[j] = (float)((row[2 + j] >> 4) - 8) * scale;
            }
        }
    } else if (coding == SR_CODING_Q8_BLOCKS) {
        for (uint32_t b = 0; b < cols; b += 32, row += 34) {
            float scale = sr_half_to_float((uint16_t)(row[0] | row[1] << 8));
            bad |= !is_finite_bits(float_bits(scale));
            for (int j = 0; j < 32; j++) out[b + (uint32_t)j] = (float)(int8_t)row[2 + j] * scale;
        }
    } else {
        float scale = bits_float(sr_load32(row));
        bad |= !is_finite_bits(float_bits(scale));
        for (uint32_t i = 0; i < cols; i++) out[i] = (float)(int8_t)row[4 + i] * scale;
    }
    return bad ? SR_E_NAN : 0;
}
