-- The answer as OpenAI's legacy completions write it: whole, as chunks, as errors.

local json = require "engine.json"
local openai = require "dialects.openai_writer"
local time = require "engine.time"

local writer = {
  dialect = "completions", error = openai.error, stream_error = openai.stream_error,
}

local TAIL = "data: [DONE]\n\n"

local function model_of(reply)
  return reply.model or (reply.call.dep and reply.call.dep.model) or reply.call.model
end

-- There are no tools: what ends with a call of one ends.
local function reason_of(reason)
  return reason == "tool_calls" and "stop" or reason
end

local function frame(reply)
  if reply.prefix then return end
  reply.prefix = ('data: {"id":"cmpl-%s","object":"text_completion","created":%d,"model":%s,'
    .. '"choices":['):format(reply.call.id, time.now(), json.encode(model_of(reply)))
  reply.suffix = reply.call.include_usage and '],"usage":null}\n\n' or "]}\n\n"
end

local function chunk(reply, text, reason)
  frame(reply)
  return reply.prefix .. '{"text":' .. json.encode(text)
    .. ',"index":0,"logprobs":null,"finish_reason":' .. (reason or "null") .. "}"
    .. reply.suffix
end

function writer.text(reply, text)
  return chunk(reply, text)
end

writer.refusal = writer.text -- a text is all there is

local function nothing() return "" end

-- What a completion has no place for.
writer.open, writer.reasoning, writer.block, writer.tool_call =
  nothing, nothing, nothing, nothing

function writer.finish(reply, reason)
  return chunk(reply, "", json.encode(reason_of(reason)))
end

--- What ends a stream that went well: the usage where it was asked for, and the mark.
function writer.tail(reply)
  if reply.passing or not reply.call.include_usage then return TAIL end
  frame(reply)
  return reply.prefix .. '],"usage":' .. json.encode(openai.usage(reply.usage_total)) .. "}\n\n"
    .. TAIL
end

--- A whole answer.
function writer.whole(reply)
  local choice = json.object({ "text", "index", "logprobs", "finish_reason" }, {
    text = table.concat(reply.texts or reply.refusals or {}), index = 0, logprobs = json.null,
    finish_reason = reason_of(reply.finish_reason or "stop"),
  })
  return json.encode(json.object({ "id", "object", "created", "model", "choices", "usage" }, {
    id = "cmpl-" .. reply.call.id, object = "text_completion",
    created = math.floor(time.now()), model = model_of(reply),
    choices = json.array { choice }, usage = openai.usage(reply.usage_total),
  }))
end

return writer
