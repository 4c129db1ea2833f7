"""llama.cpp as a peer: its speed, and its greedy texts, on the same weights and the same token ids.

    python llama_cpp.py f32 IN.gguf OUT.gguf     writes the weights of IN as f32
    python llama_cpp.py run < request.json       answers with one line of JSON

The request has model, threads, long (token ids), short (token ids), tokens, and prompts (lists of token ids).
"""

import json
import os
import sys
import time

from cyllama.llama import llama_cpp as llama


def to_f32(source, target):
    params = llama.LlamaModelQuantizeParams()
    params.ftype = 0  # All tensors in f32.
    params.allow_requantize = True
    if llama.model_quantize(source, target + ".part", params) not in (0, None):
        sys.exit(f"llama.cpp could not write {target}")
    os.replace(target + ".part", target)


class Peer:
    def __init__(self, path, threads, positions):
        params = llama.LlamaModelParams()
        params.n_gpu_layers = 0
        self.model = llama.LlamaModel(path_model=path, params=params, verbose=False)
        self.vocabulary = self.model.get_vocab()
        params = llama.LlamaContextParams()
        params.n_ctx, params.n_batch, params.n_ubatch = positions, 512, 512
        params.n_threads = params.n_threads_batch = threads
        self.context = llama.LlamaContext(model=self.model, params=params, verbose=False)
        self.sampler = llama.LlamaSampler(llama.LlamaSamplerChainParams())
        self.sampler.add_greedy()

    def feed(self, tokens, start):
        for first in range(0, len(tokens), 512):
            part = tokens[first : first + 512]
            batch = llama.LlamaBatch(n_tokens=len(part), embd=0, n_seq_max=1)
            for at, token in enumerate(part):
                batch.add(token, start + first + at, [0], at == len(part) - 1)
            self.context.decode(batch)
        return self.sampler.sample(self.context, -1)

    def greedy(self, prompt, most, past_the_end=False):
        """Tokens, seconds for the prompt, seconds for all after the first token."""
        self.context.kv_cache_clear()
        begun = time.perf_counter()
        tokens = [self.feed(prompt, 0)]
        read = time.perf_counter()
        while len(tokens) < most and (past_the_end or not self.vocabulary.is_eog(tokens[-1])):
            tokens.append(self.feed(tokens[-1:], len(prompt) + len(tokens) - 1))
        return tokens, read - begun, time.perf_counter() - read


def run(request):
    lists = [request["long"], request["short"], *request["prompts"]]
    peer = Peer(request["model"], request["threads"], max(map(len, lists)) + request["tokens"] + 8)
    peer.greedy(request["short"], 4, past_the_end=True)  # Weights are in memory from here on.
    prefill = min(peer.greedy(request["long"], 1)[1] for _ in range(3))
    decode = min(peer.greedy(request["short"], request["tokens"], past_the_end=True)[2] for _ in range(3))
    print(json.dumps({
        "prefillTokS": len(request["long"]) / prefill,
        "decodeTokS": (request["tokens"] - 1) / decode,
        "texts": [peer.greedy(prompt, 64)[0] for prompt in request["prompts"]],
    }))


def main():
    llama.disable_logging()
    match sys.argv[1:]:
        case ["f32", source, target]:
            to_f32(source, target)
        case ["run"]:
            run(json.load(sys.stdin))
        case _:
            sys.exit(__doc__)


main()
