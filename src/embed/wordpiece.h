/* What whoever makes a WordPiece model must know of how it is read. */
#ifndef SR_WORDPIECE_H
#define SR_WORDPIECE_H
#include "tokenizer.h"

/* The ideographs that BERT sets apart, in its own ranges. */
int sr_is_ideograph(uint32_t code);
#endif
