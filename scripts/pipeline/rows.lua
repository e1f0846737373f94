-- What a request leaves in writing: its journal lines and its log line. Names and numbers only;
-- never a key, never a prompt.

local journal = require "engine.journal"
local json = require "engine.json"
local log = require "engine.log"
local runtime = require "pipeline.runtime"

local rows = {}

local text = json.encode

local INTENT = '{"type":"intent","id":"%s","attempt":%d%s,"ts":%t}'

local USAGE = '{"type":"usage","id":"%s","ts":%t%s%s,"attempts":%s,"tokens":{"input":%d,'
  .. '"output":%d,"cache_read":%d,"cache_write":%d,"cache_write_1h":%d,"reasoning":%d},'
  .. '"cost_nano":%d,"estimated":%b,"status":%d,"outcome":"%s","stream":%b,"ttft_ms":%f,'
  .. '"duration_ms":%f,"generation":%d,"finish":%q,"error":%q%s}'

local REQUEST = '"request_id":"%s","dialect":"%s","method":%q,"path":%q,"peer":%q,"status":%d,'
  .. '"outcome":"%s","duration_ms":%f,"client":%q,"key_id":%q,"team":%q,'
  .. '"config_generation":%d%s'

local ANSWERED = REQUEST .. '%s%s,"attempts":%s,"stream":%b,"ttft_ms":%f,"overhead_us":%d,'
  .. '"tokens":{"in":%d,"out":%d,"cache_read":%d,"cache_write":%d,"reasoning":%d},'
  .. '"cost_usd":%s,"estimated":%b,"finish":%q,"bytes_in":%d,"user":%q'

-- Parts of one request -----------------------------------------------------------------------

-- `reason` names what failed; suspected_extra is what an unanswered try may have cost.
local function one(try, name)
  local more = try.kind and ',"reason":"' .. try.kind .. '"' or ""
  if try.suspected then
    more = more .. (',"suspected_extra":{"input":%d}'):format(try.suspected)
  end
  return '{"deployment":' .. name .. ',"status":' .. (try.status or "null") .. ',"ms":'
    .. math.floor((try.ms or 0) * 10) / 10 .. more .. "}"
end

--- The tries of a request, as JSON.
function rows.attempts(call)
  local tries = call.attempts
  if #tries == 1 then
    return "[" .. one(tries[1], runtime.of(call.cfg, call.dep).name) .. "]"
  end
  local out = {}
  for i, try in ipairs(tries) do out[i] = one(try, text(try.deployment)) end
  return "[" .. table.concat(out, ",") .. "]"
end

local PROBLEM = { "kind", "code", "message", "detail", "upstream_status", "trace" }

local function problem(err)
  if not err then return "" end
  return ',"error":' .. text(json.object(PROBLEM, {
    kind = err.kind, code = err.code, message = err.message, detail = err.detail,
    trace = err.trace, upstream_status = err.upstream_status,
  }))
end

local function short(value, most)
  return value and #value > most and value:sub(1, most) or value
end

local function milliseconds(seconds)
  return seconds and seconds * 1000
end

-- The lines ----------------------------------------------------------------------------------

--- Before a call leaves. true | nil, err
function rows.intend(call, dep)
  return journal.row(INTENT, call.id, #call.attempts, runtime.of(call.cfg, dep).fragment)
end

--- One line for a request that reached dispatch. `facts` is what observe found out.
--- true | nil, err
function rows.usage(call, reply, facts)
  local total, dep = reply.usage_total, call.dep
  return journal.row(USAGE, call.id, facts.asked.journal,
    dep and runtime.of(call.cfg, dep).fragment or ',"deployment":null,"provider":null',
    facts.attempts, total.input_tokens or 0, total.output_tokens or 0,
    total.cache_read_tokens or 0, total.cache_write_tokens or 0,
    total.cache_write_1h_tokens or 0, total.reasoning_tokens or 0, facts.cost,
    facts.estimated, facts.status, facts.outcome, call.stream, milliseconds(facts.ttft),
    milliseconds(facts.duration), call.cfg.runtime.generation, reply.finish_reason,
    call.fault and call.fault.code, total.odd and ',"odd_usage":true' or "")
end

-- What every request's line begins with.
local function head(call, facts)
  local request, key = call.request, call.key
  return call.id, call.dialect, short(request.method, 16), short(request.path, 80),
    request.peer, facts.status, facts.outcome, milliseconds(facts.duration),
    short(request:header("user-agent"), 80), key and key.name, key and key.tags.team,
    call.cfg.runtime.generation, problem(call.fault)
end

-- The log line of a request for which a model group was chosen.
local function answered(level, call, reply, facts)
  local total, dep = reply.usage_total, call.dep
  local id, dialect, method, path, peer, status, outcome, ms, client, key, team, generation,
    err = head(call, facts)
  log.row(level, "request", ANSWERED, id, dialect, method, path, peer, status, outcome, ms,
    client, key, team, generation, err,
    facts.asked.log, dep and runtime.of(call.cfg, dep).fragment or "",
    facts.attempts, call.stream, milliseconds(facts.ttft),
    facts.overhead and math.floor(facts.overhead * 1e6 + 0.5), total.input_tokens or 0,
    total.output_tokens or 0, total.cache_read_tokens or 0, total.cache_write_tokens or 0,
    total.reasoning_tokens or 0, facts.dollars or "null", facts.estimated,
    reply.finish_reason, #call.doc, short(call.user, 64))
end

--- The one log line of a request.
function rows.log(level, call, reply, facts)
  if call.group then return answered(level, call, reply, facts) end
  log.row(level, "request", REQUEST, head(call, facts))
end

return rows
