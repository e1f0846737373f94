-- Which encoding a model's tokens are of, what its chat template adds around texts, and what an
-- image costs. Data; lib/tokens.lua counts by it.

local models = {}

-- One file may serve several encodings: they differ in special tokens only.
local TABLES = { o200k_harmony = "o200k_base", p50k_edit = "p50k_base", gpt2 = "r50k_base" }

local ENCODINGS = {
  o200k_base = true, o200k_harmony = true, cl100k_base = true, p50k_base = true,
  p50k_edit = true, r50k_base = true, gpt2 = true,
}

-- Weights -------------------------------------------------------------------------------------

-- Tokens of a family for one of o200k's, by what a piece of text is: words, words with
-- capitals, words with accents, digits, signs, blanks, line ends, Greek, Cyrillic, Hebrew and
-- Arabic, Indic and South-East Asian, kana, Han, Hangul, the rest. Fitted to whole documents'
-- ratios in seven languages, code and JSON (tests/tokens/weights.lua; of Mistral's, a guess).
local WEIGHTS = {
  claude = {
    0.89, 1.79, 1.78, 1.36, 1.54, 1.31, 1.46, 1.88, 1.49, 1.82, 1.82, 0.95, 1.72, 1.83, 1.50,
  },
  claude_2 = {
    0.94, 1.77, 1.62, 1.09, 1.01, 0.99, 1.21, 3.34, 2.04, 3.06, 3.06, 1.35, 1.02, 1.86, 1.38,
  },
  claude_47 = {
    1.28, 2.51, 2.54, 1.85, 1.82, 1.48, 1.77, 1.89, 1.57, 1.88, 1.88, 1.30, 1.52, 1.86, 2.16,
  },
  gemini = {
    1.01, 0.97, 1.06, 1.05, 1.27, 1.31, 1.21, 1.02, 0.96, 1.04, 1.04, 0.76, 0.93, 0.96, 1.05,
  },
  llama = {
    0.92, 1.44, 1.35, 1.05, 1.01, 0.97, 1.10, 1.04, 1.15, 1.05, 1.05, 0.91, 1.07, 1.03, 1.19,
  },
  qwen = {
    0.93, 1.44, 1.34, 1.07, 1.02, 0.95, 1.09, 2.60, 1.23, 2.39, 2.39, 0.94, 0.88, 1.15, 1.20,
  },
  deepseek = {
    0.94, 1.39, 1.34, 1.16, 1.16, 1.02, 1.12, 1.35, 1.11, 1.32, 1.32, 1.03, 0.67, 1.11, 1.20,
  },
  mistral = {
    1.00, 1.14, 1.20, 1.09, 1.21, 1.12, 1.07, 1.30, 1.15, 1.30, 1.30, 1.02, 1.10, 1.10, 1.11,
  },
}

-- Frames --------------------------------------------------------------------------------------

-- Tokens around texts: once a body (`base`), for each message beside its role's name, for a
-- call that an assistant asked for; where there are tools (`tools`: often a hidden text), for
-- each of them, where one must be called (`choice`), for a schema that the answer must have
-- (`format`, `schema`), for thinking. With `property`, tools are shown as types, with what a
-- property, a value of an enumeration and a description add; else as JSON. Checked against
-- recorded usage (tests/tokens/table.lua).
local OPENAI = {
  base = 3, message = 3, call = 4.7, tools = 15, tool = 5, property = 5, enum = 2, choice = 7,
  format = 3, described = 1, item = 3,
}

local function like(frame, changes)
  local out = {}
  for name, value in pairs(frame) do out[name] = value end
  for name, value in pairs(changes) do out[name] = value end
  return out
end

local GPT5 = like(OPENAI, { base = 2, tools = 75, tool = 13, call = 14, hidden = true })
local CLAUDE =
  { base = 4, message = 1, tools = 305, tool = 35, thinking = 28, call = 20, schema = 340 }
local CLAUDE_45 = like(CLAUDE, { tools = 530, tool = 50, schema = 140 })

local FRAMES = {
  openai = OPENAI, openai_41 = like(OPENAI, { format = -3 }), gpt5 = GPT5,
  oss = like(OPENAI, { base = 63, tools = 20, tool = 13, schema = 58 }),
  claude = CLAUDE, claude_3 = like(CLAUDE, { tools = 230, tool = 0 }), claude_45 = CLAUDE_45,
  claude_47 = like(CLAUDE_45, { base = 8 }),
  gemini = like(OPENAI, {
    base = 0, message = 0, tools = 0, tool = 5, property = 1, call = 5, formatless = true,
    roleless = true,
  }),
  llama = { base = 34, message = 4, tools = 230, tool = 20, call = 10 },
  llama_4 = { base = 34, message = 4, tools = 560, tool = 20, call = 10 },
  qwen = { base = 6, message = 3, tools = 100, tool = 20, call = 25, schema = 80 },
  deepseek = { base = 2, message = 1, tools = 190, tool = 40, call = 20 },
  mistral = { base = 2, message = 0, tools = 35, tool = 20, call = 15 },
  grok = { base = 7, message = 2, tools = 180, tool = 20, call = 20, schema = 180 },
  glm = { base = 6, message = 3, tools = 130, tool = 15, call = 15 },
  kimi = { base = 6, message = 3, tools = 70, tool = 10, call = 10 },
  other = { base = 3, message = 3, tools = 100, tool = 20, call = 10 },
}

-- Items of Responses, where they differ from messages.
local ITEMS = {
  gpt5 = like(OPENAI, { base = 2, tools = 15, tool = 7, choice = 0, item = 14, format = 0 }),
}

-- Images --------------------------------------------------------------------------------------

-- `tile`: so many tokens for each square of 512 in an image scaled to 768 at the shorter side,
-- beside `base`. `patch`: tokens for each square of so many pixels, `factor` times, of at most
-- `most` of them (`high` where it shall be looked at closely). `fixed`: whatever the size.
-- `pixels`: scaled to this longer side before.
local IMAGES = {
  tiles = { base = 85, tile = 170 }, tiles_mini = { base = 2833, tile = 5667 },
  tiles_o = { base = 75, tile = 150 }, tiles_5 = { base = 70, tile = 140 },
  patches_mini = { patch = 32, most = 1536, factor = 1.62 },
  patches_nano = { patch = 32, most = 1536, factor = 2.46 },
  patches_o4 = { patch = 32, most = 1536, factor = 1.72 },
  patches_5 = { patch = 32, most = 1536, high = 2500, original = 12000, factor = 1.2 },
  patches_54 = { patch = 32, most = 12000, high = 2500, factor = 1.2 },
  patches_5_nano = { patch = 32, most = 1536, high = 2500, factor = 1.5 },
  claude = { patch = 28, most = 1600, pixels = 1568, factor = 1 },
  claude_47 = { patch = 28, most = 4784, pixels = 2576, factor = 1 },
  gemini = { gemini = 258 },
  gemini_3 = { fixed = 1100, low = 280, most = 1120 },
  other = { patch = 28, most = 4096, factor = 1 },
}

-- Families ------------------------------------------------------------------------------------

-- The longest matching beginning decides. `weights`: of another family, with the ratio for
-- where there is no vocabulary; `spread`: how far off that may be.
local O200K, CL100K = "o200k_base", "cl100k_base"

local function openai(image, frame)
  return { O200K, frame = frame or "openai", image = image }
end

local function family(name, ratio, spread, frame, image)
  return { O200K, weights = name, ratio = ratio, spread = spread, frame = frame, image = image }
end

local function cl100k(image)
  return { CL100K, frame = "openai", image = image or "tiles" }
end

local CLAUDE_NEW = family("claude_47", 1.55, 0.2, "claude_47", "claude_47")
local CLAUDE_NOW = family("claude", 1.2, 0.15, "claude_45", "claude")

local FAMILIES = {
  ["gpt-4o"] = openai "tiles", ["gpt4o"] = openai "tiles", ["chatgpt-4o"] = openai "tiles",
  ["gpt-4.1"] = openai("tiles", "openai_41"),
  ["gpt-4o-mini"] = openai "tiles_mini", ["gpt-4.1-mini"] = openai("patches_mini", "openai_41"),
  ["gpt-4.1-nano"] = openai("patches_nano", "openai_41"), ["gpt-4.5"] = openai "tiles",
  ["gpt-5"] = openai("tiles_5", "gpt5"), ["gpt-5-mini"] = openai("patches_5", "gpt5"),
  ["gpt-5-nano"] = openai("patches_5_nano", "gpt5"), ["gpt-5."] = openai("patches_5", "gpt5"),
  ["gpt-6"] = openai("patches_54", "gpt5"), ["gpt-5.4"] = openai("patches_54", "gpt5"),
  ["gpt-5.5"] = openai("patches_54", "gpt5"), ["gpt-5.6"] = openai("patches_54", "gpt5"),
  ["codex-"] = openai("patches_o4", "gpt5"),
  ["o1"] = openai "tiles_o", ["o3"] = openai "tiles_o", ["o4"] = openai "patches_o4",
  ["computer-use"] = openai "tiles_o",
  ["gpt-oss"] = { "o200k_harmony", frame = "oss", image = "other" },
  ["gpt-4"] = cl100k(), ["gpt-3.5"] = cl100k(), ["gpt-35"] = cl100k(),
  ["text-embedding-"] = cl100k(), ["davinci-002"] = cl100k(), ["babbage-002"] = cl100k(),
  ["text-davinci-"] = { "p50k_base", frame = "openai", image = "tiles" },
  ["code-davinci-"] = { "p50k_base", frame = "openai", image = "tiles" },
  ["davinci"] = { "r50k_base", frame = "openai", image = "tiles" },
  ["claude"] = CLAUDE_NOW, ["claude-3"] = family("claude", 1.2, 0.15, "claude_3", "claude"),
  ["claude-3-7"] = family("claude", 1.2, 0.15, "claude", "claude"),
  ["claude-sonnet-4"] = family("claude", 1.2, 0.15, "claude", "claude"),
  ["claude-opus-4"] = family("claude", 1.2, 0.15, "claude", "claude"),
  ["claude-opus-4-5"] = CLAUDE_NOW, ["claude-opus-4-6"] = CLAUDE_NOW,
  ["claude-sonnet-4-5"] = CLAUDE_NOW, ["claude-sonnet-4-6"] = CLAUDE_NOW,
  ["claude-2"] = family("claude_2", 1.1, 0.15, "claude_3", "claude"),
  ["claude-instant"] = family("claude_2", 1.1, 0.15, "claude_3", "claude"),
  ["claude-opus-4-7"] = CLAUDE_NEW, ["claude-opus-4-8"] = CLAUDE_NEW,
  ["claude-opus-4-9"] = CLAUDE_NEW, ["claude-opus-5"] = CLAUDE_NEW,
  ["claude-sonnet-5"] = CLAUDE_NEW, ["claude-haiku-5"] = CLAUDE_NEW,
  ["gemini"] = family("gemini", 1.06, 0.15, "gemini", "gemini"),
  ["gemini-3"] = family("gemini", 1.06, 0.15, "gemini", "gemini_3"),
  ["gemma"] = family("gemini", 1.06, 0.15, "gemini", "gemini"),
  ["llama"] = family("llama", 1.0, 0.1, "llama", "other"),
  ["llama-4"] = family("llama", 1.0, 0.1, "llama_4", "other"),
  ["meta-llama"] = family("llama", 1.0, 0.1, "llama", "other"),
  ["qwen"] = family("qwen", 1.0, 0.15, "qwen", "other"),
  ["deepseek"] = family("deepseek", 1.04, 0.15, "deepseek", "other"),
  ["mistral"] = family("mistral", 1.08, 0.2, "mistral", "other"),
  ["ministral"] = family("mistral", 1.08, 0.2, "mistral", "other"),
  ["magistral"] = family("mistral", 1.08, 0.2, "mistral", "other"),
  ["mixtral"] = family("mistral", 1.08, 0.2, "mistral", "other"),
  ["open-mi"] = family("mistral", 1.08, 0.2, "mistral", "other"),
  ["pixtral"] = family("mistral", 1.08, 0.2, "mistral", "other"),
  ["devstral"] = family("mistral", 1.08, 0.2, "mistral", "other"),
  ["codestral"] = family("mistral", 1.08, 0.2, "mistral", "other"),
  ["grok"] = family(nil, 1.05, 0.25, "grok", "other"),
  ["glm"] = family(nil, 1.05, 0.25, "glm", "other"),
  ["kimi"] = family(nil, 1.05, 0.25, "kimi", "other"),
  [""] = family(nil, 1.1, 0.4, "other", "other"),
}

-- Some name a model behind its maker, a region, or with dots.
local function bare(name)
  name = name:lower():match("^ft:([^:]+)") or name:lower():match("([^/]*)$")
  name = name:gsub("^%l%l%l?%.", ""):gsub("^[%l]+%.(%l)", "%1")
  if name:find("claude", 1, true) then name = name:match "claude.*":gsub("%.", "-") end
  return name
end

local function longest(name)
  local best, length = FAMILIES[""], 0
  for begins, family_of in pairs(FAMILIES) do
    if #begins > length and name:sub(1, #begins) == begins then
      best, length = family_of, #begins
    end
  end
  return best
end

local function weights_of(name)
  local list = WEIGHTS[name]
  if not list then return nil end
  local out = {}
  for i, weight in ipairs(list) do out[2 * i - 1], out[2 * i] = weight, 0 end
  return out
end

--- What is known of a model, or of an encoding by its name: { table = which vocabulary,
--- encoding =, weights =, ratio =, spread =, frame =, items =, image = }; without a ratio its
--- counts are its own.
function models.find(name)
  if ENCODINGS[name] then
    return { encoding = name, table = TABLES[name] or name, frame = OPENAI, items = OPENAI,
      image = IMAGES.tiles, kind = name, label = name }
  end
  local found = longest(bare(name))
  local encoding, frame = found[1], found.frame
  return {
    encoding = encoding, table = TABLES[encoding] or encoding,
    weights = weights_of(found.weights),
    ratio = found.ratio, spread = found.spread, frame = FRAMES[frame],
    items = ITEMS[frame] or FRAMES[frame], image = IMAGES[found.image], label = frame,
    kind = encoding .. ":" .. frame .. ":" .. tostring(found.weights or found.ratio),
  } -- kind: what shares an outline; label: for people
end

--- Is this the name of an encoding?
function models.is_encoding(name)
  return ENCODINGS[name] == true
end

return models
