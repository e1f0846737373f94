-- Whatever a client or a provider says at the doors of embeddings and completions: it passes,
-- or it is a fault with a kind.

require "engine"

local json = require "engine.json"
local stub = require "tools.stub"

local DOORS = {
  require "dialects.embeddings", require "dialects.completions",
  require "dialects.embed_content",
}
local ADAPTERS = {
  "openai", "azure", "mistral", "groq", "databricks", "gemini", "anthropic", "openrouter",
  "cohere",
}
local NAMES = {
  "input", "prompt", "dimensions", "encoding_format", "max_tokens", "n", "best_of", "stream",
  "stream_options", "suffix", "echo", "logprobs", "stop", "user", "temperature", "zzz", "seed",
  "content", "requests", "parts", "text", "outputDimensionality", "taskType",
}
local ANSWER = {
  "data", "usage", "error", "embedding", "embeddings", "usageMetadata", "choices", "model",
  "id", "values", "text", "finish_reason", "index", "prompt_tokens", "promptTokenCount",
}
local SCALARS = {
  '"a"', '""', "null", "true", "0", "-1", "7", "1e400", "0.5", '"base64"', '"float"', '"error"',
  "12345678901234567890123", '"\\u0041\\n"',
}

local function pick(list) return list[math.random(#list)] end

local function value(depth, names)
  local kind = depth > 0 and math.random(4) or 1
  if kind <= 2 then return pick(SCALARS) end
  local parts, seen = {}, {}
  for _ = 1, math.random(0, 3) do
    local name = pick(names)
    if kind == 3 then
      parts[#parts + 1] = value(depth - 1, names)
    elseif not seen[name] then
      seen[name] = true
      parts[#parts + 1] = ('"%s":%s'):format(name, value(depth - 1, names))
    end
  end
  local inside = table.concat(parts, ",")
  return kind == 3 and "[" .. inside .. "]" or "{" .. inside .. "}"
end

local function object(names, least, first)
  local parts, seen = { first }, {}
  for _ = 1, math.random(least, 6) do
    local name = pick(names)
    if not seen[name] then
      seen[name] = true
      parts[#parts + 1] = ('"%s":%s'):format(name, value(3, names))
    end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function faulted(text, ok, err)
  if ok then return end
  local kind = type(err) == "table" and err.kind
  assert.is_truthy(kind and kind ~= "internal", tostring(err) .. " of " .. text)
end

describe("at the doors of embeddings and completions", function()
  it("any request passes, or is refused", function()
    math.randomseed(11)
    for _ = 1, 4000 do
      local door = pick(DOORS)
      local text = object(NAMES, 1, '"model":"m"')
      faulted(text, pcall(function()
        stub.asked(stub.visitor(door, text), stub.deployment(pick(ADAPTERS), "m",
          pick { false, { max_tokens = 5 }, { drop_unsupported = true } } or nil,
          { resource = "r" }))
      end))
    end
  end)

  it("any answer passes, or is a fault", function()
    math.randomseed(12)
    local asked = {
      embeddings = '{"model":"m","input":["a"],"encoding_format":"%s"}',
      completions = '{"model":"m","prompt":"a","user":"%s"}',
      embed_content = '{"content":{"parts":[{"text":"%s"}]}}',
    }
    for _ = 1, 4000 do
      local door, format = pick(DOORS), pick { "float", "base64" }
      local call = stub.visitor(door, asked[door.name]:format(format))
      call.dep = stub.deployment(pick { "openai", "gemini", "openrouter" }, "m")
      rawset(call, "input_tokens", 1)
      local natives = call.dep.provider.adapter.natives
      local face = natives[door.name] or call.dep.provider.adapter.natives.embeddings
      local reply = stub.reply(call, call.dep, door)
      local text = object(ANSWER, 0)
      faulted(text, pcall(face.decode, assert(json.index(text)), reply))
    end
  end)

  it("any event passes, or is a fault", function()
    math.randomseed(13)
    local face = require("providers.openai").natives.completions
    for _ = 1, 3000 do
      local call = stub.visitor(DOORS[2], '{"model":"m","prompt":"a","stream":true}')
      local dep = stub.deployment("openai", "m")
      local text = "data: " .. object(ANSWER, 0) .. "\n\n"
      local reply = stub.reply(call, dep, DOORS[2])
      faulted(text, pcall(face.stream, stub.upstream(text), reply))
    end
  end)
end)
