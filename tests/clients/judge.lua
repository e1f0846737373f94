-- Holds what a client said it heard, and what arrived at its provider, against the case. Each
-- difference is a line of words; no line means that it passed.

local cases = require "clients.cases"
local cjson = require "cjson"

local judge = {}

local function text(value)
  if value == nil or value == cjson.null then return "nothing" end
  return type(value) == "table" and cjson.encode(value) or tostring(value)
end

local function expect(wrong, what, got, wanted)
  if got ~= wanted then
    wrong[#wrong + 1] = ("%s is %s, not %s"):format(what, text(got), text(wanted))
  end
end

local function city_of(value)
  if type(value) == "string" then
    local ok, decoded = pcall(cjson.decode, value)
    value = ok and decoded or {}
  end
  return type(value) == "table" and value.city or nil
end

-- What the client heard --------------------------------------------------------------------

local function heard_calls(wrong, step, answer)
  local calls, wanted = step.calls or {}, answer.calls or {}
  expect(wrong, "the number of calls", #calls, #wanted)
  for i, call in ipairs(calls) do
    expect(wrong, "the called tool", call.name, wanted[i] and wanted[i].name)
    expect(wrong, "its city", city_of(call.arguments), wanted[i] and wanted[i].city)
  end
end

local function heard_usage(wrong, step, answer)
  local usage = step.usage or {}
  expect(wrong, "the input counted", usage.input, answer.input)
  expect(wrong, "the output counted", usage.output, answer.output)
end

local function heard_answer(wrong, client, step, answer, streamed)
  local lacks = client.lacks or {}
  if step.text == cjson.null then step.text = nil end
  expect(wrong, "the text", step.text or "", answer.text or "")
  heard_calls(wrong, step, answer)
  if not (streamed and lacks.stream_usage) then heard_usage(wrong, step, answer) end
  if not lacks.finish then
    expect(wrong, "the end", step.finish, client.finish[answer.calls and "call" or "text"])
  end
end

local function heard_failure(wrong, client, heard, failure)
  local failed = heard.error or {}
  local class = client.errors[failure.status]
  local found = false
  for _, name in ipairs(failed.classes or {}) do found = found or name == class end
  if not found then
    wrong[#wrong + 1] = ("the error is a %s, not a %s"):format(text(failed.classes), class)
  end
  expect(wrong, "the error's status", failed.status, failure.status)
  if not (failed.message or ""):find(failure.message, 1, true) then
    wrong[#wrong + 1] = ("the error says %s"):format(text(failed.message))
  end
end

-- The gateway says what broke a stream: what a transport makes of a connection that ended is
-- enough only where a client reads no errors in streams.
local function heard_cut(wrong, client, heard)
  local said = heard.error and heard.error.message or ""
  if said:find(client.cut or "ended too early", 1, true) then return end
  wrong[#wrong + 1] = "a stream that was cut is " .. text(heard)
end

--- What is wrong with what a client heard.
function judge.heard(client, case, heard)
  local wrong = {}
  if not heard then return { "the client said nothing" } end
  if case.failure then
    heard_failure(wrong, client, heard, case.failure)
    return wrong
  end
  if case.cut then
    heard_cut(wrong, client, heard)
    return wrong
  end
  if heard.error then return { "the client failed: " .. text(heard.error) } end
  expect(wrong, "the number of answers", #heard.steps, #case.answers)
  for i, answer in ipairs(case.answers) do
    if heard.steps[i] then
      heard_answer(wrong, client, heard.steps[i], answer, case.stream)
    end
  end
  return wrong
end

-- What arrived at the provider ---------------------------------------------------------------

local function arrived_tool(wrong, asked)
  expect(wrong, "the number of tools that arrived", #asked.tools, 1)
  local tool = asked.tools[1]
  if not tool then return end
  expect(wrong, "the tool that arrived", tool.name, cases.tool.name)
  expect(wrong, "its description", tool.description, cases.tool.description)
  local city = ((tool.parameters or {}).properties or {}).city or {}
  expect(wrong, "its parameter's type", (city.type or "nothing"):lower(), "string")
  expect(wrong, "its parameter's description", city.description, "Which city")
  expect(wrong, "what it requires", text((tool.parameters or {}).required), '["city"]')
end

local function arrived_result(wrong, call, result, wanted)
  expect(wrong, "the call that came back", call.name, wanted.name)
  expect(wrong, "its city", city_of(call.arguments), wanted.city)
  expect(wrong, "its id", call.id, wanted.id)
  expect(wrong, "the result's id", result.id, wanted.id)
  if not result.text:find(cases.tool.results[wanted.city], 1, true) then
    wrong[#wrong + 1] = "the result that came back is " .. result.text
  end
end

local function arrived_results(wrong, asked, wanted)
  expect(wrong, "the number of calls that came back", #asked.calls, #wanted)
  expect(wrong, "the number of results that came back", #asked.results, #wanted)
  for i, one in ipairs(wanted) do
    local call, result = asked.calls[i], asked.results[i]
    if call and result then arrived_result(wrong, call, result, one) end
  end
end

local function arrived_turn(wrong, case, turn, request, where)
  local family = where.family
  local ok, asked = pcall(family.read, request)
  if not ok then
    wrong[#wrong + 1] = "what arrived cannot be read: " .. tostring(asked)
    return
  end
  expect(wrong, "the model that arrived", asked.model, family.model)
  expect(wrong, "the key that arrived", asked.key, where.key)
  expect(wrong, "streaming, as it arrived,", asked.stream, case.stream or false)
  expect(wrong, "the system prompt that arrived", asked.system, cases.system)
  expect(wrong, "the question that arrived", asked.question, cases.question)
  if case.tools then arrived_tool(wrong, asked) end
  if turn == 2 then arrived_results(wrong, asked, where.calls) end
end

--- What is wrong with the requests that a provider saw. where: family, key (the provider's),
--- calls (with the ids that the family gave them).
function judge.arrived(case, requests, where)
  local wrong = {}
  expect(wrong, "the number of requests that arrived", #requests,
    case.answers and #case.answers or 1)
  for i, request in ipairs(requests) do arrived_turn(wrong, case, i, request, where) end
  return wrong
end

return judge
