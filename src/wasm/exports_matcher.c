/* Exports of the matcher for JS. */
#include "kernel/kernel.h"
#include "smartrouter.h"
#include <emscripten.h>

/* "scalar", "simd128" or "relaxed": what this module was built for */
EMSCRIPTEN_KEEPALIVE const char *sr_wasm_variant(void) {
    return sr_kernels_best()->name;
}
