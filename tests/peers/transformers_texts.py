"""transformers as a stack of its own: texts by greedy decoding and beam search, on the same weights and the same token ids.

    python transformers_texts.py < request.json       answers with a line of JSON for each prompt: tokens, seconds

The request has model (a .gguf file), threads, prompts (lists of token ids), maxTokens, beams, and ends (token ids). The
first line of the answer is the program's name and version. Prompts of like lengths are made eight at a time.
"""

import json
import os
import sys
import time

import torch
import transformers

AT_ONCE = 8


def write(model, request, prompts):
    """One text for each prompt, padded on the left as transformers wants it."""
    ends = request["ends"]
    longest = max(map(len, prompts))
    padded = torch.tensor([[ends[0]] * (longest - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    made = model.generate(
        padded,
        attention_mask=mask,
        max_new_tokens=request["maxTokens"],
        do_sample=False,
        num_beams=request["beams"],
        length_penalty=1.0,
        early_stopping=False,
        eos_token_id=ends,
        pad_token_id=ends[0],
    )
    for tokens in made[:, longest:].tolist():
        over = next((at for at, token in enumerate(tokens) if token in ends), len(tokens) - 1)
        yield tokens[: over + 1]


def main():
    request = json.load(sys.stdin)
    torch.set_num_threads(request["threads"])
    transformers.logging.set_verbosity_error()
    folder, name = os.path.split(request["model"])
    with torch.inference_mode():
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()
        print(json.dumps(f"transformers {transformers.__version__}, torch {torch.__version__}"), flush=True)
        prompts = sorted(enumerate(request["prompts"]), key=lambda numbered: len(numbered[1]))
        for first in range(0, len(prompts), AT_ONCE):
            part = prompts[first : first + AT_ONCE]
            begun = time.perf_counter()
            texts = list(write(model, request, [prompt for _, prompt in part]))
            seconds = (time.perf_counter() - begun) / len(part)
            for (number, _), tokens in zip(part, texts):
                print(json.dumps({"number": number, "tokens": tokens, "seconds": seconds}), flush=True)


main()
