-- A provider of OpenAI's dialect with ways of its own: it refuses what it does not know, its
-- ids of calls are nine characters, and its failures are flat.

local cjson = require "cjson"
local openai = require "clients.families.openai"
local json = require "engine.json"

local mistral = { whole = openai.whole, stream = openai.stream }

local KINDS = { [400] = "invalid_request_message", [429] = "rate_limited" }

--- How it fails.
function mistral.failure(failure)
  return json.encode {
    object = "error", message = failure.message, type = KINDS[failure.status],
    param = json.null, code = "3051", raw_status_code = failure.status,
  }
end

local KNOWN = {}
for name in ([[model messages stream stream_options tools tool_choice parallel_tool_calls
  max_tokens temperature top_p stop random_seed response_format presence_penalty n prediction
  frequency_penalty safe_prompt prompt_mode metadata guardrails reasoning_effort
  prompt_cache_key]]):gmatch "%S+" do
  KNOWN[name] = true
end

--- What a request of it says, as families/openai.lua tells it.
function mistral.read(request)
  for name in pairs(cjson.decode(request.body)) do
    assert(KNOWN[name], name .. " is a member that Mistral refuses")
  end
  local asked = openai.read(request)
  for _, call in ipairs(asked.calls) do
    assert(call.id:find "^%w+$" and #call.id == 9, call.id .. " is an id that Mistral refuses")
  end
  return asked
end

mistral.call_id = "K3Rm9Zq7T"
mistral.model = "mistral-large-latest"
mistral.adapter, mistral.base = "mistral", "/v1"

return mistral
