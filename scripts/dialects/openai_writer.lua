-- The answer as OpenAI's chat completions write it: whole, as chunks, as errors.

local citations = require "lib.citations"
local errors = require "dialects.openai_errors"
local json = require "engine.json"
local time = require "engine.time"

local writer = { dialect = "openai" }

local TAIL = "data: [DONE]\n\n"

local function id_of(reply)
  return "chatcmpl-" .. reply.call.id
end

local function model_of(reply)
  return reply.model or (reply.call.dep and reply.call.dep.model) or reply.call.model
end

-- What every chunk of one stream begins and ends with.
local function frame(reply)
  if reply.prefix then return end
  reply.prefix = ('data: {"id":"%s","object":"chat.completion.chunk","created":%d,"model":%s,'
    .. '"choices":['):format(id_of(reply), time.now(), json.encode(model_of(reply)))
  reply.suffix = reply.call.include_usage and '],"usage":null}\n\n' or "]}\n\n"
end

local function chunk(reply, delta, reason)
  frame(reply)
  local likely = reply.likely and json.encode { content = json.array(reply.likely) } or "null"
  return reply.prefix .. '{"index":0,"delta":' .. delta .. ',"logprobs":' .. likely
    .. ',"finish_reason":' .. (reason or "null") .. "}" .. reply.suffix
end

--- The first chunk: who speaks.
function writer.open(reply)
  return chunk(reply, '{"role":"assistant","content":"","refusal":null}')
end

function writer.text(reply, text)
  return chunk(reply, '{"content":' .. json.encode(text) .. "}")
end

--- What the text so far rests on.
function writer.cite(reply, one)
  return chunk(reply, '{"annotations":[' .. json.encode(citations.chat(one)) .. "]}")
end

function writer.refusal(reply, text)
  return chunk(reply, '{"refusal":' .. json.encode(text) .. "}")
end

function writer.reasoning(reply, text)
  return chunk(reply, '{"reasoning_content":' .. json.encode(text) .. "}")
end

--- A block of thought that the client has to send back.
function writer.block(reply, block)
  return chunk(reply, '{"thinking_blocks":[' .. json.encode(block) .. "]}")
end

local function extras(call)
  local out = {}
  for name, value in pairs(call.extra or {}) do
    out[#out + 1] = "," .. json.encode(name) .. ":" .. json.encode(value)
  end
  table.sort(out)
  return table.concat(out)
end

--- A piece of a tool call; the first one names it.
function writer.tool_call(reply, call, arguments, new)
  local head = ('{"tool_calls":[{"index":%d,'):format(call.index)
  if not new then
    return chunk(reply, head .. '"function":{"arguments":' .. json.encode(arguments) .. "}}]}")
  end
  return chunk(reply, head .. '"id":' .. json.encode(call.id or "call_" .. call.index)
    .. ',"type":"function","function":{"name":' .. json.encode(call.name or "")
    .. ',"arguments":' .. json.encode(arguments) .. "}" .. extras(call) .. "}]}")
end

function writer.finish(reply, reason)
  return chunk(reply, "{}", json.encode(reason))
end

local COUNTS = {
  "prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details",
  "completion_tokens_details",
}

local function usage(total)
  local input, output = total.input_tokens or 0, total.output_tokens or 0
  return json.object(COUNTS, {
    prompt_tokens = input, completion_tokens = output, total_tokens = input + output,
    prompt_tokens_details = json.object({ "cached_tokens" }, {
      cached_tokens = total.cache_read_tokens or 0,
      cache_write_tokens = total.cache_write_tokens,
    }),
    completion_tokens_details = { reasoning_tokens = total.reasoning_tokens or 0 },
  })
end

writer.usage = usage

--- What ends a stream that went well: the usage where it was asked for, and the mark.
function writer.tail(reply)
  if reply.passing or not reply.call.include_usage then return TAIL end
  frame(reply)
  local counts = json.encode(usage(reply.usage_total))
  return reply.prefix .. '],"usage":' .. counts .. "}\n\n" .. TAIL
end

local function joined(texts)
  return texts and table.concat(texts) or json.null
end

local function tool_calls(calls)
  if not calls then return nil end
  local out = json.array {}
  for i, call in ipairs(calls) do
    local value = {
      id = call.id or "call_" .. call.index, type = "function",
      ["function"] = json.object({ "name", "arguments" }, {
        name = call.name or "", arguments = table.concat(call.pieces),
      }),
    }
    for name, extra in pairs(call.extra or {}) do value[name] = extra end
    out[i] = json.object({ "id", "type", "function" }, value)
  end
  return out
end

local function annotations(list)
  if not list then return nil end
  local out = json.array {}
  for i, one in ipairs(list) do out[i] = citations.chat(one) end
  return out
end

local function message(reply)
  return json.object({ "role", "content", "refusal", "annotations" }, {
    role = "assistant", content = joined(reply.texts), refusal = joined(reply.refusals),
    reasoning_content = reply.thoughts and table.concat(reply.thoughts),
    thinking_blocks = reply.blocks and json.array(reply.blocks),
    tool_calls = tool_calls(reply.tool_calls), annotations = annotations(reply.citations),
  })
end

--- A whole answer.
function writer.whole(reply)
  local choice = json.object({ "index", "message", "logprobs", "finish_reason" }, {
    index = 0, message = message(reply),
    logprobs = reply.likelihoods and { content = json.array(reply.likelihoods) } or json.null,
    finish_reason = reply.finish_reason or "stop",
  })
  return json.encode(json.object({ "id", "object", "created", "model", "choices", "usage" }, {
    id = id_of(reply), object = "chat.completion", created = math.floor(time.now()),
    model = model_of(reply), choices = json.array { choice }, usage = usage(reply.usage_total),
  }))
end

writer.error = errors.body

--- An error in a stream that has begun.
function writer.stream_error(err)
  return "data: " .. writer.error(err) .. "\n\n"
end

return writer
