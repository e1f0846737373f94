-- Recorded embeddings and legacy completions: to a server of the same shape the body goes as it
-- was recorded but for the model's name, and its answer comes byte for byte; Gemini's vectors
-- are equal after translation.

local helper = require "helper"
local lfs = require "lfs"

local ADAPTERS = {
  azure = "azure", mistral = "mistral", ollama = "ollama", openrouter = "openrouter",
  perplexity = "perplexity", together = "together",
}
local GOOGLE = { gemini = true, vertex = true }

describe("recorded embeddings and completions", function()
  if not lfs.attributes("build/tests/engine.so") then return end
  local recorded = require "support.recorded"
  local crypto, ffi = require "engine.crypto", require "ffi"
  local list = recorded.list { embeddings = true, completions = true }
  if not list then
    it("is not here: skipped", function() pending(recorded.folder .. " is absent") end)
    return
  end

  local up, gw

  setup(function()
    up = helper.upstream()
    local routes = { ([[
defaults { retries = 0, cooldown = { allowed_fails = 1000, within = "1s", time = "1s" } }
model "openai/*" { provider "openai_compatible" { name = "o", base_url = "%s/v1" } "*" }
model "gemini/*" { provider "gemini" { api_key = "k", base_url = "%s" } "*" }
]]):format(up:url "openai", up:url "gemini") }
    for name in pairs(ADAPTERS) do
      routes[#routes + 1] = ([[
model "%s/*" { provider "%s" { api_key = "k", base_url = "%s/v1" } "*" }
]]):format(name, name, up:url(name))
    end
    gw = helper.gateway { loud = true, routes = table.concat(routes) }
  end)

  teardown(function()
    gw:stop()
    up:stop()
  end)

  before_each(function() up:reset() end)
  after_each(function() gw:assert_silent() end)

  local function with_model(text, name)
    local quoted = helper.json.encode(name):gsub("\\/", "/")
    return (text:gsub('("model"%s*:%s*)"[^"]*"', function(head) return head .. quoted end, 1))
  end

  local function serve(group, exchange, text)
    local answer = exchange.response
    up:reply(group, {
      status = answer.status, body = answer.text, stream = exchange.stream and "drip" or nil,
      headers = { ["content-type"] = answer.headers["content-type"] or "application/json" },
    })
    return gw:request {
      method = "POST", path = "/v1/" .. exchange.api, body = text,
      headers = { ["content-type"] = "application/json" },
    }
  end

  local function without_options(text)
    return (text:gsub('"stream_options"%s*:%s*{[^}]*}%s*,?', ""):gsub("%s+", ""))
  end

  local function last_row()
    local found
    for _, line in ipairs(gw:journal()) do
      if line.type == "usage" then found = line end
    end
    return found
  end

  local function check_row(exchange)
    local row, usage = last_row(), (exchange.response.body or {}).usage
    assert.equal(exchange.api, row.dialect)
    if type(usage) ~= "table" or exchange.stream then return end
    assert.equal(usage.prompt_tokens or usage.total_tokens, row.tokens.input)
    assert.equal(usage.completion_tokens or 0, row.tokens.output)
  end

  local function same_shape(exchange)
    local group = ADAPTERS[exchange.provider] or "openai"
    local model = exchange.request.body.model
    local asked = exchange.request.text
    local response = serve(group, exchange, with_model(asked, group .. "/" .. model))
    local sent, want = up:last(group), with_model(asked, model)
    assert.is_truthy(sent.path:find("/" .. exchange.api, 1, true))
    if exchange.stream then -- with the wish for usage put in
      assert.equal(without_options(want), without_options(sent.body))
    else
      assert.equal(want, sent.body)
    end
    if exchange.response.status ~= 200 then
      local known = { [400] = 400, [404] = 502, [403] = 502, [401] = 502 }
      return assert.equal(known[exchange.response.status], response.status)
    end
    assert.equal(200, response.status, response.body)
    local text = exchange.response.text
    if exchange.stream and not exchange.request.body.stream_options then
      text = text:gsub('data: [^\n]*"choices":%[%][^\n]*\n\n', "")
    end
    assert.equal(text, response.body)
    check_row(exchange)
  end

  local function check_bytes(values, text)
    local bytes = crypto.unbase64(text)
    assert.equal(#values * 4, #bytes)
    local numbers = ffi.cast("const float *", bytes) -- of this machine, as of most: least first
    for i, value in ipairs(values) do
      assert.equal(tonumber(ffi.new("float", value)), tonumber(numbers[i - 1]))
    end
  end

  -- The texts and the vectors of Google's shape, as its own.
  local function google(exchange)
    local body = exchange.response.body
    local vectors = body.embeddings or { body.embedding }
    local input = #vectors == 1 and not body.embeddings and '"hi"'
      or "[" .. ('"hi",'):rep(#vectors - 1) .. '"hi"]'
    for _, format in ipairs { "float", "base64" } do
      up:reset()
      local response = serve("gemini", exchange,
        ('{"model":"gemini/m","encoding_format":"%s","input":%s}'):format(format, input))
      assert.equal(200, response.status, response.body)
      local got = helper.json.decode(response.body)
      assert.equal(#vectors, #got.data)
      for i, one in ipairs(got.data) do
        local values = vectors[i].values
        if format == "float" then
          assert.same(values, one.embedding)
        else
          check_bytes(values, one.embedding)
        end
      end
      assert.equal(body.usageMetadata.promptTokenCount, got.usage.prompt_tokens)
      assert.equal(body.usageMetadata.promptTokenCount, last_row().tokens.input)
    end
  end

  local SHAPES = { ["/embeddings"] = true, ["/completions"] = true }

  for _, path in ipairs(list) do
    local exchange = recorded.load(path)
    local own = SHAPES[exchange.request.path:match("/%w+$")]
      and not exchange.request.path:find("agents", 1, true) and exchange.request.body
    if GOOGLE[exchange.provider] then
      it(path, function() google(exchange) end)
    elseif own then
      it(path, function() same_shape(exchange) end)
    end -- the rest is Cohere's and Mistral's own
  end
end)
