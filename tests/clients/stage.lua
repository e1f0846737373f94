-- What the runners share: providers of every family, a gateway in front of them, a count, and
-- the rows of a matrix. A lane is a provider and a model of one name, FAMILY-CASE.

local helper = require "helper"

local stage = {
  families = { "openai", "anthropic", "gemini", "mistral", "bedrock" },
  key = "mg-the-client", provider_key = "sk-the-provider",
  passed = 0, failed = 0, notes = {},
}

local MARKS = { passed = "ok", failed = "FAIL", skipped = "-" }
local PIECES = { 40, 1, 80 } -- bytes of a stream's first writes

--- folder: where clients are installed, a folder a group.
function stage.start(folder)
  stage.folder, stage.upstream = folder, helper.upstream()
end

--- A provider of the client's own dialect is reached in it.
function stage.family_of(name, client)
  if name == "openai" and client.dialect == "responses" then name = "responses" end
  return require("clients.families." .. name)
end

--- visit(lane, family, case) for every family and case.
function stage.each(client, list, visit)
  for _, name in ipairs(stage.families) do
    for _, case in ipairs(list) do
      visit(name .. "-" .. case.name, stage.family_of(name, client), case)
    end
  end
end

--- The id that a family gives its nth call.
function stage.call_id(family, n)
  return (family.call_id:gsub(".$", tostring(n)))
end

--- What a lane answers: times (nil: for ever), streamed or not.
function stage.answer(lane, family, answer, times, streamed)
  for i, call in ipairs(answer.calls or {}) do call.id = stage.call_id(family, i) end
  stage.upstream:reply(lane, streamed and {
    body = family.stream(answer), stream = PIECES,
    headers = { ["content-type"] = family.stream_type },
  } or { body = family.whole(answer) }, times)
end

local cuts = {} -- lane → has its client heard the beginning?

--- A stream that ends in the middle of a word, when its client has heard the beginning.
function stage.cut(lane, family, answer)
  local whole = family.stream(answer)
  cuts[lane] = false
  stage.upstream:reply(lane, {
    body = whole:sub(1, math.floor(#whole * 0.6)), stream = PIECES,
    after = ("gate %s\nfin\n"):format(lane),
    headers = { ["content-type"] = family.stream_type },
  })
end

--- To be called while a client asks, one question after the other: ends what is to be cut once
--- the gateway passes it on.
function stage.cut_begun(gateway)
  local last = stage.upstream:last()
  if not last or cuts[last.lane] ~= false then return end
  if gateway:metric "moongate_streams_open" ~= 1 then return end
  cuts[last.lane] = true
  stage.upstream:open(last.lane)
end

function stage.fail(lane, family, failure)
  stage.upstream:reply(lane, { status = failure.status, body = family.failure(failure) })
end

local ROUTE = [[
model %q {
  provider %q { name = %q, api_key = env.PROVIDER_KEY, base_url = %q, %s } {
    %q, drop_unsupported = %s,
  }, retries = 0,
}]]

--- A gateway with these lanes: { lane, family }... `drop`: what has no counterpart is dropped.
function stage.serve(lanes, drop)
  local routes = { 'virtual_key "client" { token = env.CLIENT_KEY }' }
  for i, lane in ipairs(lanes) do
    local name, family = unpack(lane)
    routes[i + 1] = ROUTE:format(name, family.adapter, name,
      stage.upstream:url(name) .. family.base, family.fields or "", family.model,
      tostring(drop == true))
  end
  return helper.gateway {
    routes = table.concat(routes, "\n"),
    env = { CLIENT_KEY = stage.key, PROVIDER_KEY = stage.provider_key },
  }
end

--- Everything that went by is kept beside the client, for whoever looks into a failure.
function stage.log(client, what, text)
  local name = ("%s/%s/%s.%s.log"):format(stage.folder, client.group, client.name, what)
  helper.process.write(name, text)
end

--- The requests that arrived, by lane.
function stage.arrived(client)
  local out, all = {}, {}
  for i, request in ipairs(stage.upstream:requests()) do
    all[i] = request.raw
    out[request.lane] = out[request.lane] or {}
    table.insert(out[request.lane], request)
  end
  stage.log(client, "arrived", table.concat(all, "\n\n"))
  return out
end

function stage.note(...) table.insert(stage.notes, (...):format(select(2, ...))) end

--- Counts a cell by what is wrong with it; its mark.
function stage.count(client, lane, wrong)
  for _, one in ipairs(wrong) do stage.note("%s, %s: %s", client.name, lane, one) end
  local mark = #wrong == 0 and "passed" or "failed"
  stage[mark] = stage[mark] + 1
  return mark
end

local DIALECTS = {
  chat = "openai", responses = "responses", messages = "anthropic", gemini = "gemini",
}

-- A client that quietly spoke another dialect would show nothing about its own.
local function spoken(client, gateway)
  local lines = gateway:log "request"
  local wanted = DIALECTS[client.dialect]
  for _, line in ipairs(lines) do
    if line.dialect ~= wanted then
      return ("it spoke %s at %s, not %s"):format(tostring(line.dialect), line.path, wanted)
    end
  end
  return #lines == 0 and "nobody asked" or nil
end

--- Did a stream break off in the middle? One that did before its client heard of it would show
--- nothing about those that have begun.
function stage.has_broken(gateway)
  for _, line in ipairs(gateway:log "request") do
    if line.stream and line.status ~= 200 and line.ttft_ms then return true end
  end
  return false
end

--- A gateway that has served a client has been spoken to as the client should, is idle, and has
--- logged no error.
function stage.close(client, gateway)
  local silent, why = pcall(gateway.assert_silent, gateway)
  local odd = not silent and tostring(why) or spoken(client, gateway)
  if odd then stage.count(client, "the gateway", { odd }) end
  gateway:stop()
end

local function print_cells(name, cells)
  print(("%-27s %s"):format(name, table.concat(cells, "| ")))
  io.stdout:flush()
end

function stage.head(list)
  local names, words = {}, {}
  for i, name in ipairs(stage.families) do names[i] = ("%-23s"):format(name) end
  for i, case in ipairs(list) do words[i] = case.name end
  print("each family: " .. table.concat(words, ", "))
  print_cells("", names)
end

--- marks: by lane.
function stage.row(client, list, marks)
  local cells = {}
  for _, name in ipairs(stage.families) do
    local row = {}
    for i, case in ipairs(list) do row[i] = MARKS[marks[name .. "-" .. case.name]] end
    cells[#cells + 1] = ("%-23s"):format(table.concat(row, " "))
  end
  print_cells(client.name, cells)
end

--- The last lines, and the process's end.
function stage.finish()
  stage.upstream:stop()
  for _, note in ipairs(stage.notes) do print(note) end
  print(("%d passed, %d failed"):format(stage.passed, stage.failed))
  os.exit(stage.failed == 0 and 0 or 1)
end

return stage
