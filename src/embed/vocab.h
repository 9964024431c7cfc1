/* A vocabulary: sorted strings on disk, a trie in memory. Models (.srm) and piece tables (.srt) share it.
 *
 * On disk, strings in ascending byte order, without repeats or empty ones, each as
 *   u8 shared   bytes shared with the string before (as many as there are)
 *   u8 suffix   bytes that follow, at least 1; then these bytes
 * so every suffix byte is one new node of the trie, and its size is known before it is built.
 *
 * In memory the nodes stand level by level. Within a level, order of first appearance in the sorted strings is
 * breadth-first order, so one pass over the strings places every node, in linear time and without scratch memory; the
 * children of a node are neighbours, and end where those of the next node begin.
 */
#ifndef SR_VOCAB_H
#define SR_VOCAB_H
#include "smartrouter.h"
#include <string.h>

enum { SR_MAX_PIECES = (1 << 20) - 2, SR_MAX_PIECE_BYTES = 255, SR_TRIE_MAX_WIDE = 2047 };

typedef struct {
    uint32_t first; /* first child; the last one precedes the first child of the next node */
    uint32_t value; /* low 20 bits: piece + 1, or 0; high 12: number of a wide node, or 0 */
} sr_trie_node;

typedef struct {
    uint32_t node_count, piece_count;
    sr_trie_node *nodes; /* node_count + 1 */
    uint8_t *labels;     /* the byte that leads to a node; 8 more */
    uint8_t *wide;       /* 256 bytes a wide node: child number + 1 by byte; scanning these labels took longest */
} sr_trie;

/* Bytes for a trie of node_count nodes. */
size_t sr_trie_bytes(uint32_t node_count);
/* Builds the trie in mem (8-byte aligned, sr_trie_bytes). `hidden` pieces (control pieces: <s>, ...) never match text.
 * SR_E_FORMAT when the stream is out of order, holds other counts than said, or is cut. */
int sr_trie_build(sr_trie *t, void *mem, const uint8_t *stream, size_t bytes, uint32_t piece_count, uint32_t node_count,
                  const uint32_t *hidden, size_t hidden_count);

/* Walks over the strings: text is valid until the next call. Returns 1, or 0 at the end or at a broken entry. */
typedef struct {
    const uint8_t *at, *end;
    uint32_t bytes;
    uint8_t text[SR_MAX_PIECE_BYTES + 1];
} sr_vocab_cursor;
void sr_vocab_begin(sr_vocab_cursor *c, const uint8_t *stream, size_t bytes);
int sr_vocab_next(sr_vocab_cursor *c);

/* Appends one string to a stream; previous is the one before (null at first). Returns bytes written, at most
 * 2 + bytes; adds its new nodes to *node_count. */
size_t sr_vocab_append(uint8_t *out, const uint8_t *previous, size_t previous_bytes, const uint8_t *text, size_t bytes,
                       uint32_t *node_count);

/* The child of node by byte, or 0 (the root is nobody's child). */
static inline uint32_t sr_trie_child(const sr_trie *t, uint32_t node, uint8_t byte) {
    uint32_t wide = t->nodes[node].value >> 20, i = t->nodes[node].first;
    if (wide) {
        uint32_t child = t->wide[(size_t)wide * 256 + byte];
        return child ? i + child - 1 : 0;
    }
    for (uint32_t end = t->nodes[node + 1].first; i < end; i += 8) {
        /* eight at a time, since branches that depend on a text are mispredicted: the lowest zero byte of `other` is
         * the first label that equals byte */
        uint64_t labels, other;
        memcpy(&labels, t->labels + i, sizeof labels);
        other = labels ^ byte * 0x0101010101010101u;
        other = (other - 0x0101010101010101u) & ~other & 0x8080808080808080u;
        if (!other) continue;
        i += (uint32_t)__builtin_ctzll(other) >> 3;
        return i < end ? i : 0;
    }
    return 0;
}
static inline uint32_t sr_trie_piece(const sr_trie *t, uint32_t node) { /* piece + 1, or 0 */
    return t->nodes[node].value & 0xfffff;
}
#endif
