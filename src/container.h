/* The container that .srr, .srm, .srt and .fit files share: a header, a section table, 64-byte-aligned sections.
 *
 * Header, 64 bytes, little-endian:
 *    0  char[4]  magic       "SRR1" route asset, "SRM1" model, "SRT1" piece table, "SRF1" fit
 *    4  u32      version     1
 *    8  u64      total_bytes whole file
 *   16  u64      content     XXH64 (seed 0) of the section table bytes: the content id. Each entry holds its
 *                            section's hash, so this names the whole content
 *   24  u64      header_hash XXH64 (seed 0) of bytes 0..23 and 32..63 in that order
 *   32  u32      section_count  1..4096
 *   36  u32[7]   zero
 * Section table at 64, 32 bytes an entry:
 *    0  u32 kind   4  u32 index   8  u64 offset   16  u64 bytes   24  u64 hash   XXH64 (seed 0) of the section's bytes
 * Entries are in file order; offsets are multiples of 64, ascending, without overlap; the gaps (under 64 bytes) are
 * zero; the last section ends at total_bytes. (kind, index) pairs are unique. A kind with the top bit set (0x80000000)
 * is optional: readers that do not know it skip it; an unknown kind without it is SR_E_UNSUPPORTED.
 */
#ifndef SR_CONTAINER_H
#define SR_CONTAINER_H
#include "smartrouter.h"

enum { SR_CONTAINER_HEADER = 64, SR_CONTAINER_ENTRY = 32, SR_CONTAINER_ALIGN = 64, SR_CONTAINER_MAX_SECTIONS = 4096 };

typedef struct {
    uint32_t kind, index;
    uint64_t offset, bytes, hash;
} sr_section;

typedef struct {
    const uint8_t *file;
    uint64_t total_bytes, content;
    uint32_t section_count;
} sr_container;

uint64_t sr_hash64(const void *data, size_t bytes); /* XXH64, seed 0 */

/* Checks header and section table, not the sections. available_bytes may be less than the whole (streaming), but
 * must hold header and table, else SR_E_TRUNCATED. Whether all has arrived: available_bytes >= out->total_bytes. */
int sr_container_open(const void *file, size_t available_bytes, const char magic[4], uint32_t max_version,
                      sr_container *out);
void sr_container_section(const sr_container *c, uint32_t i, sr_section *out); /* i < section_count */
/* Index of (kind, index), or -1. */
int sr_container_find(const sr_container *c, uint32_t kind, uint32_t index, sr_section *out);
/* Verifies a section's hash and, before it, its arrival: SR_E_INCOMPLETE, SR_E_CHECKSUM or 0. */
int sr_container_verify(const sr_container *c, const sr_section *s, size_t available_bytes);
/* The same for all optional sections, known or not: a whole file is not damaged anywhere. */
int sr_container_verify_optional(const sr_container *c, size_t available_bytes);

/* Writing: fill sections' kind, index, bytes; layout assigns offsets and returns total bytes; the caller writes the
 * section contents at those offsets into a zeroed buffer; seal computes hashes and writes table and header. */
uint64_t sr_container_layout(sr_section *sections, uint32_t count);
void sr_container_seal(void *file, const sr_section *sections, uint32_t count, const char magic[4], uint32_t version);

/* Bytes up to the first that is not valid UTF-8 (no surrogates, no overlong forms, at most U+10FFFF). */
size_t sr_utf8_prefix(const void *text, size_t bytes);
static inline int sr_utf8_valid(const void *text, size_t bytes) {
    return sr_utf8_prefix(text, bytes) == bytes;
}

/* Little-endian loads and stores that never assume alignment. */
static inline uint32_t sr_load32(const void *p) {
    const uint8_t *b = p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}
static inline uint64_t sr_load64(const void *p) {
    return (uint64_t)sr_load32(p) | (uint64_t)sr_load32((const uint8_t *)p + 4) << 32;
}
static inline void sr_store32(void *p, uint32_t v) {
    uint8_t *b = p;
    b[0] = (uint8_t)v, b[1] = (uint8_t)(v >> 8), b[2] = (uint8_t)(v >> 16), b[3] = (uint8_t)(v >> 24);
}
static inline void sr_store64(void *p, uint64_t v) {
    sr_store32(p, (uint32_t)v);
    sr_store32((uint8_t *)p + 4, (uint32_t)(v >> 32));
}
#endif
