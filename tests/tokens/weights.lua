-- Fits the weights of lib/token_models.lua, and says how far off they are.
--
--     luajit tests/tokens/weights.lua english=FILE code=FILE json=FILE german=FILE …
--
-- Each file is a text of a genre of RATIOS, some 100 KB. For each family: its weights, and for
-- each genre the ratio that they give, beside the one that they give when fitted without it.

package.path = "./scripts/?.lua;" .. package.path
package.cpath = (os.getenv "MOONGATE_TOOLS" or "./build/tests") .. "/?.so;" .. package.cpath
require "engine"
local tokens = require "engine.tokens"

local KINDS = 15
-- The genre that says most of a kind (engine/tokens_tally.h).
local GENRE_OF = {
  "english", "english", "german", "json", "code", "code", "code", "greek", "russian", "greek",
  "greek", "japanese", "chinese", "korean", "german",
}

-- Whole documents: tokens of a family for one of o200k's.
local GENRES = { "english", "code", "json", "german", "russian", "greek", "korean", "japanese",
  "chinese" }
local RATIOS = {
  claude    = { 1.085, 1.20, 1.23, 1.45, 1.47, 1.82, 1.83, 1.15, 1.45 },
  claude_2  = { 1.065, 1.03, 1.02, 1.34, 1.83, 3.06, 1.86, 1.26, 1.13 },
  claude_47 = { 1.48, 1.52, 1.62, 2.10, 1.62, 1.88, 1.86, 1.39, 1.48 },
  gemini    = { 1.03, 1.14, 1.11, 1.05, 1.01, 1.04, 0.96, 0.83, 0.90 },
  llama     = { 1.005, 0.99, 0.99, 1.17, 1.13, 1.05, 1.03, 0.96, 1.02 },
  qwen      = { 1.01, 0.99, 1.00, 1.17, 1.19, 2.39, 1.15, 0.94, 0.92 },
  deepseek  = { 1.03, 1.04, 1.07, 1.18, 1.12, 1.32, 1.11, 0.96, 0.83 },
}
local PULL = 0.1 -- towards what a kind's own genre says: there are more weights than genres

-- Shares ------------------------------------------------------------------------------------

local function outline_of(kind)
  local weights = {}
  for i = 1, 2 * KINDS do weights[i] = 0 end
  weights[2 * kind - 1] = 1
  return tokens.outline {
    order = { "body" }, places = { body = { members = {} } }, weights = weights,
  }
end

local function shares(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  local all, out = tokens.count(text, "o200k_base"), {}
  for kind = 1, KINDS do out[kind] = tokens.body(text, outline_of(kind), "o200k_base") / all end
  return out
end

-- Least squares -----------------------------------------------------------------------------

-- x of the square system a x = b, in place.
local function solve(a, b)
  local n = #b
  for i = 1, n do
    local best = i
    for j = i + 1, n do
      if math.abs(a[j][i]) > math.abs(a[best][i]) then best = j end
    end
    a[i], a[best], b[i], b[best] = a[best], a[i], b[best], b[i]
    for j = i + 1, n do
      local by = a[j][i] / a[i][i]
      for k = i, n do a[j][k] = a[j][k] - by * a[i][k] end
      b[j] = b[j] - by * b[i]
    end
  end
  for i = n, 1, -1 do
    for k = i + 1, n do b[i] = b[i] - a[i][k] * b[k] end
    b[i] = b[i] / a[i][i]
  end
  return b
end

local function prior(ratio)
  local out = {}
  for kind = 1, KINDS do
    out[kind] = ratio[GENRE_OF[kind]] or ratio.english
  end
  return out
end

-- Weights that give the ratios of `known` best, in relative terms, near what is expected.
local function fit(known, ratio)
  local a, b, expected = {}, {}, prior(ratio)
  for i = 1, KINDS do
    a[i], b[i] = {}, PULL ^ 2 * expected[i]
    for k = 1, KINDS do a[i][k] = i == k and PULL ^ 2 or 0 end
  end
  for genre, share in pairs(known) do
    for i = 1, KINDS do
      b[i] = b[i] + share[i] / ratio[genre]
      for k = 1, KINDS do a[i][k] = a[i][k] + share[i] * share[k] / ratio[genre] ^ 2 end
    end
  end
  local out = solve(a, b)
  for i = 1, KINDS do out[i] = math.min(4, math.max(0.4, out[i])) end
  return out
end

local function ratio_of(weights, share)
  local sum = 0
  for kind = 1, KINDS do sum = sum + weights[kind] * share[kind] end
  return sum
end

-- The report --------------------------------------------------------------------------------

local function without(known, ratio, genre)
  local less, unknown = {}, {}
  for name, share in pairs(known) do less[name] = name ~= genre and share or nil end
  for name, value in pairs(ratio) do unknown[name] = name ~= genre and value or nil end
  unknown.english = unknown.english or ratio.code
  return ratio_of(fit(less, unknown), known[genre])
end

local known = {}
for _, word in ipairs(arg) do
  local genre, path = word:match "^(%l+)=(.+)$"
  known[assert(genre, "GENRE=FILE …")] = shares(path)
end
for family, list in pairs(RATIOS) do
  local ratio, text = {}, {}
  for i, genre in ipairs(GENRES) do ratio[genre] = list[i] end
  local weights = fit(known, ratio)
  for i, weight in ipairs(weights) do text[i] = ("%.2f"):format(weight) end
  print(family .. " = { " .. table.concat(text, ", ") .. " }")
  for _, genre in ipairs(GENRES) do
    if known[genre] then
      print(("  %-9s %.2f  fitted %.2f  held out %.2f"):format(genre, ratio[genre],
        ratio_of(weights, known[genre]), without(known, ratio, genre)))
    end
  end
end
