"""Usage objects as three providers write them, drawn at random: what calculate.py bills."""

import random

EDGES = [127999, 128000, 128001, 199999, 200000, 200001, 255999, 256000, 256001, 271999, 272000,
         272001, 511999, 512000, 512001]


def drawn(rng, edge=None):
    """Counts of one usage; none is in two."""
    size = rng.choice([20, 1000, 30000, 260000, 900000])
    n = {name: rng.randrange(size) if rng.random() < chance else 0
         for name, chance in (("text", 0.9), ("read", 0.5), ("write", 0.3), ("hour", 0.2),
                              ("audio", 0.2), ("image", 0.2), ("said", 0.9), ("thought", 0.4),
                              ("voice", 0.2), ("drawn", 0.1))}
    if edge:  # exactly so many prompt tokens, most of them cached
        n.update(text=edge % 1000, read=edge // 2, hour=rng.choice([0, 1000]), audio=0, image=0)
        n["write"] = edge - n["text"] - n["read"] - n["hour"]
    n["service"] = rng.choice([None, None, None, "default", "flex", "priority", "batch", "scale"])
    n["searches"] = rng.choice([0, 0, 0, 0, 1, 3])
    n["special"] = rng.choice([None, None, None, None, "us", "fast", "us+fast"])
    return n


def as_openai(n, rng):
    prompt = n["text"] + n["read"] + n["write"] + n["hour"] + n["audio"] + n["image"]
    answer = n["said"] + n["thought"] + n["voice"] + n["drawn"]
    u = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer,
         "prompt_tokens_details": {"cached_tokens": n["read"], "audio_tokens": n["audio"]},
         "completion_tokens_details": {"reasoning_tokens": n["thought"],
                                       "audio_tokens": n["voice"]}}
    if n["write"] + n["hour"]:
        u["prompt_tokens_details"]["cache_write_tokens"] = n["write"] + n["hour"]
    if n["image"]:
        u["prompt_tokens_details"]["image_tokens"] = n["image"]
    if n["drawn"]:
        u["completion_tokens_details"]["image_tokens"] = n["drawn"]
    if n["service"]:
        u["service_tier"] = n["service"]
    if n["thought"] and rng.random() < 0.2:  # thought beside the answer, as some count it
        u["completion_tokens"] -= n["thought"]
    if rng.random() < 0.05:  # more cached than there is: counted beside
        u["prompt_tokens_details"]["cached_tokens"] = prompt + 7
    if rng.random() < 0.05:  # parts that say more than the whole
        u["prompt_tokens_details"]["audio_tokens"] = prompt + 3
        u["completion_tokens_details"].update(reasoning_tokens=answer // 2, audio_tokens=answer)
    return u


def as_anthropic(n, rng):
    u = {"input_tokens": n["text"] + n["audio"] + n["image"],
         "cache_read_input_tokens": n["read"],
         "cache_creation_input_tokens": n["write"] + n["hour"],
         "output_tokens": n["said"] + n["thought"] + n["voice"] + n["drawn"]}
    if n["hour"]:
        u["cache_creation"] = {"ephemeral_5m_input_tokens": n["write"],
                               "ephemeral_1h_input_tokens": n["hour"]}
        if rng.random() < 0.2:  # where only the parts are said
            del u["cache_creation_input_tokens"]
    if n["thought"]:
        u["output_tokens_details"] = {"thinking_tokens": n["thought"]}
    if n["searches"]:
        u["server_tool_use"] = {"web_search_requests": n["searches"]}
    if n["special"]:
        if "us" in n["special"]:
            u["inference_geo"] = "us"
        u["speed"] = "fast" if "fast" in n["special"] else "standard"
    u["service_tier"] = rng.choice(["standard", "priority", "batch"])
    return u


def as_gemini(n, rng):
    cached_audio = n["read"] // 3 if n["audio"] else 0
    prompt = n["text"] + n["read"] + n["write"] + n["hour"] + n["audio"] + n["image"]
    said = n["said"] + n["voice"] + n["drawn"]
    details = [{"modality": "TEXT", "tokenCount": n["text"] + n["write"] + n["hour"]
                + n["read"] - cached_audio}]
    if n["audio"]:
        details.append({"modality": "AUDIO", "tokenCount": n["audio"] + cached_audio})
    if n["image"]:
        details.append({"modality": "IMAGE", "tokenCount": n["image"]})
    u = {"promptTokenCount": prompt, "candidatesTokenCount": said,
         "totalTokenCount": prompt + said + n["thought"], "promptTokensDetails": details}
    if n["read"]:
        u["cachedContentTokenCount"] = n["read"]
        u["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": n["read"] - cached_audio},
                                   {"modality": "AUDIO", "tokenCount": cached_audio}]
    if n["thought"]:
        u["thoughtsTokenCount"] = n["thought"]
    out = [{"modality": m, "tokenCount": n[k]} for m, k in (("AUDIO", "voice"), ("IMAGE", "drawn"))
           if n[k]]
    if out:
        u["candidatesTokensDetails"] = out
    if n["service"] in ("flex", "priority"):
        u["trafficType"] = "ON_DEMAND_" + n["service"].upper()
    answer = {"usageMetadata": u}
    if n["searches"]:
        answer["queries"] = n["searches"]
    return answer


WRITE = {"openai": as_openai, "anthropic": as_anthropic, "gemini": as_gemini}


def usage_list():
    rng = random.Random(20260724)
    counts = [drawn(rng, edge) for edge in EDGES for _ in range(4)]
    counts += [drawn(rng) for _ in range(320 - len(counts))]
    for field, value in (("text", 0), ("text", 10**9), ("said", 10**9)):
        counts.append(dict(dict.fromkeys(counts[0], 0), service=None, special=None))
        counts[-1][field] = value
    return [{name: write(n, rng) for name, write in WRITE.items()} for n in counts]
