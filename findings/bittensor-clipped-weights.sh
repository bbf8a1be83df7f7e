#!/usr/bin/env bash
# bittensor 11.3.0: weights clipped to a subnet's max_weight_limit can be above it once they are
# 16-bit integers.
#
# `clip_to_max_weight` lands the largest weight on the limit in floating point, with a margin of
# 1e-7; `normalize` then rounds every weight to a multiple of 1/65535 of the largest. When more
# weights are rounded down than up, the largest one's share of the sum passes the limit. The SDK
# submits relative weights through these two functions; of raw integers it asks
# `max * 65535 <= limit * sum` and refuses the same vector. About one random vector in eleven is hit.
#
# Seen on 2026-11-28, limit 16384 of 65535, weights 100 1 2 3 4:
#   integers 65535 21844 43689 65533 65535, sum 262136: 65535 * 65535 > 16384 * 262136
#   of 1500 random vectors of 16, 64 and 256 weights under limits of 5, 10 and 25 %: 137 above
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check bittensor==11.3.0
"$folder/venv/bin/python" - <<'PYTHON'
import random
from bittensor.intents.weights import clip_to_max_weight, normalize

MOST = 65535


def submitted(weights, limit):
    return normalize(range(len(weights)), clip_to_max_weight(weights, limit / MOST))[1]


def above(values, limit):
    return max(values) * MOST > limit * sum(values)


values = submitted([100.0, 1.0, 2.0, 3.0, 4.0], 16384)
print("integers", *values, "sum", sum(values))
assert values == [65535, 21844, 43689, 65533, 65535] and above(values, 16384)

draw, cases, hit = random.Random(1), 0, 0
while cases < 1500:
    weights = [draw.random() ** 6 for _ in range(draw.choice([16, 64, 256]))]
    limit = draw.choice([3277, 6554, 16384])
    if len(weights) * limit <= MOST:
        continue
    cases, hit = cases + 1, hit + above(submitted(weights, limit), limit)
print("above the limit:", hit, "of", cases)
assert 0.05 < hit / cases < 0.2, "the share of vectors above the limit changed"
PYTHON
echo 'as described: clipped weights of bittensor 11.3.0 can be above the limit after rounding'
