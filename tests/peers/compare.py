"""The peers of comparing digests: all pairs within each class.

    python compare.py PEER FILE CLASS_SIZE CLASSES THREADS        needs the packages of compare-requirements.txt

FILE has digests of 32 bytes, class after class; the first CLASSES of them are taken. PEER is one of
  numpy    four histograms of Hamming distances, one for each lane of 64 bits, each pair once
  faiss    IndexBinaryFlat: range search over all 256 bits; it knows no lanes, and sees each pair from both sides
  usearch  exact search of the nearest over all 256 bits; it knows no lanes, and sees each pair from both sides

Prints one line of JSON: the seconds that it took, the best of three, or why it was not run.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

RADIUS = 40
ROWS = 100
TRIES = 3


def numpy_peer(classes, threads):
    import numpy as np

    def histograms(digests):
        lanes = np.ascontiguousarray(digests.view(np.uint64).T)
        counts = np.zeros((4, 65), dtype=np.int64)
        for lane, counted in zip(lanes, counts):
            for first in range(0, len(lane), ROWS):
                rows, others = lane[first : first + ROWS], lane[first + ROWS :]
                near = np.bitwise_count(rows[:, None] ^ rows)[np.triu_indices(len(rows), 1)]
                far = np.bitwise_count(rows[:, None] ^ others)
                counted += np.bincount(near, minlength=65) + np.bincount(far.ravel(), minlength=65)
        return counts

    def run():
        with ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(histograms, classes))

    return run


def faiss_peer(classes, threads):
    import faiss

    faiss.omp_set_num_threads(threads)

    def run():
        found = 0
        for digests in classes:
            index = faiss.IndexBinaryFlat(256)
            index.add(digests)
            limits, _, _ = index.range_search(digests, RADIUS)
            found += int(limits[-1])
        return found

    return run


def usearch_peer(classes, threads):
    from usearch.index import MetricKind, search

    def run():
        return [search(digests, digests, 2, MetricKind.Hamming, exact=True, threads=threads) for digests in classes]

    return run


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main():
    peer, path, size, count, threads = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
    try:
        import numpy as np

        with open(path, "rb") as file:
            digests = np.frombuffer(file.read(32 * size * count), dtype=np.uint8)
        classes = list(digests.reshape(count, size, 32).copy())
        run = {"numpy": numpy_peer, "faiss": faiss_peer, "usearch": usearch_peer}[peer](classes, threads)
        run()  # what is loaded and allocated once is not counted
        print(json.dumps({"seconds": min(seconds(run) for _ in range(TRIES))}))
    except Exception as error:
        print(json.dumps({"not_run": f"{type(error).__name__}: {error}"}))


main()
