-- What images and files cost, by their size in pixels. The rules are data
-- (lib/token_models.lua); what an address leads to is never fetched.

local images = {}

local USUAL = { width = 1024, height = 1024 } -- where nobody knows
local LARGEST = { width = 8192, height = 8192 }
local PAGE_BYTES = 15e3 -- of a file with pages: a guess, checked on a few recordings
local PAGE = 1040       -- tokens of a page, image and text
local MOST_PAGES = 20   -- times as many as guessed

local function tiled(rule, width, height, detail)
  if detail == "low" then return rule.base end
  local shrink = math.min(1, 2048 / math.max(width, height))
  width, height = width * shrink, height * shrink
  shrink = math.min(1, 768 / math.min(width, height))
  return rule.base
    + rule.tile * math.ceil(width * shrink / 512) * math.ceil(height * shrink / 512)
end

-- Scaled down until the patches are few enough, to whole patches at one side.
local function patched(rule, width, height, detail)
  local most, size = rule[detail] or rule.most, rule.patch
  local shrink = rule.pixels and math.min(1, rule.pixels / math.max(width, height)) or 1
  width, height = width * shrink / size, height * shrink / size
  if math.ceil(width) * math.ceil(height) > most then
    shrink = math.sqrt(most / (width * height))
    shrink = shrink * math.min(math.floor(width * shrink) / (width * shrink),
      math.floor(height * shrink) / (height * shrink))
    width, height = width * shrink, height * shrink
  end
  local patches = math.max(1, math.ceil(width - 1e-9)) * math.max(1, math.ceil(height - 1e-9))
  return math.ceil(math.min(patches, most) * rule.factor)
end

local function by_gemini(rule, width, height)
  if width <= 384 and height <= 384 then return rule.gemini end
  local side = math.min(768, math.max(256, math.floor(math.min(width, height) / 1.5)))
  return rule.gemini * math.ceil(width / side) * math.ceil(height / side)
end

--- Tokens of an image of so many pixels.
function images.of(rule, width, height, detail)
  if rule.fixed then return detail == "low" and rule.low or rule.fixed end
  if rule.tile then return tiled(rule, width, height, detail) end
  if rule.gemini then return by_gemini(rule, width, height) end
  return patched(rule, width, height, detail)
end

local function most_of(rule, detail)
  if rule.fixed then return rule.most end
  if rule.gemini then return rule.gemini * 16 end
  if rule.tile then return math.max(images.of(rule, 2048, 768, detail), rule.base) end
  return images.of(rule, LARGEST.width, LARGEST.height, detail)
end

-- A file whose pages nobody has counted.
local function paged(rule, picture)
  local pages = math.max(1, math.ceil(picture.bytes / PAGE_BYTES))
  local one = rule.gemini and 2 * rule.gemini or PAGE
  return pages * one, pages * MOST_PAGES * one
end

--- Tokens of a picture that a body has, and the most that it may come to.
function images.count(rule, picture)
  if picture.kind == "sized" then
    local n = images.of(rule, picture.width, picture.height, picture.detail)
    return n, n
  end
  if picture.kind == "pdf" then return paged(rule, picture) end
  local usual = images.of(rule, USUAL.width, USUAL.height, picture.detail)
  local most = most_of(rule, picture.detail)
  if picture.kind == "unsized" then -- perhaps a text, of a token a byte at most
    return math.min(usual, math.ceil(picture.bytes / 2)), math.max(most, picture.bytes)
  end
  return usual, most
end

return images
