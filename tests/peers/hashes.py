"""The peer of the digest: ImageHash, all four hashes of one picture, on one thread.

    python hashes.py PICTURE COUNT        needs the packages of models/train/requirements.txt

Prints one line of JSON: the seconds that COUNT pictures took.
"""

import json
import sys
import time

import imagehash
from PIL import Image


def hashes(picture):
    return [hash_of(picture) for hash_of in (imagehash.average_hash, imagehash.dhash, imagehash.phash, imagehash.colorhash)]


picture, count = Image.open(sys.argv[1]).convert("RGB"), int(sys.argv[2])
hashes(picture)
start = time.perf_counter()
for _ in range(count):
    hashes(picture)
print(json.dumps(time.perf_counter() - start))
