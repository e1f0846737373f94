-- How many tokens a text has, or a body as its model will see it: exactly where the vocabulary
-- is public, else an estimate that says so, corrected by what providers reported before.

local images = require "lib.token_images"
local json = require "engine.json"
local models = require "lib.token_models"
local shapes = require "lib.token_shapes"
local tokens = require "engine.tokens"

local estimate = {}

local ANSWER = 1024    -- an answer whose length nobody limited
local BYTES_A_TOKEN = 4
local NAMES = 1000     -- of models, remembered
local MISSING = 0.15   -- how far off an estimate is where a vocabulary is public, but not here
local RULED, RULED_SHARE = 3, 0.03 -- how far off rules for tools and schemas are
local GUESSED_SHARE = 0.3 -- where nobody says how a model is shown them
local UNKNOWN = "other" -- the label of a family for names that nobody knows
local FEW = 6              -- tokens that a template may add or spare
local HIDDEN = 20      -- and where a provider puts a text of its own before them
local RULES = 6        -- what is learned of bodies with tools is learned apart
local LEAST_IMAGE = 64 -- where nobody knows its size
local LEAST_RATIO = 2  -- no family has fewer than half of o200k's tokens

-- Profiles: what counting for a model needs ---------------------------------------------------

local Profiles = {}
Profiles.__index = Profiles

--- Remembers what counting for a model needs. One a generation.
function estimate.profiles()
  return setmetatable({ count = 0, named = {}, outlines = {} }, Profiles)
end

local function outline(self, family, frame, kind)
  local found = self.outlines[kind]
  if not found then
    found = shapes.outline(frame, family)
    self.outlines[kind] = found
  end
  return found
end

--- The outline of what has no frame: texts as they are.
function Profiles:plain(family)
  local kind = family.kind .. ":plain"
  self.outlines[kind] = self.outlines[kind] or shapes.plain(family)
  return self.outlines[kind]
end

--- What counting for a model needs, by the model's or an encoding's name.
function Profiles:of(name)
  local found = self.named[name]
  if found then return found end
  local family = models.find(name)
  found = {
    name = name, family = family, chat = outline(self, family, family.frame, family.kind),
    items = outline(self, family, family.items, family.kind .. ":items"),
  }
  if self.count >= NAMES then self.named, self.count = {}, 0 end
  self.named[name], self.count = found, self.count + 1
  return found
end

--- An answer says that `name`, of which nothing is known (a deployment's own name, say), is
--- `served`: from now on it is counted so.
function Profiles:served(name, served)
  local known = self:of(name)
  if known.family.label ~= UNKNOWN or type(served) ~= "string" or served == name then return end
  local real = self:of(served)
  if real.family.label == UNKNOWN then return end
  self.named[name] =
    { name = name, family = real.family, chat = real.chat, items = real.items }
end

-- What is known of a number -------------------------------------------------------------------

local function about_of(profile, n, exact)
  local family = profile.family
  if exact and not family.ratio then
    local encoding = family.encoding
    return { exact = true, method = "vocabulary", low = n, high = n, encoding = encoding }
  end
  local spread = n * ((family.spread or 0) + (exact and 0 or MISSING)) + FEW
  return {
    exact = false, method = exact and "vocabulary and weights" or "estimate",
    low = math.max(0, math.floor(n - spread)), high = math.ceil(n + spread),
    encoding = family.encoding,
  }
end

--- Tokens of a text in an encoding, or for a model; both by name. With a limit, a text of more
--- tokens has limit + 1. n, { exact =, method =, low =, high =, encoding =, missing = why its
--- vocabulary is not here, or nil }
function estimate.count(text, name, limit)
  local profile = estimate.profiles():of(name)
  local family = profile.family
  local n, exact =
    tokens.body(text, profile.chat, family.table, not family.ratio and limit or nil)
  n = math.floor(n + 0.5)
  local about = about_of(profile, n, exact)
  if not tokens.has(family.table) then
    local why = tokens.complaint()
    about.missing = why ~= "" and why or ("no vocabulary of " .. family.encoding)
  end
  if limit and n > limit then return limit + 1, about end
  return n, about
end

local function ruled(about, family, n)
  local hidden = (family.ratio or family.frame.hidden) and HIDDEN or 0
  local spread = hidden + RULED + (family.ratio and GUESSED_SHARE or RULED_SHARE) * n
  about.method = about.exact and "vocabulary and rules" or about.method
  about.exact = false
  about.low = math.max(0, math.floor(about.low - spread))
  about.high = math.ceil(about.high + spread)
end

local function add_images(about, rule, pictures)
  local sum, sized = 0, true
  for _, picture in ipairs(pictures) do
    local n, most = images.count(rule, picture)
    sum, sized = sum + n, sized and picture.kind == "sized"
    local least = picture.kind == "sized" and n or math.min(n, rule.base or LEAST_IMAGE)
    about.low, about.high = about.low + least, about.high + most
  end
  about.exact, about.images = false, #pictures
  about.sized = sized
  return sum
end

-- What was learned of a model's answers takes the place of what its family is like.
local function corrected(about, profile, n)
  local mean, deviation, count = tokens.learned(profile.name, about.lesson)
  if not mean then return n end
  local spread = math.max(2 * deviation, (profile.family.spread or RULED_SHARE) / count)
  mean = 1 + (mean - 1) * count / (count + 1)
  about.low = math.max(0, math.floor(n * (mean - spread)))
  about.high = math.ceil(n * (mean + spread))
  return math.floor(n * mean + 0.5)
end

local function limit_for(family, frame, most)
  if not most then return nil end
  return family.ratio and most * LEAST_RATIO or math.max(0, most - frame.base)
end

-- n, exact, script, whether rules made it, pictures of a body.
local function look(doc, profile, most, now)
  local family, outlined = profile.family, profile.chat
  local frame = family.frame
  if doc:type "input" then frame, outlined = family.items, profile.items end
  local texts, exact, frames, script, rules, pictures =
    tokens.body(doc, outlined, family.table, limit_for(family, frame, most), now)
  local n = math.max(0, math.floor(texts + frame.base + frames + 0.5))
  return n, exact, script, rules, pictures
end

--- Input tokens of a body for a model. `doc` is indexed JSON. With a limit, a body of more
--- tokens has limit + 1; `now` never waits, and estimates what one turn has no time for.
--- n, { exact =, method =, low =, high =, encoding =, images = how many, or nil, sized = are
--- all their sizes known, profile =, lesson = of what kind it is, plain = the number before
--- what was learned }
function estimate.count_doc(doc, profile, most, now)
  local family = profile.family
  local n, exact, script, rules, pictures = look(doc, profile, most, now)
  local about = about_of(profile, n, exact)
  about.profile, about.plain, about.lesson = profile, n, script + (rules and RULES or 0)
  if rules then ruled(about, family, n) end
  if not about.exact then n = corrected(about, profile, n) end
  if pictures then n = n + add_images(about, family.image, pictures) end
  if most and n > most then return most + 1, about end
  return n, about
end

--- The same for a body (a document, or decoded) and a model's name.
function estimate.count_messages(body, model, most)
  local doc = type(body) == "userdata" and body or assert(json.index(json.encode(body)))
  return estimate.count_doc(doc, estimate.profiles():of(model), most)
end

-- Tokens that a client counted out itself: the numbers that stand in no text.
local function given_as_numbers(value)
  local rest = value:find('"', 1, true) and value:gsub("\\.", ""):gsub('"[^"]*"', "") or value
  return select(2, rest:gsub("%d[%d.eE+-]*", ""))
end

local BEYOND_BYTES -- below

-- Where one member is all that is read (`door.plain`): texts, or tokens as numbers. Nothing is
-- learned of it for chats, nor of chats for it.
local function count_plain(call, name, model, now)
  local doc, profiles = call.doc, call.cfg.runtime.profiles
  local profile = profiles:of(model)
  local texts, exact = tokens.body(doc, profiles:plain(profile.family), profile.family.table,
    nil, now)
  local n = math.floor(texts + 0.5) + given_as_numbers(doc:raw(name) or "")
  if tokens.mentions(doc, unpack(BEYOND_BYTES)) then -- some take images here, too
    exact, n = false, n + estimate.count_doc(doc, profile, nil, now)
  end
  local about = about_of(profile, n, exact)
  about.profile, about.plain, about.lesson = profile, 0, 0
  return n, about
end

--- Input tokens of a call for a deployment's model. n, about
function estimate.count_call(call, model, now)
  local plain = call.door and call.door.plain
  if plain then return count_plain(call, plain, model, now) end
  return estimate.count_doc(call.doc, call.cfg.runtime.profiles:of(model), nil, now)
end

-- By the body's bytes -------------------------------------------------------------------------

-- What a body may hold that takes tokens without having their bytes: images and files, what the
-- provider kept, and names written so that a look at the bytes does not see them.
BEYOND_BYTES = {
  '"image"', '"image_url"', '"input_image"', '"file"', '"file_id"', '"file_data"',
  '"input_file"', '"fileData"', '"inlineData"', '"inline_data"', '"document"', '"audio"',
  '"input_audio"', '"video"', '"video_url"', '"previous_response_id"', '"conversation"',
  '"cachedContent"', '"cached_content"', "\\u004", "\\u005", "\\u006", "\\u007",
}
local AROUND = 128     -- what a template puts around messages, beyond what JSON does
local BEFORE_TOOLS = 800 -- a text that some put before tools
local BEFORE_SCHEMA = 400 -- and before a schema that the answer must have

-- Where a body may say which shape its answer must have.
local SHAPES = {
  "response_format", "output_format", "output_config", "generationConfig", "generation_config",
}

local function may_have_schema(doc)
  for _, name in ipairs(SHAPES) do
    if doc:type(name) then return true end
  end
  return false
end

--- No fewer input tokens than a call has, from the size of its body alone: a token has a byte
--- at least, and what JSON puts around a message is longer than what a template does. Nil where
--- bytes say nothing: images, files, what the provider kept. A provider's own tools (searches
--- on its side) are not in it.
function estimate.bound(call)
  local doc = call.doc
  if tokens.mentions(doc, unpack(BEYOND_BYTES)) then return nil end
  if call.door and call.door.plain then return #doc + AROUND end
  if type(doc:get "prompt") == "table" then return nil end
  local tools = doc:raw "tools" or doc:raw "functions" -- shown with more words than they came
  local most = #doc + AROUND + (tools and BEFORE_TOOLS + #tools or 0)
  local schema = may_have_schema(doc)
  return schema and most + BEFORE_SCHEMA or most
end

--- Has a call for certain at most so many input tokens? Most bodies need no counting.
function estimate.fits(call, most)
  local bound = estimate.bound(call)
  if bound and bound <= most then return true end
  local n, about = call.input_tokens, call.input_about
  return (about and about.high or n) <= most
end

--- Input tokens by the body's size alone, for policies that only compare.
function estimate.rough(call)
  return #call.doc / BYTES_A_TOKEN
end

-- Answers -------------------------------------------------------------------------------------

local function limit_of(call)
  for _, name in ipairs { "max_completion_tokens", "max_tokens", "max_output_tokens" } do
    local value = call.doc:get(name)
    if type(value) == "number" then return value end
  end
end

--- Output tokens that a call may come to: its own limit, or a guess.
function estimate.output(call, dep)
  local choices = call.doc:get("n")
  return (call.output_limit or limit_of(call) or dep.max_tokens or ANSWER)
    * (type(choices) == "number" and choices or 1)
end

--- Tokens in so many bytes of answer text.
function estimate.of_bytes(bytes)
  return math.ceil(bytes / BYTES_A_TOKEN)
end

return estimate
