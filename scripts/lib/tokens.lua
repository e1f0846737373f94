-- How many tokens a text has: exactly where the vocabulary is public, else an estimate that
-- says so. How many a call will take: an estimate.

local json = require "engine.json"
local models = require "lib.token_models"
local token_tools = require "lib.token_tools"
local tokens = require "engine.tokens"

local estimate = {}

local IMAGE = 765      -- one image of ordinary size
local IMAGE_MOST = 36835 -- and one of those that cost most
local ANSWER = 1024    -- an answer whose length nobody limited
local BYTES_A_TOKEN = 4

-- An estimate where the vocabulary is public, but not here.
local MISSING = 0.15

local function found(family, n, exact)
  if exact and not family.ratio then
    local encoding = family.encoding
    return { exact = true, method = "vocabulary", low = n, high = n, encoding = encoding }
  end
  local spread = (family.spread or 0) + (exact and 0 or MISSING)
  return {
    exact = false, method = exact and "vocabulary and ratio" or "estimate",
    low = math.floor(n * (1 - spread)), high = math.ceil(n * (1 + spread)),
    encoding = family.encoding,
  }
end

--- Tokens of a text in an encoding, or for a model; both by name. With a limit, a text of more
--- tokens has limit + 1. n, { exact =, method =, low =, high =, encoding =, missing = why its
--- vocabulary is not here, or nil }
function estimate.count(text, name, limit)
  local family = models.find(name)
  local n, exact = tokens.count(text, family.table, family.ratio == nil and limit or nil)
  if family.ratio then n = math.ceil(n * family.ratio) end
  local about = found(family, n, exact)
  if not tokens.has(family.table) then
    local why = tokens.complaint()
    about.missing = why ~= "" and why or ("no vocabulary of " .. family.encoding)
  end
  if limit and n > limit then return limit + 1, about end
  return n, about
end

-- What a body comes to: a sum that stops behind a limit.
local Sum = {}
Sum.__index = Sum

function Sum:text(value)
  if type(value) ~= "string" or value == "" or self.n > self.limit then return end
  local n, exact = tokens.count(value, self.family.table, self.limit - self.n)
  self.n, self.exact = self.n + n, self.exact and exact
end

function Sum:json(value)
  if type(value) == "table" then value = json.text(value) end
  self:text(value)
end

-- So many tokens by a rule that nobody has published, and how far off it may be.
function Sum:guess(n, spread)
  self.n, self.spread, self.ruled = self.n + n, self.spread + spread, true
end

function Sum:part(value)
  if type(value) ~= "table" then return end
  if value.text then return self:text(value.text) end
  if value.type == "tool_use" then
    self:text(value.name)
    return self:json(value.input)
  end
  if value.type == "tool_result" then return self:content(value.content) end
  self.images = self.images + 1
end

function Sum:content(value)
  if type(value) ~= "table" then return self:text(value) end
  for _, piece in ipairs(value) do self:part(piece) end
end

function Sum:tool_calls(list)
  if type(list) ~= "table" then return end
  for _, one in ipairs(list) do
    local asked = type(one) == "table" and one["function"]
    if type(asked) == "table" then
      self:guess(3, 1)
      self:text(asked.name)
      self:json(asked.arguments)
    end
  end
end

function Sum:message(value)
  if type(value) ~= "table" then return end
  self.n = self.n + self.frame.message
  self:text(value.role)
  self:content(value.content)
  if type(value.name) == "string" then
    self.n = self.n + 1
    self:text(value.name)
  end
  self:tool_calls(value.tool_calls)
end

function Sum:tools(body, has_system)
  if type(body.tools) ~= "table" or #body.tools == 0 then return end
  self:guess(self.frame.tools - (has_system and 1 or 0), 2)
  local before = self.n
  self:text(token_tools.text(body.tools))
  self.spread = self.spread + 0.03 * (self.n - before)
  local named = type(body.tool_choice) == "table" and body.tool_choice["function"]
  if type(named) == "table" then
    self:guess(7, 3)
    self:text(named.name)
  end
end

function Sum:schema(format)
  local about = type(format) == "table" and format.json_schema
  if type(about) ~= "table" then return end
  self:guess(12, 12)
  self:json(about.schema)
end

function Sum:body(body)
  local has_system = body.system ~= nil
  self.n = self.frame.base
  if has_system then self:message { role = "system", content = body.system } end
  for _, value in ipairs(type(body.messages) == "table" and body.messages or {}) do
    self:message(value)
    has_system = has_system or type(value) == "table" and value.role == "system"
  end
  self:tools(body, has_system)
  self:schema(body.response_format)
end

-- The number, and what is known of it.
local function finish(sum)
  local family = sum.family
  local n = math.ceil(sum.n * (family.ratio or 1))
  local about = found(family, n, sum.exact)
  if sum.ruled or sum.images > 0 then
    about.method = about.exact and "vocabulary and rules" or about.method
    about.exact = false
    about.low = math.max(0, math.floor(about.low - sum.spread))
    about.high = math.ceil(about.high + sum.spread) + sum.images * IMAGE_MOST
  end
  return n + sum.images * IMAGE, about
end

--- Input tokens of a chat body for a model. Of images only the usual size is known. With a
--- limit, a body of more tokens has limit + 1.
--- n, { exact =, method =, low =, high =, encoding = }
function estimate.count_messages(body, model, most)
  local family = models.find(model)
  local sum = setmetatable({
    n = 0, exact = true, images = 0, spread = 0, ruled = false,
    limit = most and most / (family.ratio or 1) or math.huge,
    family = family, frame = models.frame(model),
  }, Sum)
  sum:body(body)
  local n, about = finish(sum)
  if most and n > most then return most + 1, about end
  return n, about
end

-- What a body may hold that takes tokens without having their bytes: images and files, what the
-- provider kept, and names written so that a look at the bytes does not see them.
local BEYOND_BYTES = {
  '"image"', '"image_url"', '"input_image"', '"file"', '"file_id"', '"file_data"',
  '"input_file"', '"fileData"', '"inlineData"', '"inline_data"', '"document"', '"audio"',
  '"input_audio"', '"video"', '"video_url"', '"previous_response_id"', '"conversation"',
  '"cachedContent"', '"cached_content"', "\\u004", "\\u005", "\\u006", "\\u007",
}
local AROUND = 64      -- what a template puts around messages, beyond what JSON does
local BEFORE_TOOLS = 800 -- a text that some put before tools

--- No fewer input tokens than a call has, from the size of its body alone: a token has a byte
--- at least, and what JSON puts around a message is longer than what a template does. Nil where
--- bytes say nothing: images, files, what the provider kept. A provider's own tools (searches
--- on its side) are not in it.
function estimate.bound(call)
  local doc = call.doc
  if tokens.mentions(doc, unpack(BEYOND_BYTES)) then return nil end
  if type(doc:get "prompt") == "table" then return nil end
  local tools = doc:raw "tools" or doc:raw "functions" -- shown with more words than they came
  return #doc + AROUND + (tools and BEFORE_TOOLS + #tools or 0)
end

--- Has a call at most so many input tokens, for a model? Most bodies need no counting.
function estimate.fits(call, model, most)
  local bound = estimate.bound(call)
  if bound and bound <= most then return true end
  local _, about = estimate.count_messages(call.body, model, most)
  return about.high <= most
end

local function limit(call)
  for _, name in ipairs { "max_completion_tokens", "max_tokens" } do
    local value = call.doc:get(name)
    if type(value) == "number" then return value end
  end
end

--- Output tokens that a call may come to: its own limit, or a guess.
function estimate.output(call, dep)
  local choices = call.doc:get("n")
  return (limit(call) or dep.max_tokens or ANSWER)
    * (type(choices) == "number" and choices or 1)
end

--- Input tokens by the body's size alone, for policies that only compare.
function estimate.rough(call)
  return #call.doc / BYTES_A_TOKEN
end

--- Tokens in so many bytes of answer text.
function estimate.of_bytes(bytes)
  return math.ceil(bytes / BYTES_A_TOKEN)
end

return estimate
