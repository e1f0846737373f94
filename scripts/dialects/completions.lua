-- OpenAI's legacy completions as clients send them: what is checked before anybody is called,
-- and the chat of one message that they become where a provider has none.

local checks = require "dialects.checks"
local fit = require "lib.fit"
local json = require "engine.json"
local writer = require "dialects.completions_writer"

local completions = {
  name = "completions", writer = writer, limit = "max_tokens",
  plain = "prompt", -- the member whose text, and nothing else, is what the model reads
}

local refuse, absent = checks.openais, checks.absent
local CHOICES_MOST, TOKENS_MOST = checks.CHOICES_MOST, checks.TOKENS_MOST

local PROMPT = {
  name = "prompt", kinds = { array = true, string = true },
  wanted = "is required: a text, or a list of them",
  wrong = "must be a text, a list of texts, or lists of tokens",
}

-- How many prompts there are: a list of tokens is one.
local function prompts(doc)
  checks.filled(refuse, doc, PROMPT)
  if doc:type("prompt") == "string" then return 1 end
  local list = doc:get("prompt")
  return type(list[1]) == "number" and 1 or #list
end

--- Read what the gateway needs of a body into the call; raises what a client must mend.
function completions.read(call)
  local doc = call.doc
  local model, stream, usage, most, n, best = doc:at("model", "stream",
    "stream_options.include_usage", "max_tokens", "n", "best_of")
  checks.model(refuse, model)
  checks.spelling(refuse, doc:alike("model", "prompt", "max_tokens", "n", "best_of", "stream",
    "stream_options"))
  checks.truth(refuse, stream, "stream")
  checks.count(refuse, n, "n", 1, CHOICES_MOST)
  checks.count(refuse, best, "best_of", 1, CHOICES_MOST)
  checks.count(refuse, most, "max_tokens", 0, TOKENS_MOST)
  call.output_limit = not absent(most) and most or false
  call.choices = prompts(doc) * math.max(absent(n) and 1 or n, absent(best) and 1 or best)
  call.model, call.stream = model, stream == true
  call.include_usage = stream == true and usage == true
end

-- As a chat ----------------------------------------------------------------------------------

-- Members that mean the same in a chat.
local SAME = {
  frequency_penalty = true, logit_bias = true, max_tokens = true, metadata = true,
  min_p = true, model = true, presence_penalty = true, repetition_penalty = true, seed = true,
  service_tier = true, stop = true, store = true, stream = true, stream_options = true,
  temperature = true, top_k = true, top_p = true, user = true,
}
-- What asks for nothing beyond what a chat does.
local NEUTRAL = { best_of = 1, echo = false, n = 1, suffix = "" }
local HINTS = { best_of = true }

local function text_of(prompt)
  if type(prompt) == "string" then return prompt end
  return type(prompt) == "table" and #prompt == 1 and type(prompt[1]) == "string" and prompt[1]
end

local function sort_out(name, value, body, notes)
  if SAME[name] then
    body[name] = value
  elseif HINTS[name] then
    notes.hints[#notes.hints + 1] = name
  elseif name ~= "prompt" then
    notes.unfit[#notes.unfit + 1] = name
  end
end

--- The body as a chat's, and what to note of it.
function completions.decode(doc)
  local asked, body = doc:decode(), {}
  local notes = { words = {}, hints = {}, unfit = {}, text = text_of(asked.prompt) }
  for name, value in pairs(asked) do
    if value ~= json.null and NEUTRAL[name] ~= value then
      sort_out(name, value, body, notes)
    end
  end
  table.sort(notes.unfit)
  body.messages = json.array {
    json.object({ "role", "content" }, { role = "user", content = notes.text or "" }),
  }
  return body, notes
end

--- The chat as a document for one deployment of OpenAI's dialect.
function completions.document(call, dep)
  local out = {}
  for name, value in pairs(call.body) do out[name] = value end
  out.max_tokens = nil
  out[dep.provider.adapter.max_tokens_name or "max_tokens"] = call.body.max_tokens
  return assert(json.index(json.encode(json.object({ "model", "messages" }, out))))
end

--- What a deployment that only chats cannot be told: dropped and named, or refused.
function completions.fit(call, dep)
  local notes = call.notes
  if not notes.text then
    fit.refuse_here(dep, "prompt", "only chats: it takes one prompt, as a text.")
  end
  for _, name in ipairs(notes.hints) do call:drop(name) end
  for _, name in ipairs(notes.unfit) do
    fit.refuse(call, dep, name, ("only chats: it does not take `%s`."):format(name))
  end
end

return completions
