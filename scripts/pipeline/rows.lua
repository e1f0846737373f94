-- What a request leaves in writing: its journal lines and its log line. Numbers and names only;
-- never a key, never a prompt.

local json = require "engine.json"
local time = require "engine.time"

local rows = {}

local text = json.encode

-- The part of a line that one deployment's requests share.
local function deployment(cfg, dep)
  local known = cfg.runtime.fragments
  local fragment = known[dep]
  if not fragment then
    fragment = ',"deployment":' .. text(dep.name) .. ',"provider":' .. text(dep.provider.name)
      .. ',"upstream_model":' .. text(dep.model)
    known[dep] = fragment
  end
  return fragment
end

--- Before a call leaves.
function rows.intent(call, dep)
  return '{"type":"intent","id":"' .. call.id .. '","attempt":' .. #call.attempts
    .. deployment(call.cfg, dep) .. ',"ts":"' .. time.iso() .. '"}'
end

-- The part that all requests of one key for one model share.
local function asked(call)
  local key, known = call.key, call.cfg.runtime.asked
  local mine = known[key]
  if not mine or mine.count > 1000 then
    mine = { count = 0 }
    known[key] = mine
  end
  local group = call.served or call.group
  local name = call.model .. "\0" .. group.name
  local fragment = mine[name]
  if not fragment then
    fragment = ',"key":' .. text(key.name) .. ',"tags":' .. text(key.tags)
      .. ',"dialect":"' .. call.dialect .. '","group":' .. text(group.name)
      .. ',"model":' .. text(call.model:sub(1, 256))
    mine[name], mine.count = fragment, mine.count + 1
  end
  return fragment
end

local function whole(n)
  return n and ("%d"):format(n) or "null"
end

-- Also the attempts that may have been billed without an answer (suspected_extra).
local function attempts(call)
  local out = {}
  for i, one in ipairs(call.attempts) do
    out[i] = '{"deployment":' .. text(one.deployment) .. ',"status":' .. whole(one.status)
      .. ',"ms":' .. ("%.1f"):format(one.ms or 0)
      .. (one.kind and ',"kind":"' .. one.kind .. '"' or "")
      .. (one.suspected and ',"suspected_extra":{"input":' .. whole(one.suspected) .. "}" or "")
      .. "}"
  end
  return "[" .. table.concat(out, ",") .. "]"
end

local function tokens(total)
  return '{"input":' .. whole(total.input_tokens or 0)
    .. ',"output":' .. whole(total.output_tokens or 0)
    .. ',"cache_read":' .. whole(total.cache_read_tokens or 0)
    .. ',"cache_write":' .. whole(total.cache_write_tokens or 0)
    .. ',"cache_write_1h":' .. whole(total.cache_write_1h_tokens or 0)
    .. ',"reasoning":' .. whole(total.reasoning_tokens or 0) .. "}"
end

local function milliseconds(seconds)
  return seconds and ("%.1f"):format(seconds * 1000) or "null"
end

local function quoted(value)
  return value and text(value) or "null"
end

--- One line for a request that reached dispatch. `facts` is what observe found out.
function rows.usage(call, reply, facts)
  local cfg, total = call.cfg, reply.usage_total
  local dep = call.dep and deployment(cfg, call.dep)
    or ',"deployment":null,"provider":null,"upstream_model":null'
  return '{"type":"usage","id":"' .. call.id .. '","ts":"' .. time.iso() .. '"' .. asked(call)
    .. dep .. ',"attempts":' .. attempts(call) .. ',"tokens":' .. tokens(total)
    .. ',"cost_nano":' .. whole(facts.cost) .. ',"estimated":' .. tostring(facts.estimated)
    .. ',"status":' .. whole(facts.status) .. ',"outcome":"' .. facts.outcome
    .. '","stream":' .. tostring(call.stream) .. ',"ttft_ms":' .. milliseconds(facts.ttft)
    .. ',"duration_ms":' .. milliseconds(facts.duration)
    .. ',"generation":' .. whole(cfg.runtime.generation)
    .. ',"finish":' .. quoted(reply.finish_reason)
    .. ',"error":' .. quoted(call.fault and call.fault.code)
    .. (total.odd and ',"odd_usage":true' or "") .. "}"
end

local function problem(err)
  if not err then return nil end
  return {
    kind = err.kind, code = err.code, message = err.message, detail = err.detail,
    trace = err.trace, upstream_status = err.upstream_status,
  }
end

local function shown_tokens(total)
  return {
    ["in"] = total.input_tokens or 0, out = total.output_tokens or 0,
    cache_read = total.cache_read_tokens, cache_write = total.cache_write_tokens,
    reasoning = total.reasoning_tokens,
  }
end

local function short(value)
  return value and value:sub(1, 80) or nil
end

local function tried(call)
  local out = {}
  for i, one in ipairs(call.attempts) do
    out[i] = {
      deployment = one.deployment, status = one.status, reason = one.kind,
      ms = math.floor((one.ms or 0) * 10) / 10,
    }
  end
  return #out > 0 and out or nil
end

local function rounded(seconds, unit)
  return seconds and math.floor(seconds * unit + 0.5) or nil
end

-- What is known once a model group was chosen.
local function add_answer(fields, call, reply, facts)
  local dep = call.dep
  fields.group = (call.served or call.group).name
  fields.requested_model = call.model:sub(1, 128)
  fields.attempts, fields.stream = tried(call), call.stream
  fields.ttft_ms, fields.overhead_us = rounded(facts.ttft, 1e3), rounded(facts.overhead, 1e6)
  fields.tokens, fields.cost_usd = shown_tokens(reply.usage_total), facts.dollars
  fields.estimated = facts.estimated or nil
  fields.finish, fields.bytes_in = reply.finish_reason, #call.doc
  if not dep then return end
  fields.deployment, fields.provider = dep.name, dep.provider.name
  fields.upstream_model = dep.model
end

--- The fields of the one log line of a request.
function rows.log(call, reply, facts)
  local fields = {
    request_id = call.id, dialect = call.dialect, method = call.request.method,
    path = short(call.request.path), peer = call.request.peer, status = facts.status,
    outcome = facts.outcome, duration_ms = rounded(facts.duration, 1e3),
    client = short(call.request:header("user-agent")), error = problem(call.fault),
    config_generation = call.cfg.runtime.generation,
  }
  local key = call.key
  if key then fields.key_id, fields.team = key.name, key.tags.team end
  if call.group then add_answer(fields, call, reply, facts) end
  return fields
end

return rows
