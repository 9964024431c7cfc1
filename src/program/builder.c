/* Text that grows, and lean JSON; see builder.h. */
#include "program/builder.h"
#include "container.h"
#include "program/files.h"
#include "program/json.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void reserve(builder *b, size_t bytes) {
    if (bytes > SIZE_MAX / 4 - b->bytes) abort(); /* no text of ours comes near */
    if (b->bytes + bytes + 1 <= b->room) return;
    b->room = (b->bytes + bytes + 1) * 2;
    b->data = memory_more(b->data, b->room);
}

void build(builder *b, const char *text, size_t bytes) {
    reserve(b, bytes);
    memcpy(b->data + b->bytes, text, bytes);
    b->bytes += bytes;
    b->data[b->bytes] = 0;
}

void build_text(builder *b, const char *text) {
    build(b, text, strlen(text));
}

void build_json_text(builder *b, const char *text, size_t bytes) {
    static const char escapes[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
    build(b, "\"", 1);
    for (size_t from = 0, i = 0; i <= bytes; i++) {
        unsigned char c = i < bytes ? (unsigned char)text[i] : 0;
        if (i < bytes && c >= 0x20 && c != '"' && c != '\\') continue;
        build(b, text + from, i - from);
        from = i + 1;
        if (i == bytes) break;
        const char *known = c ? strchr(escapes, c) : NULL;
        char code[8];
        if (known)
            code[0] = '\\', code[1] = letters[known - escapes], build(b, code, 2);
        else
            build(b, code, (size_t)snprintf(code, sizeof code, "\\u%04x", c));
    }
    build(b, "\"", 1);
}

/* Seven digits of a float between 0.0001 and 10 are exact in a double: 24 bits of the float and at most 24 of the power
 * of five fit its 53. So rounding is printf's. */
void build_json_float(builder *b, float value) {
    static const double power[] = {1e6, 1e7, 1e8, 1e9, 1e10};
    char text[40];
    float size = fabsf(value);
    if (!isfinite(value)) return build_text(b, "null");
    int zeros = size >= 1 ? 0 : size >= 0.1f ? 1 : size >= 0.01f ? 2 : size >= 0.001f ? 3 : 4;
    double digits = rint((double)size * power[zeros]);
    if (!(size >= 0.0002f && size < 9) || digits < 1e6 || digits >= 1e7)
        return build(b, text, (size_t)snprintf(text, sizeof text, "%.7g", (double)value));
    uint32_t left = (uint32_t)digits;
    int count = 7, at = 0;
    while (left % 10 == 0) left /= 10, count--;
    if (value < 0) text[at++] = '-';
    char *end = text + at + count + (zeros ? zeros + 1 : count > 1);
    for (char *p = end; p > text + at;) {
        p--;
        if (p == text + at + 1)
            *p = '.';
        else
            *p = (char)('0' + left % 10), left /= 10;
    }
    build(b, text, (size_t)(end - text));
}

/* ---- one pass over a record -------------------------------------------------------------------------------------- */

static const char *blanks(const char *p, const char *end) {
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) p++;
    return p;
}

static int hex4(const char *p, const char *end) {
    int value = 0;
    if (end - p < 4) return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return -1;
        value = value << 4 | digit;
    }
    return value;
}

static void add_code(builder *b, uint32_t c) {
    char u[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1; c >>= 6) u[i] = (char)(0x80 | (c & 0x3f));
    u[0] = (char)(lead[n] | c);
    build(b, u, n);
}

/* p stands behind the opening quote. Returns the place behind the closing one, or null. out (null: only check) gets the
 * text when it holds an escape; else *plain says that the text stands in the line as it is. */
static const char *string(const char *p, const char *end, builder *out, bool *plain) {
    static const char letters[] = "btnfr\"\\/", values[] = "\b\t\n\f\r\"\\/";
    const char *from = p;
    *plain = true;
    for (; p < end && *p != '"'; p++) {
        if ((unsigned char)*p < 0x20) return NULL;
        if (*p != '\\') continue;
        *plain = false;
        if (out) build(out, from, (size_t)(p - from));
        if (++p == end || !*p) return NULL;
        const char *known = strchr(letters, *p);
        if (known) {
            if (out) build(out, &values[known - letters], 1);
        } else {
            int a = *p == 'u' ? hex4(p + 1, end) : -1;
            uint32_t code = (uint32_t)a;
            if (a <= 0 || (a >= 0xdc00 && a < 0xe000)) return NULL;
            p += 4;
            if (a >= 0xd800 && a < 0xdc00) {
                int low = end - p > 6 && p[1] == '\\' && p[2] == 'u' ? hex4(p + 3, end) : -1;
                if (low < 0xdc00 || low >= 0xe000) return NULL;
                code = 0x10000 + (((uint32_t)a & 0x3ff) << 10 | ((uint32_t)low & 0x3ff));
                p += 6;
            }
            if (out) add_code(out, code);
        }
        from = p + 1;
    }
    if (p == end) return NULL;
    if (out && !*plain) build(out, from, (size_t)(p - from));
    return p + 1;
}

static const char *digits(const char *p, const char *end) {
    const char *from = p;
    while (p < end && *p >= '0' && *p <= '9') p++;
    return p > from ? p : NULL;
}

static const char *scalar(const char *p, const char *end) {
    static const char *const words[] = {"true", "false", "null"};
    for (int i = 0; i < 3; i++) {
        size_t n = strlen(words[i]);
        if ((size_t)(end - p) >= n && memcmp(p, words[i], n) == 0) return p + n;
    }
    const char *start = p;
    if (p < end && *p == '-') p++;
    const char *first = p;
    p = digits(p, end);
    if (!p || (*first == '0' && p - first > 1)) return NULL;
    if (p < end && *p == '.' && !(p = digits(p + 1, end))) return NULL;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-')) p++;
        p = digits(p, end);
    }
    return p && p - start < 60 ? p : NULL; /* json_parse has its own mind about longer ones */
}

bool json_plain_member(const char *line, size_t bytes, const char *name, builder *scratch, sr_text *text) {
    const char *p = line, *end = line + bytes;
    size_t name_bytes = strlen(name);
    bool found = false, plain;
    if (!sr_utf8_valid(line, bytes)) return false;
    p = blanks(p, end);
    if (p == end || *p++ != '{') return false;
    for (;;) {
        p = blanks(p, end);
        if (p == end || *p++ != '"') return false;
        const char *key = p;
        p = string(p, end, NULL, &plain);
        if (!p || !plain) return false;
        size_t key_bytes = (size_t)(p - 1 - key);
        if (key_bytes == 8 && memcmp(key, "decision", 8) == 0) return false;
        p = blanks(p, end);
        if (p == end || *p++ != ':') return false;
        p = blanks(p, end);
        if (p == end) return false;
        bool wanted = !found && key_bytes == name_bytes && memcmp(key, name, name_bytes) == 0;
        if (*p == '"') {
            const char *from = ++p;
            if (wanted) scratch->bytes = 0;
            p = string(p, end, wanted ? scratch : NULL, &plain);
            if (!p) return false;
            if (wanted) {
                found = true;
                *text = plain ? (sr_text){from, (size_t)(p - 1 - from)} : (sr_text){scratch->data, scratch->bytes};
            }
        } else {
            p = wanted ? NULL : scalar(p, end);
            if (!p) return false;
        }
        p = blanks(p, end);
        if (p == end) return false;
        if (*p == '}') break;
        if (*p++ != ',') return false;
    }
    return found && blanks(p + 1, end) == end;
}
