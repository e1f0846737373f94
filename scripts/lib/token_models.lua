-- Which encoding a model's tokens are of, and what its chat template adds around the text.

local models = {}

-- One file may serve several encodings: they differ in special tokens only.
local TABLES = { o200k_harmony = "o200k_base", p50k_edit = "p50k_base", gpt2 = "r50k_base" }

local ENCODINGS = {
  o200k_base = true, o200k_harmony = true, cl100k_base = true, p50k_base = true,
  p50k_edit = true, r50k_base = true, gpt2 = true,
}

-- The longest matching beginning decides. `ratio`: tokens of this family for one of the
-- encoding's, over English, code and JSON; `spread`: how far off that may be.
local FAMILIES = {
  { "gpt-4o", "o200k_base" }, { "chatgpt-4o", "o200k_base" }, { "gpt-4.1", "o200k_base" },
  { "gpt-4.5", "o200k_base" }, { "gpt-5", "o200k_base" }, { "gpt-6", "o200k_base" },
  { "o1", "o200k_base" }, { "o3", "o200k_base" }, { "o4", "o200k_base" },
  { "codex-", "o200k_base" }, { "gpt-oss", "o200k_harmony" },
  { "gpt-4", "cl100k_base" }, { "gpt-3.5", "cl100k_base" }, { "gpt-35", "cl100k_base" },
  { "text-embedding-", "cl100k_base" }, { "davinci-002", "cl100k_base" },
  { "babbage-002", "cl100k_base" }, { "text-davinci-", "p50k_base" },
  { "code-davinci-", "p50k_base" }, { "davinci", "r50k_base" },
  { "claude", "o200k_base", ratio = 1.2, spread = 0.3 },
  { "claude-opus-4-7", "o200k_base", ratio = 1.55, spread = 0.35 },
  { "claude-opus-4-8", "o200k_base", ratio = 1.55, spread = 0.35 },
  { "claude-opus-5", "o200k_base", ratio = 1.55, spread = 0.35 },
  { "claude-sonnet-5", "o200k_base", ratio = 1.55, spread = 0.35 },
  { "gemini", "o200k_base", ratio = 1.06, spread = 0.2 },
  { "gemma", "o200k_base", ratio = 1.06, spread = 0.2 },
  { "llama", "o200k_base", ratio = 1.0, spread = 0.1 },
  { "meta-llama", "o200k_base", ratio = 1.0, spread = 0.1 },
  { "qwen", "o200k_base", ratio = 1.0, spread = 0.2 },
  { "deepseek", "o200k_base", ratio = 1.04, spread = 0.2 },
  { "mistral", "o200k_base", ratio = 1.1, spread = 0.25 },
  { "", "o200k_base", ratio = 1.1, spread = 0.4 },
}

local function bare(name)
  return name:lower():match("^ft:([^:]+)") or name:lower():match("([^/]*)$")
end

local function longest(list, name)
  local best
  for _, family in ipairs(list) do
    local begins = family[1]
    local longer = not best or #begins > #best[1]
    if longer and name:sub(1, #begins) == begins then best = family end
  end
  return best
end

--- The family of a model, or of an encoding by its name: { table = which vocabulary,
--- encoding =, ratio =, spread = }; without a ratio its counts are its own.
function models.find(name)
  if ENCODINGS[name] then return { encoding = name, table = TABLES[name] or name } end
  local family = longest(FAMILIES, bare(name))
  return {
    encoding = family[2], table = TABLES[family[2]] or family[2],
    ratio = family.ratio, spread = family.spread,
  }
end

-- What stands around messages (checked against recorded usage): once a body, around each
-- message, and around tools. The newer ones show tools behind a text of their own.
local FRAMES = {
  { "gpt-5", base = 2, message = 3, tools = 93 },
  { "gpt-4", base = 3, message = 3, tools = 6 },
  { "gpt-4o", base = 3, message = 3, tools = 9 },
  { "gpt-4.1", base = 3, message = 3, tools = 9 },
  { "", base = 3, message = 3, tools = 9 },
}

--- What a model's chat template adds: { base =, message =, tools = }
function models.frame(name)
  return longest(FRAMES, bare(name))
end

--- Is this the name of an encoding?
function models.is_encoding(name)
  return ENCODINGS[name] == true
end

return models
