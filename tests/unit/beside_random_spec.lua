-- Whatever a client or a provider says at the doors of embeddings and completions: it passes,
-- or it is a fault with a kind.

require "engine"

local json = require "engine.json"
local scraps = require "support.scraps"
local stub = require "tools.stub"
local taken = require "support.taken"

local pick = scraps.pick

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
local objects = scraps.of {
  '"a"', '""', "null", "true", "0", "-1", "7", "1e400", "0.5", '"base64"', '"float"', '"error"',
  "12345678901234567890123", '"\\u0041\\n"',
}

describe("at the doors of embeddings and completions", function()
  it("any request passes, or is refused", function()
    math.randomseed(11)
    for _ = 1, 4000 do
      local door = pick(DOORS)
      local text = objects:object(NAMES, '"model":"m"', 1)
      taken(text, function()
        stub.asked(stub.visitor(door, text), stub.deployment(pick(ADAPTERS), "m",
          pick { false, { max_tokens = 5 }, { drop_unsupported = true } } or nil,
          { resource = "r" }))
      end)
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
      local text = objects:object(ANSWER)
      taken(text, face.decode, assert(json.index(text)), reply)
    end
  end)

  it("any event passes, or is a fault", function()
    math.randomseed(13)
    local face = require("providers.openai").natives.completions
    for _ = 1, 3000 do
      local call = stub.visitor(DOORS[2], '{"model":"m","prompt":"a","stream":true}')
      local dep = stub.deployment("openai", "m")
      local text = "data: " .. objects:object(ANSWER) .. "\n\n"
      local reply = stub.reply(call, dep, DOORS[2])
      taken(text, face.stream, stub.upstream(text), reply)
    end
  end)
end)
