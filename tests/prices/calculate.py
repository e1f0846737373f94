#!/usr/bin/env python3
"""Bills computed independently of moongate's code: exact rationals, straight from the rules.

  calculate.py cut REFERENCE        a cost map -> map.json: the models of MODELS, digits as they are
  calculate.py usages               usages.jsonl: usage objects as three providers write them
  calculate.py bills                bills.tsv: what each usage costs at each model, nano-dollars
  calculate.py counted              counted.tsv: searches, sessions, images, seconds and the like
  calculate.py random N SEED        N lines: model, dialect, usage object, nano-dollars

The rules, in words (issue 4; the papers' 3.4 on traps, 4f on accounting):

  A price is dollars a token as the map writes it; kept as integer nano-dollars per million
  tokens, half to even. A bill is the exact sum of count times price, rounded once, half to even.
  Prompt tokens are uncached text, cache reads, cache writes (five minutes, an hour), sound and
  images; answers are text, thought, sound and images; no token is in two of them. Parts that say
  more than the whole are cut, in that order. A class without a price costs what its side's text
  does; an hour's writes without one what five minutes' do. No price for tokens there are: unknown.
  Long prompts: all tokens at the tier whose threshold all prompt tokens are above (xAI: or at).
  What the map leaves out or gets wrong: see good() below.
"""

import json
import os
import random
import re
import sys
from fractions import Fraction

from usages import EDGES, WRITE, drawn, usage_list

HERE = os.path.dirname(os.path.abspath(__file__))

IN = ["input", "cache_read", "cache_write", "cache_write_1h", "audio_input", "image_input"]
OUT = ["output", "reasoning", "audio_output", "image_output"]

FIELD = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_reasoning_token": "reasoning",
    "input_cost_per_audio_token": "audio_input",
    "output_cost_per_audio_token": "audio_output",
    "input_cost_per_image_token": "image_input",
    "output_cost_per_image_token": "image_output",
}
# Dollars each; the second is what one of ours is of it (a millisecond of a second).
EACH = {
    "input_cost_per_request": ("request", 1),
    "input_cost_per_query": ("query", 1),
    "code_interpreter_cost_per_session": ("code_interpreter", 1),
    "ocr_cost_per_page": ("page", 1),
    "output_cost_per_image": ("image", 1),
    "input_cost_per_image": ("image_read", 1),
    "input_cost_per_character": ("character_input", 1),
    "output_cost_per_character": ("character_output", 1),
    "input_cost_per_second": ("ms_input", 1000),
    "output_cost_per_second": ("ms_output", 1000),
}
SERVICES = {"batches": "batch", "flex": "flex", "priority": "priority"}


class Digits(str):
    """A number as it was written."""


def half_even(x):
    n, rest = divmod(x.numerator, x.denominator)
    twice = 2 * rest
    if twice > x.denominator or (twice == x.denominator and n % 2):
        n += 1
    return n


def price(text):
    return half_even(Fraction(text) * 10**15)


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file, parse_float=Digits, parse_int=Digits)


# ---- what a model costs -----------------------------------------------------------------------


def scale(n, to, base):
    return n if base == 0 else half_even(Fraction(n * to, base))


def complete(base, tier):
    """A tier of long prompts, or a service: what it does not name changes as its side does."""
    for side, group in (("input", IN), ("output", OUT)):
        tier.setdefault(side, base.get(side))
        if tier[side] is None:
            del tier[side]
        for name in group:
            if name in base and name not in tier:
                known = side in base and side in tier
                tier[name] = scale(base[name], tier[side], base[side]) if known else base[name]


def raw(key, fields):
    """The prices of one entry, as said: base, tiers, services, searches."""
    model = {"key": key, "provider": fields["litellm_provider"], "base": {}, "tiers": {},
             "services": {}, "each": {}, "mode": fields.get("mode"), "factors": {}}
    for name, value in fields.items():
        if value is None:
            continue
        match = re.fullmatch(r"(.+?)(?:_above_(\d+)k_tokens)?(?:_(batches|flex|priority))?", name)
        base, above, service = match.groups()
        if base in FIELD:
            at = model
            if service:
                at = model["services"].setdefault(SERVICES[service], {"base": {}, "tiers": {}})
            where = at["tiers"].setdefault(int(above) * 1000, {}) if above else at["base"]
            where[FIELD[base]] = price(value)
    for tier in fields.get("tiered_pricing") or []:
        start = int(Fraction(tier["range"][0]))
        where = model["tiers"].setdefault(start, {}) if start else model["base"]
        for name in FIELD:
            if name in tier:
                where[FIELD[name]] = price(tier[name])
    if fields.get("input_cost_per_token_cache_hit") is not None:
        model["base"].setdefault("cache_read", price(fields["input_cost_per_token_cache_hit"]))
    for name, (what, share) in EACH.items():
        if fields.get(name) is not None and Fraction(fields[name]):
            model["each"][what] = half_even(Fraction(fields[name]) * 10**15 / share)
    search = fields.get("search_context_cost_per_query") or {}
    said = {k[len("search_context_size_"):]: price(v) for k, v in search.items() if Fraction(v)}
    if len(said) == 3 and len(set(said.values())) == 1:
        model["each"]["web_search"] = said["low"]
    else:
        model["each"].update(("web_search_" + size, n) for size, n in said.items())
    if model["provider"] == "anthropic":
        for name, value in (fields.get("provider_specific_entry") or {}).items():
            model["factors"][name] = Fraction(value)
        if len(model["factors"]) == 2:
            model["factors"]["us+fast"] = model["factors"]["us"] * model["factors"]["fast"]
    model["once"] = (model["provider"] == "gemini"
                     and fields.get("web_search_billing_unit") != "per_query")
    return model


def good(model):
    """What is missing or wrong, made good. False: it has no price."""
    base = model["base"]
    if not any(base.values()):
        base.clear()
        model["tiers"].clear()
        model["services"].clear()
    if model["mode"] == "image_generation":  # what is made is written as if it were read
        each = model["each"]
        if "image" not in each and "image_read" in each:
            each["image"] = each.pop("image_read")
        if "output" not in base and "image_output" in base:
            base["output"] = base["image_output"]
    if model["mode"] in (None, "chat", "responses", "completion"):
        for side in ("input", "output"):
            if base.get(side) == 0:
                del base[side]
    for at in [base]:
        fix_writes(at)
    if model["provider"] == "anthropic" and "input" in base:
        base.setdefault("cache_write", half_even(Fraction(base["input"] * 5, 4)))
        base.setdefault("cache_write_1h", 2 * base["input"])
    for tier in model["tiers"].values():
        fix_writes(tier)
        complete(base, tier)
    for own in model["services"].values():
        complete(base, own["base"])
        for above in set(model["tiers"]) | set(own["tiers"]):
            usual = tier_at(model, above + 1)
            tier = own["tiers"].setdefault(above, {})
            for name, n in usual.items():
                if name not in tier:
                    tier[name] = scale(n, own["base"][name], base[name]) if name in base else n
    return bool(base or model["each"])


def fix_writes(at):
    if at.get("cache_write") == 0 and at.get("input", 0) > 0:
        del at["cache_write"]
    if "cache_write" in at and "input" in at and at["cache_write"] < at["input"] \
            and "cache_read" not in at:
        at["cache_read"] = at.pop("cache_write")


def tier_at(at, prompt, at_least=False):
    """The prices for so many prompt tokens."""
    found, best = at["base"], -1
    for above, tier in at["tiers"].items():
        if (prompt > above or (at_least and prompt == above)) and above > best:
            found, best = tier, above
    return found


def models():
    out = {}
    for key, fields in load(os.path.join(HERE, "map.json")).items():
        model = raw(key, fields)
        if good(model):
            out[key] = model
    containers = {key.split("/")[0]: out.pop(key)["each"] for key in list(out)
                  if key.endswith("/container")}
    searches = {m["each"]["web_search"] for m in out.values()
                if m["provider"] == "anthropic" and "web_search" in m["each"]}
    for key, model in out.items():
        dated = re.fullmatch(r"(.+?)-(\d{8}|\d{4}-\d\d-\d\d)", key)
        base = dated and out.get(dated.group(1))
        if base and base["provider"] == model["provider"] and base["base"] == model["base"] \
                and base["tiers"] == model["tiers"]:
            for part in ("services", "each", "factors"):
                for name, value in base[part].items():
                    model[part].setdefault(name, value)
        if model["provider"] == "anthropic" and len(searches) == 1:
            model["each"].setdefault("web_search", next(iter(searches)))
        for name, n in containers.get(model["provider"], {}).items():
            model["each"].setdefault(name, n)
    return out


# ---- what a usage object says ------------------------------------------------------------------


def parts(prompt, read, write, hour, audio, image, answer, thought, said, drawn):
    """Disjoint counts: what says more than is left is cut."""
    left, out = prompt, {}
    for name, n in (("cache_read", read), ("writes", write), ("audio_input", audio),
                    ("image_input", image)):
        out[name] = min(n, left)
        left -= out[name]
    out["input"] = left
    out["cache_write_1h"] = min(hour, out["writes"])
    out["cache_write"] = out.pop("writes") - out["cache_write_1h"]
    left = answer
    for name, n in (("reasoning", thought), ("audio_output", said), ("image_output", drawn)):
        out[name] = min(n, left)
        left -= out[name]
    out["output"] = left
    return out


def of_openai(u):
    into = u.get("prompt_tokens_details") or {}
    out = u.get("completion_tokens_details") or {}
    prompt, answer = u["prompt_tokens"], u["completion_tokens"]
    read, write = into.get("cached_tokens", 0), into.get("cache_write_tokens", 0)
    thought = out.get("reasoning_tokens", 0)
    if thought and u.get("total_tokens") == prompt + answer + thought:
        answer += thought  # counted beside the answer
    if read + write > prompt:
        prompt += read + write  # counted beside the prompt
    return (prompt, parts(prompt, read, write, 0, into.get("audio_tokens", 0),
                          into.get("image_tokens", 0), answer, thought,
                          out.get("audio_tokens", 0), out.get("image_tokens", 0)),
            u.get("service_tier"), 0)


def of_anthropic(u):
    made = u.get("cache_creation") or {}
    hour = made.get("ephemeral_1h_input_tokens", 0)
    read = u.get("cache_read_input_tokens", 0)
    write = max(u.get("cache_creation_input_tokens", 0),
                hour + made.get("ephemeral_5m_input_tokens", 0))
    prompt = u["input_tokens"] + read + write
    service = u.get("service_tier")
    special = [w for w, on in (("us", u.get("inference_geo") == "us"),
                               ("fast", u.get("speed") == "fast")) if on]
    if special:
        service = "+".join(special)
    thought = (u.get("output_tokens_details") or {}).get("thinking_tokens", 0)
    return (prompt, parts(prompt, read, write, hour, 0, 0, u["output_tokens"], thought, 0, 0),
            service, (u.get("server_tool_use") or {}).get("web_search_requests", 0))


def of_gemini(answer):
    u = answer["usageMetadata"]

    def kind(name, modality):
        return sum(d["tokenCount"] for d in u.get(name, []) if d["modality"] == modality)

    prompt = u.get("promptTokenCount", 0) + u.get("toolUsePromptTokenCount", 0)
    said, thought = u.get("candidatesTokenCount", 0), u.get("thoughtsTokenCount", 0)
    output = said if u.get("totalTokenCount") == prompt + said else said + thought
    fresh = {m: max(0, kind("promptTokensDetails", m) + kind("toolUsePromptTokensDetails", m)
                    - kind("cacheTokensDetails", m)) for m in ("AUDIO", "IMAGE")}
    service = {"ON_DEMAND_FLEX": "flex", "ON_DEMAND_PRIORITY": "priority"}.get(u.get("trafficType"))
    return (prompt, parts(prompt, u.get("cachedContentTokenCount", 0), 0, 0, fresh["AUDIO"],
                          fresh["IMAGE"], output, thought,
                          kind("candidatesTokensDetails", "AUDIO"),
                          kind("candidatesTokensDetails", "IMAGE")),
            service, answer.get("queries", 0))


READ = {"openai": of_openai, "anthropic": of_anthropic, "gemini": of_gemini}


def dialect(model):
    return model["provider"] if model["provider"] in READ else "openai"


def bill(model, usage):
    """Nano-dollars, or None where nobody can know."""
    prompt, counts, service, searches = READ[dialect(model)](usage)
    factor = None
    at = model
    if service in model["services"]:
        at = model["services"][service]
    elif service in model["factors"]:
        factor = model["factors"][service]
    rates = tier_at(at, prompt, model["provider"] == "xai")
    total = Fraction(0)
    for name, n in counts.items():
        if n == 0:
            continue
        rate = rates.get(name)
        if rate is None and name == "cache_write_1h":
            rate = rates.get("cache_write")
        if rate is None:
            rate = rates.get("input" if name in IN else "output")
        if rate is None:
            return None
        if factor is not None:
            rate = half_even(rate * factor)
        total += Fraction(n * rate, 10**6)
    if searches:
        if "web_search" not in model["each"]:
            return None
        total += Fraction((1 if model["once"] else searches) * model["each"]["web_search"], 10**6)
    return whole(total + Fraction(model["each"].get("request", 0), 10**6))


def whole(total):
    cost = half_even(total)
    return cost if cost < 2**53 else None


def counted(model, units):
    """What is counted, by itself: no tokens."""
    total = Fraction(model["each"].get("request", 0), 10**6)
    for name, n in units.items():
        rate = model["each"].get(name)
        if rate is None and name.startswith("web_search_"):
            rate = model["each"].get("web_search")
        if n and rate is None:
            return None
        if name.startswith("web_search") and model["once"]:
            n = min(n, 1)
        total += Fraction(n * (rate or 0), 10**6)
    return whole(total)


# ---- files ------------------------------------------------------------------------------------

MODELS = """
gpt-4o gpt-4o-2024-05-13 gpt-4o-2024-08-06 gpt-4o-mini gpt-4o-audio-preview
gpt-4o-mini-audio-preview
gpt-4.1 gpt-4.1-mini gpt-4.1-nano-2025-04-14 gpt-5 gpt-5-mini gpt-5-nano gpt-5-pro gpt-5.1 gpt-5.2
gpt-5.4 gpt-5.4-2026-03-05 gpt-5.4-pro gpt-5.5 gpt-5.6 gpt-5.6-luna o1 o3 o3-mini o4-mini gpt-audio
ft:gpt-4o-2024-11-20 gpt-image-1 text-embedding-3-small gpt-3.5-turbo gpt-4
azure/gpt-4o azure/gpt-5.4 azure/gpt-5.6 azure/eu/gpt-4o-2024-11-20 azure/o3-mini azure/gpt-4
claude-haiku-4-5 claude-sonnet-4-5 claude-sonnet-4-20250514 claude-4-sonnet-20250514
claude-opus-4-6 claude-opus-4-6-20260205 claude-opus-5 claude-sonnet-5 claude-fable-5
claude-3-opus-20240229 claude-3-haiku-20240307
gemini/gemini-2.5-pro gemini/gemini-2.5-flash gemini/gemini-2.5-flash-lite
gemini/gemini-2.5-flash-image gemini/gemini-3-pro-preview gemini/gemini-3-flash-preview
gemini/gemini-3.1-flash-lite gemini/gemini-3.1-flash-live-preview gemini/gemini-3.5-flash-lite
gemini/gemini-2.5-computer-use-preview-10-2025 gemini/gemini-2.5-pro-preview-tts
gemini/gemini-3-pro-image gemini/gemini-1.5-flash gemini/gemini-exp-1206
xai/grok-4-fast-reasoning xai/grok-4-latest xai/grok-3 deepseek/deepseek-chat deepseek/deepseek-r1
deepseek/deepseek-v3 groq/llama-3.1-8b-instant mistral/mistral-large-latest mistral/codestral-latest
dashscope/qwen-flash dashscope/qwen3-max dashscope/qwen-plus-2025-04-28 minimax/MiniMax-M3
openrouter/qwen/qwen3.5-plus-02-15
openrouter/anthropic/claude-sonnet-4.5 perplexity/sonar-pro openai/container azure/container
gpt-4o-search-preview gpt-4o-mini-search-preview whisper-1 tts-1 dall-e-3 perplexity/sonar
perplexity/pplx-7b-online rerank-v3.5 gemini/imagen-4.0-generate-001 mistral/mistral-ocr-latest
groq/whisper-large-v3 deepgram/nova-3 gemini/veo-3.1-generate-preview text-embedding-3-large
""".split()


def dump(value):
    if isinstance(value, Digits):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(json.dumps(k) + ":" + dump(v) for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dump, value)) + "]"
    return json.dumps(value)


KEPT = re.compile("cost|pric|provider|^mode$|web_search|max_(in|out)put")


def cut(reference):
    whole = load(reference)
    odd = [k for k, m in whole.items() if any(
        len(str(v)) > 14 and isinstance(v, Digits) for f, v in m.items() if f in FIELD)]
    keys = [k for k in MODELS if k in whole] + sorted(set(odd) - set(MODELS))[:12]
    lines = []
    for key in ["sample_spec"] + keys:
        fields = {f: v for f, v in whole[key].items() if KEPT.search(f)}
        lines.append(json.dumps(key) + ":" + dump(fields))
    write("map.json", "{\n" + ",\n".join(lines) + "\n}\n")
    print(len(keys), "models; not in it:", [k for k in MODELS if k not in whole])


def write(name, text):
    with open(os.path.join(HERE, name), "w", encoding="utf-8") as file:
        file.write(text)


def text_of(cost):
    return "-" if cost is None else str(cost)


def main(words):
    if words[:1] == ["cut"]:
        cut(words[1])
    elif words == ["usages"]:
        write("usages.jsonl", "".join(json.dumps(u, separators=(",", ":")) + "\n"
                                      for u in usage_list()))
    elif words == ["bills"]:
        with open(os.path.join(HERE, "usages.jsonl"), encoding="utf-8") as file:
            usages = [json.loads(line) for line in file]
        write("bills.tsv", "".join(
            key + "\t" + " ".join(text_of(bill(m, u[dialect(m)])) for u in usages) + "\n"
            for key, m in models().items()))
    elif words == ["counted"]:
        rng, lines = random.Random(4), []
        names = [what for what, _ in EACH.values() if what != "request"]
        names += ["web_search", "web_search_low", "web_search_medium", "web_search_high"]
        for key, model in models().items():
            for _ in range(12):
                mine = [n for n in names if n in model["each"] or rng.random() < 0.02]
                mine += [n for n in names if n.startswith("web_s") and rng.random() < 0.2]
                units = {n: rng.choice([0, 1, 3, 1234, 10**6 + 1]) for n in mine}
                lines.append("\t".join((key, json.dumps(units), text_of(counted(model, units)))))
        write("counted.tsv", "\n".join(lines) + "\n")
    elif words[:1] == ["random"]:
        rng, all_models = random.Random(int(words[2])), list(models().items())
        for _ in range(int(words[1])):
            key, model = rng.choice(all_models)
            edge = rng.choice(EDGES) if rng.random() < 0.3 else None
            usage = WRITE[dialect(model)](drawn(rng, edge), rng)
            print(key, dialect(model), json.dumps(usage, separators=(",", ":")),
                  text_of(bill(model, usage)), sep="\t")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
