/* How complex is the vocabulary of a text? A measure that needs no word list and treats every language alike. */
#ifndef SR_SWEEP_TEXT_H
#define SR_SWEEP_TEXT_H
#include "program/labelled.h"

/* complexity[i]: 0 low, 1 middle, 2 high, thirds of the rows of each language.
 *
 * The measure is surprise a character: the mean of -log2 p(c | a b) over the text's characters under a model of
 * character triples, counted from the other rows of the same language (the text itself is taken out), with half a count
 * added for each character that the language uses. Everyday words in everyday spelling are cheap in every language;
 * rare words, names, technical terms, formulas and code are dear. Cutting thirds within a language makes languages with
 * few rows, or with longer words, no more complex than others. Texts' letters are folded to lower case, digits to 0. */
void sweep_complexity(const labelled *l, uint8_t *complexity, float *bits);
#endif
