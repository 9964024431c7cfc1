/* A test program: TEST(what_it_states) { CHECK(...); } ... then TEST_MAIN(). Run with a word to run only the tests
 * whose name contains it. The last line says 'N passed, M failed'; the exit status is 1 if any failed. */
#ifndef TEST_H
#define TEST_H
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct test {
    const char *name;
    void (*run)(void);
    struct test *next;
} test;

static test *test_first;
static test **test_last __attribute__((unused)) = &test_first; /* a benchmark has no tests */
static int test_failures;

#define TEST(name)                                                                                                     \
    static void name(void);                                                                                            \
    __attribute__((constructor)) static void name##_register(void) {                                                   \
        static test t = {#name, name, NULL};                                                                           \
        *test_last = &t, test_last = &t.next;                                                                          \
    }                                                                                                                  \
    static void name(void)

/* Failures past the twentieth of a test are counted, not printed. */
#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(condition) ((condition) ? (void)0 : FAIL("%s", #condition))
#define CHECK_INT(value, expected) test_check_int(__FILE__, __LINE__, #value, (value), (expected))
#define CHECK_NEAR(value, expected, tolerance)                                                                         \
    test_check_near(__FILE__, __LINE__, #value, (value), (expected), (tolerance))

__attribute__((format(printf, 3, 4))) static inline void test_fail(const char *file, int line, const char *format,
                                                                   ...) {
    if (test_failures++ >= 20) return;
    va_list list;
    va_start(list, format);
    printf("  %s:%d: ", file, line);
    vprintf(format, list);
    printf("\n");
    va_end(list);
}

static inline void test_check_int(const char *file, int line, const char *what, long long value, long long expected) {
    if (value != expected) test_fail(file, line, "%s is %lld, not %lld", what, value, expected);
}

static inline void test_check_near(const char *file, int line, const char *what, double value, double expected,
                                   double tolerance) {
    if (!(fabs(value - expected) <= tolerance)) test_fail(file, line, "%s is %.9g, not %.9g", what, value, expected);
}

/* xorshift64*: the same numbers on every machine */
static uint64_t test_random_state = 88172645463325252u;
static inline uint32_t test_random(void) {
    uint64_t x = test_random_state;
    x ^= x >> 12, x ^= x << 25, x ^= x >> 27;
    test_random_state = x;
    return (uint32_t)(x * 2685821657736338717u >> 32);
}
static inline float test_random_f32(void) {
    return (float)(test_random() >> 8) / 8388608.0f - 1.0f;
} /* [-1, 1) */

/* 64-byte aligned, exactly this many bytes before the guard of a sanitizer; 0 bytes works */
static inline void *test_alloc(size_t bytes) {
    void *p = NULL;
    if (posix_memalign(&p, 64, bytes ? bytes : 1)) abort();
    return p;
}

static inline int test_main(int argc, char **argv) {
    int passed = 0, failed = 0;
    for (test *t = test_first; t; t = t->next) {
        if (argc > 1 && !strstr(t->name, argv[1])) continue;
        test_failures = 0;
        t->run();
        if (test_failures) printf("FAILED %s (%d)\n", t->name, test_failures);
        test_failures ? failed++ : passed++;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
#define TEST_MAIN()                                                                                                    \
    int main(int argc, char **argv) {                                                                                  \
        return test_main(argc, argv);                                                                                  \
    }
#endif
