/* An adapter: numbers that `smartrouter adapt` fitted, for `smartrouter model --adapter` to build into a model.
 *
 * A container (container.h) of magic "SRA1". Section 1 is eight u32: dim, ffn_dim, first and last adapted layer, zeros;
 * section 2, index l for each of those layers, is f32[adapt_layout.count].
 */
#ifndef SR_ADAPT_FILE_H
#define SR_ADAPT_FILE_H
#include "program/adapt_net.h"
#include "program/model_source.h"

bool adapt_file_write(const char *path, const adapt_net *net, const float *numbers);
/* Puts an adapter's numbers into a source: biases and norms replaced, matrices scaled block by block (of 4-bit blocks
 * the scales alone). Returns 0, or a negative error with source->error set. */
int sr_source_adapt(sr_model_source *source, const char *path);
#endif
