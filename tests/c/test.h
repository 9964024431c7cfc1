/* A test program: TEST(what_it_states) { CHECK(...); } ... then TEST_MAIN(). Run with a word to run only the tests
 * whose name contains it. The last line says 'N passed, M failed'; the exit status is 1 if any failed. */
#ifndef TEST_H
#define TEST_H
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct test {
    const char *name;
    void (*run)(void);
    struct test *next;
} test;

static test *test_first, **test_last = &test_first;
static int test_failures;

#define TEST(name)                                                                                                     \
    static void name(void);                                                                                            \
    __attribute__((constructor)) static void name##_register(void) {                                                   \
        static test t = {#name, name, NULL};                                                                           \
        *test_last = &t, test_last = &t.next;                                                                          \
    }                                                                                                                  \
    static void name(void)

#define FAIL(...)                                                                                                      \
    (test_failures++ < 20 ? (void)(printf("  %s:%d: ", __FILE__, __LINE__), printf(__VA_ARGS__), printf("\n"))         \
                          : (void)0)
#define CHECK(condition) ((condition) ? (void)0 : FAIL("%s", #condition))
#define CHECK_INT(value, expected)                                                                                     \
    do {                                                                                                               \
        long long v_ = (value), e_ = (expected);                                                                       \
        if (v_ != e_) FAIL("%s is %lld, not %lld", #value, v_, e_);                                                    \
    } while (0)
#define CHECK_NEAR(value, expected, tolerance)                                                                         \
    do {                                                                                                               \
        double v_ = (value), e_ = (expected);                                                                          \
        if (!(fabs(v_ - e_) <= (tolerance))) FAIL("%s is %.9g, not %.9g", #value, v_, e_);                             \
    } while (0)

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
    const char *program = strrchr(argv[0], '/');
    fprintf(stdout, "%d passed, %d failed in %s\n", passed, failed, program ? program + 1 : argv[0]);
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
#define TEST_MAIN()                                                                                                    \
    int main(int argc, char **argv) {                                                                                  \
        return test_main(argc, argv);                                                                                  \
    }
#endif
