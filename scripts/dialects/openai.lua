-- OpenAI's chat completions as clients send them: what is checked before anybody is called.
--
-- Only top-level members that the gateway itself relies on; all else is the provider's business
-- and reaches it untouched.

local checks = require "dialects.checks"
local later = require "lib.later"
local writer = require "dialects.openai_writer"

local openai = { name = "openai", writer = writer }

local refuse, absent = checks.openais, checks.absent

local MESSAGES = {
  name = "messages", kinds = { array = true }, wanted = "is required: a list of messages",
  wrong = "must be an array",
}

local function check_limits(old, new)
  checks.count(refuse, old, "max_tokens", 1, checks.TOKENS_MOST)
  checks.count(refuse, new, "max_completion_tokens", 1, checks.TOKENS_MOST)
  if absent(old) or absent(new) then return end
  refuse("invalid_value", "max_tokens",
    "and `max_completion_tokens` cannot both be set: use `max_completion_tokens`")
end

--- Read what the gateway needs of a body into the call; raises what a client must mend.
function openai.read(call)
  local doc = call.doc
  if doc:type("input") ~= nil and doc:type("messages") == nil then
    return later("dialects.chat_of_items").read(call)
  end
  local model, stream, usage, old, new, choices = doc:at("model", "stream",
    "stream_options.include_usage", "max_tokens", "max_completion_tokens", "n")
  checks.model(refuse, model)
  checks.spelling(refuse, doc:alike("model", "max_tokens", "max_completion_tokens", "n",
    "stream", "stream_options", "messages", "service_tier", "web_search_options"))
  checks.filled(refuse, doc, MESSAGES)
  checks.truth(refuse, stream, "stream")
  check_limits(old, new)
  checks.count(refuse, choices, "n", 1, checks.CHOICES_MOST)
  call.model, call.stream = model, stream == true
  call.output_limit = not absent(new) and new or not absent(old) and old or false
  call.choices = not absent(choices) and choices or 1
  call.include_usage = stream == true and usage == true
end

return openai
