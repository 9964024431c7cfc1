/* Three files that belong together, made on the spot: a small model, its piece table, and an asset of two routes with
 * an exit for the table and for layers 1 and 2. */
#ifndef PIPELINES_H
#define PIPELINES_H
#include "asset_write.h"
#include "models.h"

typedef struct {
    uint8_t *data;
    size_t bytes;
} small_file;

typedef struct {
    small_file asset, model, table;
} small_files;

enum { SMALL_TEXTS = 4, SMALL_EXITS = 3, SMALL_TABLE_DIM = 8 };

static inline small_file small_table(const sr_model *m) {
    float rows[MODEL_PIECES * SMALL_TABLE_DIM], weights[MODEL_PIECES];
    small_file f;
    for (int i = 0; i < MODEL_PIECES * SMALL_TABLE_DIM; i++) rows[i] = test_random_f32();
    for (int i = 0; i < MODEL_PIECES; i++) weights[i] = 1;
    f.bytes = (size_t)sr_table_write(&(sr_table_source){m, SMALL_TABLE_DIM, rows, weights, 0}, &f.data);
    return f;
}

static inline void small_table_vectors(small_file f, const char *const *texts, float *out, uint64_t *content) {
    const sr_table *t;
    size_t need = (size_t)sr_table_bytes(f.data, f.bytes);
    void *mem = test_alloc(need);
    if (sr_table_open(mem, need, f.data, f.bytes, &t) < 0) abort();
    void *work = test_alloc(sr_table_work_bytes(t));
    for (int i = 0; i < SMALL_TEXTS; i++)
        if (sr_table_embed(t, texts[i], strlen(texts[i]), work, sr_table_work_bytes(t), out + i * SMALL_TABLE_DIM) < 0)
            abort();
    *content = sr_table_content(t);
    free(work), free(mem);
}

static inline small_files make_small_files(void) {
    static const char *const texts[SMALL_TEXTS] = {"abc abc", "ab a", "cd de", "d cd e"};
    small_files f;
    sr_write_options options = model_options();
    options.layers = 2, options.layer_coding = SR_CODING_Q4, options.embedding_coding = SR_CODING_Q8_BLOCKS;
    opened m = open_small(&options);
    f.model = (small_file){m.file, m.bytes};
    f.table = small_table(m.model);

    sr_model_info info;
    sr_model_info_get(m.model, &info);
    sr_write_route routes[2] = {{.id = {"code", 4}, .label = {"Code", 4}, .utterance_count = 2},
                                {.id = {"talk", 4}, .label = {"Talk", 4}, .utterance_count = 2}};
    sr_text written[SMALL_TEXTS];
    float vectors[SMALL_EXITS][SMALL_TEXTS * MODEL_DIM];
    static const uint32_t layers[SMALL_EXITS] = {0, 1, 2};
    sr_write_exit exits[SMALL_EXITS];
    for (int i = 0; i < SMALL_TEXTS; i++) written[i] = (sr_text){texts[i], strlen(texts[i])};
    for (int e = 0; e < SMALL_EXITS; e++) {
        sr_write_exit_init(&exits[e]);
        exits[e].vectors = vectors[e], exits[e].layer = layers[e];
        exits[e].embedder = e ? SR_EMBEDDER_ENCODER : SR_EMBEDDER_TABLE;
        exits[e].dim = exits[e].row_dim = e ? MODEL_DIM : SMALL_TABLE_DIM;
        exits[e].model_id = info.id, exits[e].model_content = info.content, exits[e].prefix = info.prefix;
    }
    exits[0].stop_confidence = exits[1].stop_confidence = 0.9f;
    small_table_vectors(f.table, texts, vectors[0], &exits[0].model_content);
    for (int i = 0; i < SMALL_TEXTS; i++) {
        if (sr_encoder_start(m.encoder, texts[i], strlen(texts[i])) < 0) abort();
        for (int e = 1; e < SMALL_EXITS; e++) sr_encoder_advance(m.encoder, layers[e], vectors[e] + i * MODEL_DIM);
    }
    sr_write_asset w = {.name = {"Small", 5},
                        .routes = routes,
                        .route_count = 2,
                        .texts = written,
                        .utterance_count = SMALL_TEXTS,
                        .fallback = 1,
                        .exits = exits,
                        .exit_count = SMALL_EXITS};
    size_t work_bytes = (size_t)sr_asset_write_work_bytes(&w);
    void *work = test_alloc(work_bytes);
    f.asset.bytes = (size_t)sr_asset_write_bytes(&w);
    f.asset.data = test_alloc(f.asset.bytes);
    if (sr_asset_write(&w, work, work_bytes, f.asset.data, f.asset.bytes, NULL) < 0) abort();
    free(work), free(m.model_mem), free(m.encoder_mem);
    return f;
}

static inline void free_small_files(small_files *f) {
    free(f->asset.data), free(f->model.data), free(f->table.data);
}

/* A pipeline over copies that end where their heap blocks end. */
typedef struct {
    const sr_router *router;
    sr_model *model;       /* null, and */
    const sr_table *table; /* null: not asked for, or refused */
    sr_pipeline *pipeline;
    void *memory[4];
} small_pipeline;

static inline void close_pipeline(small_pipeline *p) {
    for (int i = 0; i < 4; i++) free(p->memory[i]);
    memset(p, 0, sizeof *p);
}

/* Opens what the bytes are; 0, or the first error. Models that ask for over 64 MiB are refused: SR_E_LIMIT. */
static inline int open_pipeline(small_pipeline *p, small_file asset, small_file model, small_file table) {
    *p = (small_pipeline){0};
    int64_t need = sr_router_bytes(asset.data, asset.bytes);
    int rc = (int)need;
#define OPEN(i, call)                                                                                                  \
    (need < 0 ? (int)need : need > 1 << 26 ? SR_E_LIMIT : (p->memory[i] = test_alloc((size_t)need), (call)))
    if ((rc = OPEN(0, sr_router_open(p->memory[0], (size_t)need, asset.data, asset.bytes, &p->router))) < 0) return rc;
    if (model.data) {
        need = sr_model_bytes(model.data, model.bytes);
        if ((rc = OPEN(1, sr_model_open(p->memory[1], (size_t)need, model.data, model.bytes, &p->model))) < 0)
            return rc;
    }
    if (table.data) {
        need = sr_table_bytes(table.data, table.bytes);
        if ((rc = OPEN(2, sr_table_open(p->memory[2], (size_t)need, table.data, table.bytes, &p->table))) < 0)
            return rc;
    }
    need = sr_pipeline_bytes(p->router, p->model, p->table);
    return OPEN(3, sr_pipeline_open(p->memory[3], (size_t)need, p->router, p->model, p->table, &p->pipeline));
#undef OPEN
}
#endif
