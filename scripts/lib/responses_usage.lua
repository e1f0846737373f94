-- Counts as OpenAI's Responses say them, in our shape (lib/usage.lua) and back; and why an
-- answer ended there.

local chat = require "lib.chat"
local json = require "engine.json"
local values = require "lib.values"

local counts = {}

local given, text_of = values.given, values.text

local function searches(response)
  local n = 0
  for item in chat.objects(response.output) do
    if item.type == "web_search_call" then n = n + 1 end
  end
  return n > 0 and { web_search = n } or nil
end

--- The counts of a response; nil where it has none.
function counts.read(response)
  local said = response.usage
  if type(said) ~= "table" or json.is_raw(said) then return nil end
  local input = chat.table_or_empty(said.input_tokens_details)
  local output = chat.table_or_empty(said.output_tokens_details)
  return {
    input_tokens = given(said.input_tokens), output_tokens = given(said.output_tokens),
    cache_read_tokens = given(input.cached_tokens),
    cache_write_tokens = given(input.cache_write_tokens),
    reasoning_tokens = given(output.reasoning_tokens),
    service_tier = text_of(response.service_tier), units = searches(response),
  }
end

local ORDER = {
  "input_tokens", "input_tokens_details", "output_tokens", "output_tokens_details",
  "total_tokens",
}

--- Our counts as Responses say them.
function counts.write(total)
  local input, output = total.input_tokens or 0, total.output_tokens or 0
  return json.object(ORDER, {
    input_tokens = input, output_tokens = output, total_tokens = input + output,
    input_tokens_details = json.object({ "cached_tokens" }, {
      cached_tokens = total.cache_read_tokens or 0,
      cache_write_tokens = total.cache_write_tokens,
    }),
    output_tokens_details = { reasoning_tokens = total.reasoning_tokens or 0 },
  })
end

local function calls_tool(response)
  for item in chat.objects(response.output) do
    if item.type == "function_call" or item.type == "custom_tool_call" then return true end
  end
  return false
end

--- Why a response ended, in a chat's words; nil while it has not.
function counts.finish(response)
  if response.status == "incomplete" then
    local reason = chat.table_or_empty(response.incomplete_details).reason
    return reason == "content_filter" and "content_filter" or "length"
  end
  if response.status ~= "completed" then return nil end
  return calls_tool(response) and "tool_calls" or "stop"
end

return counts
