/* Front-coded vocabularies and their trie; see vocab.h. */
#include "vocab.h"
#include <string.h>

enum { WIDE_FROM = 12 }; /* children; below, scanning the labels is as fast and needs no 256 bytes */

static uint32_t wide_capacity(uint32_t node_count) {
    uint32_t n = node_count / 128 + 1;
    return n < SR_TRIE_MAX_WIDE ? n : SR_TRIE_MAX_WIDE;
}

size_t sr_trie_bytes(uint32_t node_count) {
    return ((size_t)node_count + 1) * sizeof(sr_trie_node) + ((size_t)wide_capacity(node_count) + 1) * 256 +
           node_count + 8;
}

void sr_vocab_begin(sr_vocab_cursor *c, const uint8_t *stream, size_t bytes) {
    c->at = stream;
    c->end = stream + bytes;
    c->bytes = 0;
}

int sr_vocab_next(sr_vocab_cursor *c) {
    if (c->end - c->at < 3) return 0;
    uint32_t shared = c->at[0], suffix = c->at[1];
    if (suffix == 0 || shared > c->bytes || shared + suffix > SR_MAX_PIECE_BYTES ||
        c->end - c->at < 2 + (ptrdiff_t)suffix)
        return 0;
    /* ascending, and sharing as much as can be shared */
    if (shared < c->bytes && c->at[2] <= c->text[shared]) return 0;
    memcpy(c->text + shared, c->at + 2, suffix);
    c->bytes = shared + suffix;
    c->at += 2 + suffix;
    return 1;
}

size_t sr_vocab_append(uint8_t *out, const uint8_t *previous, size_t previous_bytes, const uint8_t *text, size_t bytes,
                       uint32_t *node_count) {
    size_t shared = 0;
    while (previous && shared < previous_bytes && shared < bytes && previous[shared] == text[shared]) shared++;
    out[0] = (uint8_t)shared;
    out[1] = (uint8_t)(bytes - shared);
    memcpy(out + 2, text + shared, bytes - shared);
    *node_count += (uint32_t)(bytes - shared);
    return 2 + bytes - shared;
}

int sr_trie_build(sr_trie *t, void *mem, const uint8_t *stream, size_t bytes, uint32_t piece_count, uint32_t node_count,
                  const uint32_t *hidden, size_t hidden_count) {
    if (piece_count == 0 || piece_count > SR_MAX_PIECES || node_count == 0 || node_count - 1 > bytes)
        return SR_E_FORMAT;
    uint32_t next[SR_MAX_PIECE_BYTES + 2] = {0}, path[SR_MAX_PIECE_BYTES + 1];
    sr_vocab_cursor c;
    uint64_t nodes = 1;
    uint32_t pieces = 0;

    sr_vocab_begin(&c, stream, bytes);
    while (c.at < c.end) {
        const uint8_t *entry = c.at;
        if (!sr_vocab_next(&c)) return SR_E_FORMAT;
        for (uint32_t d = entry[0]; d < c.bytes; d++) next[d + 2]++; /* nodes of level d + 1, to begin level d + 2 */
        nodes += entry[1];
        pieces++;
    }
    if (nodes != node_count || pieces != piece_count) return SR_E_FORMAT;
    next[0] = 0;
    next[1] = 1;
    for (int d = 2; d <= SR_MAX_PIECE_BYTES + 1; d++) next[d] += next[d - 1];

    uint32_t capacity = wide_capacity(node_count), wide = 0;
    t->node_count = node_count;
    t->piece_count = piece_count;
    t->nodes = mem;
    t->wide = (uint8_t *)(t->nodes + node_count + 1);
    t->labels = t->wide + ((size_t)capacity + 1) * 256;
    memset(t->nodes, 0, ((size_t)node_count + 1) * sizeof *t->nodes);

    uint32_t piece = 0;
    path[0] = 0;
    sr_vocab_begin(&c, stream, bytes);
    while (c.at < c.end) {
        uint32_t shared = c.at[0];
        sr_vocab_next(&c);
        for (uint32_t d = shared; d < c.bytes; d++) {
            uint32_t node = next[d + 1]++, parent = path[d];
            if (t->nodes[parent].first == 0) t->nodes[parent].first = node;
            t->labels[node] = c.text[d];
            path[d + 1] = node;
        }
        int is_hidden = 0;
        for (size_t h = 0; h < hidden_count; h++) is_hidden |= hidden[h] == piece;
        piece++;
        if (!is_hidden) t->nodes[path[c.bytes]].value = piece;
    }
    t->labels[0] = 0;
    memset(t->labels + node_count, 0, 8);
    t->nodes[node_count].first = node_count;
    for (uint32_t i = node_count; i-- > 0;)
        if (t->nodes[i].first == 0) t->nodes[i].first = t->nodes[i + 1].first;

    for (uint32_t i = 0; i < node_count && wide < capacity; i++) {
        uint32_t first = t->nodes[i].first, count = t->nodes[i + 1].first - first;
        if (count < WIDE_FROM || count > 255) continue;
        uint8_t *row = t->wide + (size_t)++wide * 256;
        memset(row, 0, 256);
        for (uint32_t k = 0; k < count; k++) row[t->labels[first + k]] = (uint8_t)(k + 1);
        t->nodes[i].value |= wide << 20;
    }
    return 0;
}
