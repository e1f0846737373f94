-- A gateway in front of the replay, and one case of the recordings played through it.

local beside = require "support.traffic.beside"
local fault = require "lib.fault"
local helper = require "helper"
local luassert = require "luassert"
local meaning = require "support.meaning"
local splice = require "support.traffic.splice"

local stage = {}
stage.__index = stage

local READERS = {
  chat_completions = "openai", messages = "anthropic", responses = "responses",
  generate_content = "gemini", stream_generate_content = "gemini", converse = "converse",
  converse_stream = "converse", chat_v2 = "cohere",
}

-- Names that the gateway has values of its own for.
local OURS = {
  ["content-type"] = true, ["x-request-id"] = true, ["request-id"] = true, date = true,
  server = true, ["x-should-retry"] = true, ["retry-after"] = true, ["cache-control"] = true,
  ["transfer-encoding"] = true, connection = true,
}

local X, ANTHROPIC = {}, {}
for _, member in ipairs { "limit", "remaining", "reset" } do
  for _, what in ipairs { "requests", "tokens", "input-tokens", "output-tokens" } do
    X[("x-ratelimit-%s-%s"):format(member, what)] = not what:find("-", 1, true) or nil
    ANTHROPIC[("anthropic-ratelimit-%s-%s"):format(what, member)] = true
  end
end

local HEAD = [[
defaults { retries = 0, cooldown = { allowed_fails = 1000, within = "1s", time = "1s" } }
]]

-- routes.lua for a list of cases: a model for each group of them.
local function routes(list, up)
  local out, known = { HEAD }, {}
  for _, case in ipairs(list) do
    if case.speaker and not known[case.group] then
      known[case.group] = true
      local marks = { ["@"] = up:url(case.group), ["#"] = case.group }
      out[#out + 1] = ('model "%s/*" { %s { "*", name = "%s"%s } }\n'):format(case.group,
        (case.speaker.line:gsub("[@#]", marks)), case.group, case.speaker.more or "")
    end
  end
  return table.concat(out)
end

--- Start both for these cases.
function stage.start(list)
  local up = helper.upstream()
  local gateway = helper.gateway { loud = true, routes = routes(list, up) }
  return setmetatable({ up = up, gateway = gateway }, stage)
end

function stage:stop()
  self.gateway:stop()
  self.up:stop()
end

--- No request is left open, no stream.
function stage:assert_silent() self.gateway:assert_silent() end

local function door_of(case) return require("support.traffic.doors." .. case.door) end

local function is_native(case) return door_of(case).apis[case.exchange.api] == true end

-- What a recording needs to be sent again as it was.
local NEEDED = {
  messages = '"max_tokens"', responses = '"input"', chat = '"messages"', gemini = '"contents"',
}

local function headers_of(exchange)
  local out = {}
  for name, value in pairs(exchange.request.headers or {}) do
    if name:find "^anthropic%-" then out[name] = value end
  end
  return out
end

-- Serve the recording, ask as its client did where that spoke this dialect, else plainly.
local function ask(self, case)
  local exchange, door = case.exchange, door_of(case)
  local text = exchange.request.text
  if not (is_native(case) and text and text:find(NEEDED[case.door], 1, true)) then
    local path, body = door.question(exchange, case.group .. "/" .. splice.model_of(exchange))
    return self.gateway:chat(body, { path = path })
  end
  local headers = headers_of(exchange)
  local body, want, path, name = door.native(exchange, case.group .. "/")
  local answer = self.gateway:chat(body, { path = path, headers = headers })
  local sent = self.up:last(case.group)
  luassert.is_truthy(sent, "the provider was not asked: " .. answer.body)
  if case.speaker.body then want = case.speaker.body(want) end
  door.check_request(want, sent.body, luassert, sent, name)
  for header, value in pairs(headers) do luassert.equal(value, sent.headers[header]) end
  return answer
end

local COUNTS = { "prompt", "completion", "cached", "reasoning" }

-- What a provider said of its limits, the client hears: OpenAI's words anywhere, Anthropic's in
-- its own dialect. Of the rest of its headers nothing.
local function check_headers(case, answer)
  local said = case.exchange.response.headers
  local known = said["x-ratelimit-limit-requests"] and X
    or case.door == "messages" and ANTHROPIC or {}
  for name, value in pairs(said) do
    if known[name] then
      luassert.equal(value, answer.headers[name], name)
    elseif not OURS[name] then
      luassert.is_nil(answer.headers[name], name)
    end
  end
end

-- What the gateway wrote of its last request.
local function last_line(self)
  return self.gateway:log_text():match "([^\n]*)\n*$"
end

local function check_success(self, case, answer)
  local exchange, door = case.exchange, door_of(case)
  luassert.equal(200, answer.status, answer.body)
  luassert.is_true(not answer.cut, answer.cut and last_line(self))
  local bytes = is_native(case) and door.bytes(exchange)
  if bytes then return luassert.equal(bytes, answer.body) end
  door.check_form(answer.body, exchange.stream, luassert)
  local reader = require("support.meaning." .. READERS[exchange.api])
  local said, heard = reader.read(exchange.response.text), door.read(answer.body)
  local want, got = door.told(said), door.told(heard)
  if said.object then -- told as text, in which members may stand in any order
    want.text, got.text = said.object, helper.json.decode(got.text)
  end
  for _, name in ipairs(COUNTS) do
    want[name] = said[name]
    if said[name] then got[name] = heard[name] or 0 end
  end
  luassert.same(want, got)
end

-- A provider's 400 and 422 are the client's own; as received where both speak one dialect.
local PASSED = { [400] = true, [413] = true, [422] = true }

local function fault_of(exchange)
  local status, text = exchange.response.status, exchange.response.text
  local kind = meaning.fault(status, text)
  local err = fault.new(kind)
  if kind == "bad_request" then err.status = PASSED[status] and status or err.status end
  local body = exchange.response.body
  local problem = meaning.table(body)
  if type(problem.error) == "table" then problem = problem.error end
  if err.status < 429 and type(problem.code) == "string" then err.code = problem.code end
  return err
end

local function check_failure(case, answer)
  local exchange, door = case.exchange, door_of(case)
  local want = fault_of(exchange)
  luassert.equal(door.status and door.status(want) or want.status, answer.status, answer.body)
  if is_native(case) and PASSED[want.status] and want.status == exchange.response.status then
    return luassert.equal(exchange.response.text, answer.body)
  end
  door.check_error(answer, want, luassert)
end

-- An error inside a 200: with a status before anything was said, else as a last event.
local function check_broken(case, answer)
  if answer.status == 200 then
    luassert.is_true(case.exchange.stream)
    return door_of(case).check_break(answer.body, luassert)
  end
  luassert.is_true(answer.status >= 400, answer.body)
  luassert.is_truthy(answer.json.error.message)
end

--- Play a case; raises what is not as it has to be.
function stage:play(case)
  local exchange, response = case.exchange, case.exchange.response
  if not READERS[exchange.api] then return beside.play(self, case, luassert) end
  self.up:reset()
  self.up:reply(case.group, {
    status = response.status, body = response.text, stream = case.mode,
    headers = response.headers,
  })
  local answer = ask(self, case)
  check_headers(case, answer)
  if not exchange.broken then return check_success(self, case, answer) end
  if response.status >= 400 then return check_failure(case, answer) end
  check_broken(case, answer)
end

return stage
