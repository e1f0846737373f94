-- Recorded embeddings, legacy completions, counts of tokens and what else is asked in JSON,
-- each at the door of its own shape; Google's and Cohere's vectors at OpenAI's. Counts are the
-- gateway's own: no provider is asked.

require "engine"
local crypto = require "engine.crypto"
local ffi = require "ffi"
local meaning = require "support.meaning"
local splice = require "support.traffic.splice"

local beside = {}

local GOOGLE = { gemini = true, vertex = true }
local TRANSLATED = { gemini = true, vertex = true, cohere = true }

-- Passed on as they came, with more to bill than tokens.
local PASSED = {
  rerank = "/v1/rerank", moderations = "/v1/moderations", images = "/v1/images/generations",
  ocr = "/v1/ocr",
}

--- The doors of an exchange.
function beside.doors(exchange)
  if PASSED[exchange.api] then return { exchange.api } end
  if exchange.api == "count_tokens" then return { "counts" } end
  if exchange.api == "completions" then return { "completions" } end
  return GOOGLE[exchange.provider] and { "embeddings", "embed_content" } or { "embeddings" }
end

local function serve(stage, case)
  local response = case.exchange.response
  stage.up:reset()
  stage.up:reply(case.group, {
    status = response.status, body = response.text, stream = case.mode,
    headers = { ["content-type"] = response.headers["content-type"] or "application/json" },
  })
end

-- The same shape on both sides -------------------------------------------------------------

local STATUS = { [400] = 400, [401] = 502, [403] = 502, [404] = 502, [422] = 422 }

-- A stream is asked for its usage, and those who did not ask do not hear of it.
local function without_wish(text)
  return (text:gsub('"stream_options"%s*:%s*{[^}]*}%s*,?', ""):gsub("%s+", ""))
end

local function heard_of(exchange)
  local text = exchange.response.text
  if not exchange.stream or exchange.request.body.stream_options then return text end
  return (text:gsub('data: [^\n]*"choices":%[%][^\n]*\n\n', ""))
end

local function check_row(stage, exchange, assert)
  local row = stage.gateway:last_row()
  assert.equal(exchange.api, row.dialect)
  local usage = not exchange.stream and meaning.given(exchange.response.body.usage)
  if not usage then return end
  assert.equal(usage.prompt_tokens or usage.total_tokens, row.tokens.input)
  assert.equal(usage.completion_tokens or 0, row.tokens.output)
end

-- Asks as the recording's client did: the answer, what the provider saw, and what it should.
local function ask_as_recorded(stage, case, path, assert)
  local asked, model = case.exchange.request.text, splice.model_of(case.exchange)
  serve(stage, case)
  local answer = stage.gateway:chat(splice.model(asked, case.group .. "/" .. model),
    { path = path })
  local sent = assert(stage.up:last(case.group), answer.body)
  return answer, sent, splice.model(asked, model)
end

local function same_shape(stage, case, assert)
  local exchange = case.exchange
  local answer, sent, want = ask_as_recorded(stage, case, "/v1/" .. exchange.api, assert)
  local plain = exchange.stream and without_wish or tostring
  assert.is_truthy(sent.path:find("/" .. exchange.api, 1, true))
  assert.equal(plain(want), plain(sent.body))
  if exchange.response.status ~= 200 then
    return assert.equal(STATUS[exchange.response.status], answer.status, answer.body)
  end
  assert.equal(200, answer.status, answer.body)
  assert.equal(heard_of(exchange), answer.body)
  check_row(stage, exchange, assert)
end

local function passed(stage, case, assert)
  local exchange = case.exchange
  local answer, sent, want = ask_as_recorded(stage, case, PASSED[exchange.api], assert)
  assert.is_truthy(sent.path:find(exchange.request.path:match "[^/]+$", 1, true))
  assert.equal(want, sent.body)
  assert.equal(200, answer.status, answer.body)
  assert.equal(exchange.response.text, answer.body)
end

-- Google's --------------------------------------------------------------------------------

local function google_path(exchange, group)
  local name, verb = exchange.request.path:match "([^/]+):(%a+)$"
  return ("/v1beta/models/%s%%2F%s:%s"):format(group, name, verb), name
end

local function google(stage, case, assert)
  local exchange = case.exchange
  local path, name = google_path(exchange, case.group)
  serve(stage, case)
  local answer = stage.gateway:chat(exchange.request.text, { path = path })
  local sent = assert(stage.up:last(case.group), answer.body)
  local model = '("model"%s*:%s*)"[^"]*"'
  assert.equal((exchange.request.text:gsub(model, "%1")), (sent.body:gsub(model, "%1")))
  assert.is_truthy(sent.path:find("/models/" .. name .. ":", 1, true), sent.path)
  assert.equal(200, answer.status, answer.body)
  assert.equal(exchange.response.text, answer.body)
end

local function check_bytes(values, text, assert)
  local bytes = crypto.unbase64(text)
  assert.equal(#values * 4, #bytes)
  local numbers = ffi.cast("const float *", bytes) -- of this machine, as of most: least first
  for i, value in ipairs(values) do
    assert.equal(tonumber(ffi.new("float", value)), tonumber(numbers[i - 1]))
  end
end

local function check_vectors(want, got, format, assert)
  assert.equal(#want, #got)
  for i, one in ipairs(got) do
    if format == "float" then
      assert.same(want[i], one.embedding)
    else
      check_bytes(want[i], one.embedding, assert)
    end
  end
end

-- The vectors of Google's and of Cohere's shapes, and their tokens where they are counted.
local function vectors_of(body)
  local first = meaning.table(body.embeddings)[1]
  if type(first) == "table" and type(first[1]) == "number" then -- Cohere's older shape
    return body.embeddings, body.meta.billed_units.input_tokens
  end
  if not meaning.table(body.embeddings).float then
    local list = {}
    for i, one in ipairs(body.embeddings or { body.embedding }) do list[i] = one.values end
    return list, meaning.table(body.usageMetadata).promptTokenCount
  end
  return body.embeddings.float, body.meta.billed_units.input_tokens
end

-- As many texts as there are vectors; the vectors as numbers and as bytes.
local function translated(stage, case, assert)
  local body = case.exchange.response.body
  local vectors, tokens = vectors_of(body)
  local name = splice.model_of(case.exchange)
  local input = body.embeddings and "[" .. ('"hi",'):rep(#vectors - 1) .. '"hi"]' or '"hi"'
  for _, format in ipairs { "float", "base64" } do
    serve(stage, case)
    local answer = stage.gateway:chat(('{"model":"%s/%s","encoding_format":"%s","input":%s}')
      :format(case.group, name, format, input), { path = "/v1/embeddings" })
    assert.equal(200, answer.status, answer.body)
    check_vectors(vectors, answer.json.data, format, assert)
    if tokens then assert.equal(tokens, stage.gateway:last_row().tokens.input) end
  end
end

-- Counts ------------------------------------------------------------------------------------

local PATHS = {
  anthropic = "/v1/messages/count_tokens?beta=true", openai = "/v1/responses/input_tokens",
}

-- OpenAI's vocabularies are public, but not how it shows schemas, which the recorded one has;
-- others' counts are known to within so much: docs/tokens.md.
local WITHIN = { openai = 0.07, anthropic = 0.15, gemini = 0.2, vertex = 0.2 }

local function count(stage, case, assert)
  local exchange = case.exchange
  local said = exchange.response.body
  local text, path = exchange.request.text, PATHS[exchange.provider]
  if not path then
    path = google_path(exchange, case.group)
  else
    text = splice.model(text, case.group .. "/" .. splice.model_of(exchange))
  end
  stage.up:reset()
  local answer = stage.gateway:chat(text, { path = path })
  assert.equal(200, answer.status, answer.body)
  assert.equal(0, #stage.up:requests())
  local want = said.input_tokens or said.totalTokens
  local got = answer.json.input_tokens or answer.json.totalTokens
  local most = math.max(2, want * WITHIN[exchange.provider])
  assert.is_true(math.abs(got - want) <= most, ("%d, not %d"):format(got, want))
end

local function refused(stage, case, assert)
  serve(stage, case)
  local answer = stage.gateway:chat(('{"model":"%s/m","input":"hi"}'):format(case.group),
    { path = "/v1/embeddings" })
  assert.equal(STATUS[case.exchange.response.status], answer.status, answer.body)
  assert.is_true(#answer.json.error.message > 0)
end

--- Play a case; raises what is not as it has to be.
function beside.play(stage, case, assert)
  if case.door == "counts" then return count(stage, case, assert) end
  if PASSED[case.door] then return passed(stage, case, assert) end
  if case.door == "embed_content" then return google(stage, case, assert) end
  if TRANSLATED[case.exchange.provider] then
    return (case.exchange.broken and refused or translated)(stage, case, assert)
  end
  same_shape(stage, case, assert)
end

return beside
