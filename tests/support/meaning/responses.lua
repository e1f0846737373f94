-- OpenAI's Responses. Of a stream, what its last event says; `streamed` are its joined deltas.

local meaning = require "support.meaning"

local given, add, as_table = meaning.given, meaning.add, meaning.table

local responses = {}

local ITEMS = {
  message = function(out, item)
    for _, part in ipairs(as_table(item.content)) do
      add(out, "text", given(part.text))
      add(out, "refusal", given(part.refusal))
    end
  end,
  reasoning = function(out, item)
    local texts = {} -- what is summed up is not said in full as well
    for _, part in ipairs(as_table(item.summary)) do texts[#texts + 1] = part.text end
    add(out, "thought", table.concat(texts, "\n\n"))
    for _, part in ipairs(#texts == 0 and as_table(item.content) or {}) do
      add(out, "thought", part.text)
    end
  end,
  function_call = function(out, item)
    out.calls[#out.calls + 1] = {
      name = item.name, arguments = item.arguments, namespace = given(item.namespace),
    }
  end,
}

local function finish_of(out, body)
  local details = as_table(body.incomplete_details)
  if body.status == "incomplete" then
    return details.reason == "content_filter" and "content_filter" or "length"
  end
  return #out.calls > 0 and "tool_calls" or "stop"
end

local function usage_of(out, usage)
  out.prompt, out.completion = usage.input_tokens, usage.output_tokens
  out.cached = given(as_table(usage.input_tokens_details).cached_tokens) or 0
  out.reasoning = given(as_table(usage.output_tokens_details).reasoning_tokens)
end

local function body_of(out, body)
  for _, item in ipairs(as_table(body.output)) do
    if ITEMS[item.type] then ITEMS[item.type](out, item) end
  end
  out.status = body.status
  out.finish = finish_of(out, body)
  if given(body.usage) then usage_of(out, body.usage) end
end

-- Some leave the items out of the last event: they stand in their own.
local function gather(pieces)
  local items, last, streamed = {}, nil, ""
  for _, event in ipairs(pieces) do
    if event.type == "response.output_text.delta" then streamed = streamed .. event.delta end
    if event.type == "response.output_item.done" then items[#items + 1] = event.item end
    last = given(event.response) or last
  end
  if last and #as_table(last.output) == 0 then last.output = items end
  return last or {}, streamed
end

function responses.read(bytes)
  local out, pieces = meaning.new(), meaning.pieces(bytes)
  if bytes:find "^%s*{" then
    body_of(out, pieces[1])
    return out
  end
  local body
  body, out.streamed = gather(pieces)
  body_of(out, body)
  return out
end

return responses
