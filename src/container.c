/* Reading and writing the container that all our files share; the layout stands in container.h. */
#include "container.h"
#include <string.h>

static const char *const error_names[][2] = {
#define X(name, value, text) {#name, text},
    SR_ERROR_LIST(X)
#undef X
};

const char *sr_error_name(int code) {
    if (code >= 0) return "SR_OK";
    size_t i = (size_t)(-(long)code) - 1;
    return i < sizeof error_names / sizeof *error_names ? error_names[i][0] : "SR_E_UNKNOWN";
}

const char *sr_error_text(int code) {
    if (code >= 0) return "no error";
    size_t i = (size_t)(-(long)code) - 1;
    return i < sizeof error_names / sizeof *error_names ? error_names[i][1] : "unknown error";
}

/* XXH64, written from the published description. A damaged byte anywhere must show, and a 20 MB model must be
 * verified within a page's start; a cryptographic hash would cost ten times as much and is the download's business. */
#define P1 0x9E3779B185EBCA87ULL
#define P2 0xC2B2AE3D27D4EB4FULL
#define P3 0x165667B19E3779F9ULL
#define P4 0x85EBCA77C2B2AE63ULL
#define P5 0x27D4EB2F165667C5ULL

static uint64_t rotl(uint64_t v, int n) {
    return v << n | v >> (64 - n);
}
static uint64_t mix(uint64_t acc, uint64_t lane) {
    return rotl(acc + lane * P2, 31) * P1;
}
static uint64_t merge(uint64_t h, uint64_t acc) {
    return (h ^ mix(0, acc)) * P1 + P4;
}

uint64_t sr_hash64(const void *data, size_t bytes) {
    const uint8_t *p = data;
    size_t left = bytes;
    uint64_t h;
    if (left >= 32) {
        uint64_t a = P1 + P2, b = P2, c = 0, d = 0 - P1;
        for (; left >= 32; p += 32, left -= 32) {
            a = mix(a, sr_load64(p));
            b = mix(b, sr_load64(p + 8));
            c = mix(c, sr_load64(p + 16));
            d = mix(d, sr_load64(p + 24));
        }
        h = rotl(a, 1) + rotl(b, 7) + rotl(c, 12) + rotl(d, 18);
        h = merge(merge(merge(merge(h, a), b), c), d);
    } else {
        h = P5;
    }
    h += bytes;
    for (; left >= 8; p += 8, left -= 8) h = rotl(h ^ mix(0, sr_load64(p)), 27) * P1 + P4;
    if (left >= 4) {
        h = rotl(h ^ sr_load32(p) * P1, 23) * P2 + P3;
        p += 4, left -= 4;
    }
    for (; left; p++, left--) h = rotl(h ^ *p * P5, 11) * P1;
    h = (h ^ h >> 33) * P2;
    h = (h ^ h >> 29) * P3;
    return h ^ h >> 32;
}

static uint64_t header_hash(const uint8_t *file) {
    uint8_t covered[SR_CONTAINER_HEADER - 8];
    memcpy(covered, file, 24);
    memcpy(covered + 24, file + 32, 32);
    return sr_hash64(covered, sizeof covered);
}

void sr_container_section(const sr_container *c, uint32_t i, sr_section *out) {
    const uint8_t *e = c->file + SR_CONTAINER_HEADER + (size_t)i * SR_CONTAINER_ENTRY;
    out->kind = sr_load32(e);
    out->index = sr_load32(e + 4);
    out->offset = sr_load64(e + 8);
    out->bytes = sr_load64(e + 16);
    out->hash = sr_load64(e + 24);
}

int sr_container_open(const void *file, size_t available_bytes, const char magic[4], uint32_t max_version,
                      sr_container *out) {
    const uint8_t *f = file;
    if (!f || !out) return SR_E_ARGUMENT;
    if (available_bytes >= 4 && memcmp(f, magic, 4) != 0) return SR_E_MAGIC;
    if (available_bytes < SR_CONTAINER_HEADER) return SR_E_TRUNCATED;
    if (sr_load64(f + 24) != header_hash(f)) return SR_E_CHECKSUM;
    uint32_t version = sr_load32(f + 4);
    if (version > max_version) return SR_E_VERSION;
    uint64_t total = sr_load64(f + 8);
    uint32_t count = sr_load32(f + 32);
    for (int i = 36; i < SR_CONTAINER_HEADER; i++)
        if (f[i]) return SR_E_FORMAT;
    if (version == 0 || count == 0 || count > SR_CONTAINER_MAX_SECTIONS || total > SIZE_MAX / 2) return SR_E_FORMAT;
    size_t table_bytes = (size_t)count * SR_CONTAINER_ENTRY;
    if (total < SR_CONTAINER_HEADER + table_bytes) return SR_E_FORMAT;
    if (available_bytes < SR_CONTAINER_HEADER + table_bytes) return SR_E_TRUNCATED;
    if (sr_load64(f + 16) != sr_hash64(f + SR_CONTAINER_HEADER, table_bytes)) return SR_E_CHECKSUM;

    sr_container c = {f, total, sr_load64(f + 16), count};
    uint64_t end = SR_CONTAINER_HEADER + table_bytes;
    for (uint32_t i = 0; i < count; i++) {
        sr_section s, other;
        sr_container_section(&c, i, &s);
        /* each section starts at the first aligned byte after the one before: no gap to hide bytes in */
        if (s.offset % SR_CONTAINER_ALIGN || s.offset < end || s.offset - end >= SR_CONTAINER_ALIGN) return SR_E_FORMAT;
        if (s.bytes > total || s.offset > total - s.bytes) return SR_E_FORMAT;
        for (uint64_t gap = end; gap < s.offset && gap < available_bytes; gap++)
            if (f[gap]) return SR_E_FORMAT;
        end = s.offset + s.bytes;
        if (sr_container_find(&c, s.kind, s.index, &other) != (int)i) return SR_E_FORMAT;
    }
    if (end != total) return SR_E_FORMAT;
    *out = c;
    return SR_OK;
}

int sr_container_find(const sr_container *c, uint32_t kind, uint32_t index, sr_section *out) {
    for (uint32_t i = 0; i < c->section_count; i++) {
        sr_container_section(c, i, out);
        if (out->kind == kind && out->index == index) return (int)i;
    }
    return -1;
}

int sr_container_verify(const sr_container *c, const sr_section *s, size_t available_bytes) {
    if (s->offset + s->bytes > available_bytes) return SR_E_INCOMPLETE;
    return sr_hash64(c->file + s->offset, (size_t)s->bytes) == s->hash ? SR_OK : SR_E_CHECKSUM;
}

int sr_container_verify_optional(const sr_container *c, size_t available_bytes) {
    for (uint32_t i = 0; i < c->section_count; i++) {
        sr_section s;
        sr_container_section(c, i, &s);
        int rc = s.kind & 0x80000000u ? sr_container_verify(c, &s, available_bytes) : SR_OK;
        if (rc) return rc;
    }
    return SR_OK;
}

uint64_t sr_container_layout(sr_section *sections, uint32_t count) {
    uint64_t end = SR_CONTAINER_HEADER + (uint64_t)count * SR_CONTAINER_ENTRY;
    for (uint32_t i = 0; i < count; i++) {
        sections[i].offset = (end + SR_CONTAINER_ALIGN - 1) / SR_CONTAINER_ALIGN * SR_CONTAINER_ALIGN;
        end = sections[i].offset + sections[i].bytes;
    }
    return end;
}

void sr_container_seal(void *file, const sr_section *sections, uint32_t count, const char magic[4], uint32_t version) {
    uint8_t *f = file;
    uint64_t total = SR_CONTAINER_HEADER;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *e = f + SR_CONTAINER_HEADER + (size_t)i * SR_CONTAINER_ENTRY;
        sr_store32(e, sections[i].kind);
        sr_store32(e + 4, sections[i].index);
        sr_store64(e + 8, sections[i].offset);
        sr_store64(e + 16, sections[i].bytes);
        sr_store64(e + 24, sr_hash64(f + sections[i].offset, (size_t)sections[i].bytes));
        total = sections[i].offset + sections[i].bytes;
    }
    memset(f, 0, SR_CONTAINER_HEADER);
    memcpy(f, magic, 4);
    sr_store32(f + 4, version);
    sr_store64(f + 8, total);
    sr_store64(f + 16, sr_hash64(f + SR_CONTAINER_HEADER, (size_t)count * SR_CONTAINER_ENTRY));
    sr_store32(f + 32, count);
    sr_store64(f + 24, header_hash(f));
}

size_t sr_utf8_prefix(const void *text, size_t bytes) {
    const uint8_t *s = text;
    size_t i = 0;
    while (i < bytes) {
        uint8_t c = s[i];
        size_t more = c < 0x80                 ? 0
                      : c >= 0xC2 && c <= 0xDF ? 1
                      : (c & 0xF0) == 0xE0     ? 2
                      : c >= 0xF0 && c <= 0xF4 ? 3
                                               : 9;
        if (bytes - i <= more) break;
        if (more) {
            /* the second byte excludes overlong forms, surrogates and what lies past U+10FFFF */
            uint8_t low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80, high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
            if (more == 9 || s[i + 1] < low || s[i + 1] > high) break;
            size_t j = 2;
            while (j <= more && (s[i + j] & 0xC0) == 0x80) j++;
            if (j <= more) break;
        }
        i += more + 1;
    }
    return i;
}
