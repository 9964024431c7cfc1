/* What the WebAssembly builds export for JavaScript, and nothing else: thin wrappers that keep one struct a file, so
 * that the JavaScript side handles a single pointer and reads results at offsets fixed here by static assertions.
 *
 *   matcher.c           both builds: memory, errors, route assets
 *   encoder.c           smartrouter-VARIANT.wasm only: models, encoders, piece tables
 *   writer.c            smartrouter-VARIANT.wasm only: assets from vectors
 *
 * Names are given by SR_EXPORT, so the linker needs no list. Every function returns a pointer or count, or a negative
 * SR_E_*; wasm32 addresses stay under 2 GB, so the sign tells.
 */
#ifndef SR_WASM_EXPORTS_H
#define SR_WASM_EXPORTS_H
#include "smartrouter.h"

#define SR_EXPORT(name) __attribute__((export_name(#name), used))

void *sr_wasm_alloc(size_t bytes);
void sr_wasm_free(void *p);

#endif
