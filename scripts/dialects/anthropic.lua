-- Anthropic's Messages as clients send them: what is checked before anybody is called, and what
-- becomes of a body where a provider does not speak them.

local checks = require "dialects.checks"
local face = require "lib.chat_face"
local request = require "lib.messages_request"
local writer = require "dialects.anthropic_writer"

local anthropic = { name = "anthropic", writer = writer }

local refuse = checks.others

local REQUIRED = "Field required"
local MESSAGES = {
  name = "messages", kinds = { array = true }, wanted = REQUIRED, wrong = "must be an array",
  empty = "at least one message is required",
}

-- No tokens at all is a wish too: the prompt is cached, and nothing said.
local function check_limit(value)
  if checks.absent(value) then
    refuse("missing_required_parameter", "max_tokens", REQUIRED)
  end
  checks.count(refuse, value, "max_tokens", 0, checks.TOKENS_MOST)
end

--- Read what the gateway needs of a body into the call; raises what a client must mend.
function anthropic.read(call)
  local doc = call.doc
  local model, stream, most = doc:at("model", "stream", "max_tokens")
  checks.model(refuse, model, REQUIRED)
  checks.spelling(refuse, doc:alike("model", "messages", "max_tokens", "stream", "speed",
    "service_tier", "tools"))
  checks.filled(refuse, doc, MESSAGES)
  checks.truth(refuse, stream, "stream")
  check_limit(most)
  call.model, call.stream, call.output_limit = model, stream == true, most
end

--- The same of a body whose tokens are counted only.
function anthropic.read_count(call)
  local model = call.doc:get("model")
  checks.model(refuse, model, REQUIRED)
  checks.filled(refuse, call.doc, MESSAGES)
  call.model = model
end

--- The body as a chat's, and what to note of it (lib/messages_request.lua).
anthropic.decode = request.decode
--- The chat as a document for one deployment of OpenAI's dialect.
anthropic.document = face.document
--- What a deployment cannot be told: dropped and named, or refused.
anthropic.fit = face.fit

return anthropic
