-- What a request leaves in writing: its journal lines and its log line. Names and numbers only;
-- never a key, never a prompt.

local journal = require "engine.journal"
local json = require "engine.json"
local log = require "engine.log"
local runtime = require "pipeline.runtime"

local rows = {}

local text = json.encode

-- Formats (meta/engine.lua, log.row). TRIED is all tries but the last one's milliseconds.
local TRIED, UNTRIED = '"attempts":%s%f%s', '"attempts":[]'

-- Who asked for what, and which accounts pay: the same in both lines of a request.
local WHO = '%s,"accounts":%s%s'

local INTENT = '{"type":"intent","id":"%s","attempt":%d' .. WHO
  .. ',"ts":%t,"admitted":%d,"reserve":{"tokens":%d,"nano":%d}}'

local SPENT = ',"tokens":{"input":%d,"output":%d,"cache_read":%d,"cache_write":%d,'
  .. '"cache_write_1h":%d,"reasoning":%d%s},"cost_nano":%d,"estimated":%b,"status":%d,'
  .. '"outcome":"%s","stream":%b,"ttft_ms":%f,"duration_ms":%f,"generation":%d,"finish":%q,'
  .. '"error":%q,"admitted":%d,"user":%q,"provider_id":%q,"prices":%q'
local COUNTED = ',"counted":{"input":%d,"exact":%b,"delta":%d}'
local HEAD = '{"type":"usage","id":"%s","ts":%t' .. WHO .. ","
local USAGE, USAGE_UNTRIED =
  HEAD .. TRIED .. SPENT .. "%s}", HEAD .. UNTRIED .. SPENT .. "%s}"
local USAGE_COUNTED = HEAD .. TRIED .. SPENT .. COUNTED .. "%s}"

local ABOUT = '"dialect":"%s","method":%q,"path":%q,"peer":%q,"status":%d,"outcome":"%s",'
  .. '"duration_ms":%f,"client":%q,"key_id":%q,"team":%q,"config_generation":%d%s'
local ANSWER = ',"stream":%b,"ttft_ms":%f,"overhead_us":%d,"tokens":{"in":%d,"out":%d,'
  .. '"cache_read":%d,"cache_write":%d,"reasoning":%d},"cost_usd":%s,"estimated":%b,'
  .. '"counted":%d,'
  .. '"finish":%q,"bytes_in":%d,"user":%q,"session":%q,"trace_id":%q,'
local ID = '"request_id":"%s"'
local REFUSED = ID .. "," .. ABOUT
local REQUEST, REQUEST_UNTRIED =
  ID .. "%s%s," .. TRIED .. ANSWER .. ABOUT, ID .. "%s%s," .. UNTRIED .. ANSWER .. ABOUT

-- Parts --------------------------------------------------------------------------------------

-- What follows the milliseconds of a try: what failed, and what it may have cost all the same.
local function ending(try)
  if not try.kind then return "}" end
  local extra = ""
  if try.suspected then
    local nano = try.suspected_nano
    extra = (',"suspected_extra":{"input":%d,"nano":%s}'):format(try.suspected,
      nano and ("%.0f"):format(nano) or "null")
  end
  return ',"reason":"' .. try.kind .. '"' .. extra .. "}"
end

-- The tries of a request: text, milliseconds of the last, text. Nothing where there is none.
local function tries(call)
  local list, cfg = call.attempts, call.cfg
  local n = #list
  if n == 0 then return nil end
  local head = "["
  for i = 1, n - 1 do
    local try = list[i]
    head = head .. runtime.of(cfg, try.dep).tried[try.status or "null"]
      .. ("%.1f"):format(try.ms) .. ending(try) .. ","
  end
  local last = list[n]
  local begin = runtime.of(cfg, last.dep).tried[last.status or "null"]
  return n == 1 and "[" .. begin or head .. begin, last.ms, ending(last) .. "]"
end

local PROBLEM = { "kind", "code", "message", "detail", "upstream_status", "trace" }

local function problem(err)
  if not err then return "" end
  local out = {}
  for _, name in ipairs(PROBLEM) do
    local value = err[name]
    local words = type(value) == "string" and log.quote(value) or value and text(value)
    if words then out[#out + 1] = ('"%s":%s'):format(name, words) end
  end
  return ',"error":{' .. table.concat(out, ",") .. "}"
end

local function short(value, most)
  return value and #value > most and value:sub(1, most) or value
end

local function milliseconds(seconds)
  return seconds and seconds * 1000
end

local function fragment(call)
  return call.dep and runtime.of(call.cfg, call.dep).fragment
    or ',"deployment":null,"provider":null,"upstream_model":null'
end

-- Kinds of tokens that few answers have.
local RARE = { "audio_input", "audio_output", "image_input", "image_output" }

local function rare(total)
  if not (total.audio_input_tokens or total.audio_output_tokens or total.image_input_tokens
    or total.image_output_tokens) then return "" end
  local out = ""
  for i = 1, #RARE do
    local n = total[RARE[i] .. "_tokens"]
    if n and n > 0 then out = out .. (',"%s":%.0f'):format(RARE[i], n) end
  end
  return out
end

-- What rows end with: what was counted beside what was reported, and what few have.
local function notes(total, facts)
  local odd, counted = total.odd and ',"odd_usage":true' or "", facts.counted
  if total.by then odd = odd .. ',"units":' .. text(total.by) end
  if not counted then return odd end
  return counted.input, counted.exact, counted.delta, odd
end

-- The values of SPENT, COUNTED and notes.
local function spent(call, reply, facts)
  local total = reply.usage_total
  return total.input_tokens or 0, total.output_tokens or 0, total.cache_read_tokens or 0,
    total.cache_write_tokens or 0, total.cache_write_1h_tokens or 0,
    total.reasoning_tokens or 0, rare(total), facts.cost, facts.estimated, facts.status,
    facts.outcome, call.stream, milliseconds(facts.ttft), milliseconds(facts.duration),
    call.cfg.runtime.generation, short(reply.finish_reason, 64),
    call.fault and call.fault.code or nil, call.admitted, short(call.end_user or nil, 256),
    short(reply.id, 128), facts.prices, notes(total, facts)
end

-- The values of ABOUT.
local function about(call, facts)
  local request, key = call.request, call.key
  return call.dialect, short(call.method, 16), short(call.path, 80), request.peer,
    facts.status, facts.outcome, milliseconds(facts.duration),
    short(request:header("user-agent"), 80), key and key.name, key and key.team,
    call.cfg.runtime.generation, problem(call.fault)
end

-- The trace that the client's call is part of: W3C's traceparent, version-id-parent-flags.
local function trace_id(request)
  local value = request:header("traceparent")
  return value and value:match("^%x%x%-(%x+)%-%x+%-%x%x$")
end

local function size_of(call)
  local form = call.media and call.media.form
  return form and #form or #call.doc
end

-- The values of ANSWER and ABOUT.
local function answer(call, reply, facts)
  local total = reply.usage_total
  return call.stream, milliseconds(facts.ttft),
    facts.overhead and math.floor(facts.overhead * 1e6 + 0.5), total.input_tokens or 0,
    total.output_tokens or 0, total.cache_read_tokens or 0, total.cache_write_tokens or 0,
    total.reasoning_tokens or 0, facts.dollars or "null", facts.estimated,
    facts.counted and facts.counted.input,
    short(reply.finish_reason, 64), size_of(call), short(call.end_user or nil, 64),
    short(call.session, 64) or nil,
    trace_id(call.request), about(call, facts)
end

-- The lines ----------------------------------------------------------------------------------

--- Before a call leaves. Where the disk takes no lines, a budget has its half of the spool: its
--- usage must not be lost. true | nil, err
function rows.intend(call, dep)
  if call.plan.budgeted and journal.crowded() then
    return nil, { kind = "unavailable", message = "the spool must keep room for what runs" }
  end
  return journal.row(INTENT, call.id, #call.attempts,
    runtime.asked(call, call.trail.group).journal, call.plan.names,
    runtime.of(call.cfg, dep).fragment, call.admitted, call.reserved_tokens,
    call.reserved_nano or nil)
end

--- One line for a request that reached dispatch. `facts` is what observe found out.
--- true | nil, err
function rows.usage(call, reply, facts)
  local head, ms, tail = tries(call)
  if not head then
    return journal.row(USAGE_UNTRIED, call.id, facts.asked.journal, call.plan.names,
      fragment(call), spent(call, reply, facts))
  end
  return journal.row(facts.counted and USAGE_COUNTED or USAGE, call.id, facts.asked.journal,
    call.plan.names, fragment(call), head, ms, tail, spent(call, reply, facts))
end

--- The one log line of a request.
function rows.log(level, call, reply, facts)
  if not call.group then
    return log.row(level, "request", REFUSED, call.id, about(call, facts))
  end
  local head, ms, tail = tries(call)
  if not head then
    return log.row(level, "request", REQUEST_UNTRIED, call.id, facts.asked.log, fragment(call),
      answer(call, reply, facts))
  end
  log.row(level, "request", REQUEST, call.id, facts.asked.log, fragment(call), head, ms, tail,
    answer(call, reply, facts))
end

return rows
