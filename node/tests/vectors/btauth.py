"""Writes btauth.json: requests that Bittensor's own SDK has signed (bittensor 11.3.0 from PyPI).

    pip install bittensor==11.3.0 && python btauth_vectors.py > btauth.json
"""
import hashlib
import json

import bittensor.http_auth as auth
from bittensor.sp_core import Keypair

# The key of the coordinator that the requests are for.
RECEIVER = Keypair.from_seed(bytes([5] * 32), 0)
NONCE = 1_795_000_000_123_456_789
CASES = [
    ("POST", "/v1/bond", b'{"amount":"30"}', 1),
    ("post", "/v1/nodes/poll?x=1", b"", 1),
    ("DELETE", "/v1/jobs/07", b"", 1),
    ("POST", "/v1/bond/withdrawal", b'{"amount":"1"}', 0),
]


def case(number, method, path, body, crypto):
    seed = bytes([number + 1] * 32)
    signer = Keypair.from_seed(seed, crypto)
    headers = auth.sign(signer, method=method, path=path, body=body,
                        receiver_ss58=RECEIVER.ss58_address, nonce_ns=NONCE + number)
    caller = auth.verify(headers, body, method=method, path=path, now_ns=NONCE,
                         self_hotkey_ss58=RECEIVER.ss58_address,
                         nonce_store=auth.InMemoryNonceStore())
    assert caller.hotkey_ss58 == signer.ss58_address
    return {
        "seed": seed.hex(), "key": bytes(signer.public_key).hex(), "method": method, "path": path,
        "body": body.decode(), "headers": headers,
    }


print(json.dumps({
    "bittensor": "11.3.0",
    "receiver": bytes(RECEIVER.public_key).hex(),
    "receiver_ss58": RECEIVER.ss58_address,
    "cases": [case(number, *one) for number, one in enumerate(CASES)],
}, indent=1))
