-- A stream of many texts in the words of each family of providers: head, one event, tail.

local streams = {}

local function sse(name, data)
  return (name and "event: " .. name .. "\n" or "") .. "data: " .. data .. "\n\n"
end

local CHUNK = '{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":['
  .. '{"index":0,"delta":%s,"finish_reason":%s}]}'

local function openai(data) return sse(nil, CHUNK:format(data[1], data[2])) end

local OPENAI = {
  openai { '{"role":"assistant"}', "null" }, openai { '{"content":" word"}', "null" },
  openai { "{}", '"stop"' } .. "data: [DONE]\n\n",
}

local function gemini(finish)
  return sse(nil, '{"candidates":[{"content":{"parts":[{"text":" word"}],"role":"model"},'
    .. '"index":0' .. (finish and ',"finishReason":"STOP"' or "") .. '}],"usageMetadata":'
    .. '{"promptTokenCount":9,"candidatesTokenCount":2,"totalTokenCount":11},'
    .. '"modelVersion":"m"}')
end

local function response(name, more)
  return sse(name, ('{"type":"%s","sequence_number":1,%s}'):format(name, more))
end

local CLAUDE = {
  sse("message_start", '{"type":"message_start","message":{"id":"m","type":"message","role":'
    .. '"assistant","model":"c","content":[],"stop_reason":null,"usage":{"input_tokens":9,'
    .. '"output_tokens":1}}}') .. sse("content_block_start", '{"type":"content_block_start",'
    .. '"index":0,"content_block":{"type":"text","text":""}}'),
  sse("content_block_delta", '{"type":"content_block_delta","index":0,"delta":{"type":'
    .. '"text_delta","text":" word"}}'),
  sse("content_block_stop", '{"type":"content_block_stop","index":0}')
    .. sse("message_delta", '{"type":"message_delta","delta":{"stop_reason":"end_turn"},'
      .. '"usage":{"output_tokens":9}}') .. sse("message_stop", '{"type":"message_stop"}'),
}

local ITEM = '"output_index":0,"item":{"id":"i","type":"message","role":"assistant",'
  .. '"content":[]}'

-- By family, as the bench names it.
streams.openai = OPENAI
streams.mistral = OPENAI
streams.gemini = { gemini(), gemini(), gemini(true) }
streams.anthropic = CLAUDE
streams.bedrock = {
  sse("messageStart", '{"role":"assistant"}'),
  sse("contentBlockDelta", '{"contentBlockIndex":0,"delta":{"text":" word"},"p":"abcdefghij"}'),
  sse("messageStop", '{"stopReason":"end_turn"}')
    .. sse("metadata", '{"usage":{"inputTokens":9,"outputTokens":2,"totalTokens":11}}'),
}
streams.cohere = {
  sse("message-start", '{"id":"i","type":"message-start","delta":{"message":{"role":'
    .. '"assistant"}}}'),
  sse("content-delta", '{"type":"content-delta","index":0,"delta":{"message":{"content":'
    .. '{"text":" word"}}}}'),
  sse("message-end", '{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":'
    .. '{"tokens":{"input_tokens":9,"output_tokens":2}}}}'),
}
streams.responses = {
  response("response.created", '"response":{"id":"r","model":"m","status":"in_progress"}')
    .. response("response.output_item.added", ITEM),
  response("response.output_text.delta", '"item_id":"i","output_index":0,"content_index":0,'
    .. '"delta":" word"'),
  response("response.completed", '"response":{"id":"r","status":"completed","output":[],'
    .. '"usage":{"input_tokens":9,"output_tokens":2}}'),
}

--- The bytes of one with `n` texts.
function streams.of(family, n)
  local one = streams[family]
  return one[1] .. one[2]:rep(n) .. one[3]
end

return streams
