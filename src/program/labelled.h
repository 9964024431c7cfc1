/* Prompts as JSONL, labelled or not: what eval, sweep, profile, embed and corpus read.
 *
 * One object a line. `text` is the prompt; `route` or `label` its label, `""` or `"oos"` for "none of them"; `id`,
 * `lang`, `source`, `group` as the file has them; any other field stays reachable. A path may be a folder: then all
 * .jsonl files below it, in order of their names. A file in a folder with a topics.txt
 * (routes/corpus/ROUTE/LANGUAGE.jsonl) gets its route and language from its path.
 */
#ifndef SR_LABELLED_H
#define SR_LABELLED_H
#include "program/cli.h"
#include "program/json.h"

typedef struct {
    const char *id, *text, *label, *lang, *source, *group; /* never null; "" when not said */
    bool labelled;                                         /* a route or label field was there, or the path gave it */
    uint64_t hash;                                         /* srv_hash of text */
    uint32_t file, line;
    cJSON *record;
} labelled_row;

typedef struct {
    labelled_row *rows;
    size_t count;
    char **files;
    size_t file_count;
    char **owned; /* texts made here */
    size_t owned_count, owned_room;
} labelled;

typedef struct {
    const char *text_field;  /* null: "text" */
    const char *where;       /* "field=value": only these rows; null: all */
    const char *group_field; /* null: the rule of labelled_group */
    uint32_t one_in;         /* 0, 1: all; K: of each file, split, label and language one row in K, by their hashes */
    bool needs_labels;       /* a row without one is an error */
    bool needs_ids;          /* two rows of one id are an error */
} labelled_options;

/* Prints file, line and what is wrong, and returns false. Reading nothing is an error. */
bool labelled_read(char *const *paths, int path_count, const labelled_options *options, labelled *out);
void labelled_free(labelled *l);
/* Keeps `most` rows drawn at random, in their order. */
void labelled_sample(labelled *l, size_t most, uint64_t seed);

/* A field as text: strings as they are, booleans and numbers printed; "" when absent. May use a static buffer. */
const char *labelled_field(const labelled_row *r, const char *name);
/* The source that leaving sources out goes by: `source` up to a colon (owner/repo:path). */
sr_text labelled_source(const labelled_row *r);
/* Is this label "none of the routes"? */
bool labelled_is_out(const char *label);
/* The first `characters` of a text, white space as single spaces, "…" where it is cut; a static buffer, one of four. */
const char *labelled_short(const char *text, size_t characters);
/* Words: runs of letters, digits and signs between white space. */
size_t labelled_words(const char *text);

/* Distinct labels in alphabetical order; out-of-scope labels are left
 * out. Returns the count; names is from memory(). */
uint32_t labelled_names(const labelled *l, const char ***names_out);
int labelled_index(const char *const *names, uint32_t count, const char *name); /* -1 when absent */
#endif
