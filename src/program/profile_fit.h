/* What a map and a head add: spaces (profile_spaces.h) compared on the routing prompts and on benchmarks. */
#ifndef SR_PROFILE_FIT_H
#define SR_PROFILE_FIT_H
#include "program/profile.h"

/* {"routing": {"centred": {"accuracy", "asset_bytes", "match_us"}, ...}, "clinc150_10", "clinc150_3", "home_intents"},
 * as far as the set has vectors; clinc and home may be null. Ordinary prompts are those of the pool that are left out
 * for no test. Null, with a message, when the pool has no vectors. */
cJSON *profile_fit(const sweep_data *d, const benchmark *clinc, const benchmark *home, const srv_set *set, int draws,
                   uint64_t seed, int threads);
#endif
