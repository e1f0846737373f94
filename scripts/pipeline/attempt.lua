-- One try at one deployment: encode → intent line → send → read.

local access = require "pipeline.access"
local counts = require "pipeline.counts"
local fault = require "lib.fault"
local guard = require "engine.guard"
local http = require "engine.http"
local json = require "engine.json"
local log = require "engine.log"
local metrics = require "lib.metrics"
local natives = require "lib.natives"
local observe = require "pipeline.observe"
local provider_error = require "lib.provider_error"
local provider_room = require "pipeline.provider_room"
local resets = require "lib.resets"
local rows = require "pipeline.rows"
local runtime = require "pipeline.runtime"
local time = require "engine.time"

local attempt = {}

local TEXT = { raw = { input = true, args = true } } -- what stays as the provider wrote it
local CLASSIFIED = 200 -- bytes of an answer that is no JSON, for an adapter to judge

-- The request -----------------------------------------------------------------------------

local function results(ok, ...)
  if not ok then error((...), 0) end
  return ...
end

-- Drop-in adapters are an operator's code: their pure functions run under the guard …
local function pure(dep, cfg, fn, ...)
  if not cfg.runtime.operator[dep.provider.adapter_name] then return fn(...) end
  return results(guard.call(fn, ...))
end

-- … and those that wait under one for each stretch between two waits.
local function waiting(dep, cfg, fn, ...)
  if not cfg.runtime.operator[dep.provider.adapter_name] then return fn(...) end
  return guard.run(fn, ...)
end

-- How a provider speaks to this client: as it speaks to all, or natively, where both speak one
-- dialect.
local function face_of(call, dep)
  return natives.of(call.dialect, dep) or dep.provider.adapter
end

-- A client of another dialect is told what of its call no answer depends on, and refused what
-- cannot be said there.
local function fit(call, dep)
  local door = call.door
  if not door or not door.fit then return end
  if face_of(call, dep).dialect == call.dialect and not door.translated then return end
  door.fit(call, dep)
end

local function part(value, dep, call)
  if type(value) == "function" then return pure(dep, call.cfg, value, dep, call) end
  return value or ""
end

-- Remembered where neither half depends on the call.
local function url_of(call, dep)
  local adapter, face = dep.provider.adapter, face_of(call, dep)
  local urls = runtime.of(call.cfg, dep).urls
  if urls[face] then return urls[face] end
  local base, path = dep.provider.base_url or adapter.base_url, face.path or adapter.path
  if adapter.sees_base then base = adapter.base_url end -- which reads the provider's own
  local url = part(base, dep, call):gsub("/+$", "") .. part(path, dep, call)
  if type(base) ~= "function" and type(path) ~= "function" then urls[face] = url end
  return url
end

local function headers_of(call, dep)
  local known, provider = runtime.of(call.cfg, dep), dep.provider
  if known.headers then return known.headers end
  local headers = { ["content-type"] = "application/json", ["user-agent"] = "moongate" }
  local own = provider.adapter.headers
  for name, value in pairs(own and pure(dep, call.cfg, own, dep) or {}) do
    headers[name:lower()] = value
  end
  for name, value in pairs(provider.headers or {}) do headers[name:lower()] = value end
  known.headers = headers
  return headers
end

local function copy(headers)
  local out = {}
  for name, value in pairs(headers) do out[name] = value end
  return out
end

-- With the token of now, and what the client's own headers add, where those pass.
local function own_headers(call, dep, face)
  local headers, source = headers_of(call, dep), dep.provider.token
  if not (source or face.add_headers) then return headers end
  headers = copy(headers)
  if source then
    local record = call.attempts[#call.attempts]
    record.token, record.keys = access.token(call, source)
    record.began = time.monotonic() -- the provider's time begins when there is one
    if not record.keys then headers.authorization = "Bearer " .. record.token end
  end
  if face.add_headers then pure(dep, call.cfg, face.add_headers, call, dep, headers) end
  return headers
end

-- The request's deadline covers a stream until its first event only.
local function timeouts(call, dep)
  local t, now = dep.timeout, call.attempts[#call.attempts].began
  local left = call.deadline - now
  if left <= 0 then fault.raise("timeout", "The request's time is up.") end
  if not call.stream then
    return { connect = t.connect, total = math.min(left, call.started + t.total - now) }
  end
  return {
    connect = t.connect, first_event = math.min(t.first_token, left),
    idle = t.idle, event = t.event,
    total = call.started + t.stream_total - now,
  }
end

local function request_of(call, dep)
  local adapter, face = dep.provider.adapter, face_of(call, dep)
  local body = pure(dep, call.cfg, face.encode, call, dep)
  if type(body) == "table" then body = json.encode(body) end
  local request = {
    url = url_of(call, dep), method = face.method and face.method(call) or "POST",
    headers = own_headers(call, dep, face),
    body = body, stream = call.stream, timeout = timeouts(call, dep),
    max_event = face.max_event, private = dep.provider.private,
  }
  if adapter.sign then
    if request.headers == headers_of(call, dep) then request.headers = copy(request.headers) end
    if type(body) ~= "string" then request.body = body:bytes() end
    pure(dep, call.cfg, adapter.sign, request, dep, call.attempts[#call.attempts].keys)
  end
  return request
end

-- No call a provider may see is without a line.
local function intend(call, dep)
  local ok, err = rows.intend(call, dep)
  if ok then return end
  fault.raise("ledger_unavailable", "The usage journal cannot be written.", {
    detail = type(err) == "table" and err.message or tostring(err),
  })
end

-- Answers that are none -------------------------------------------------------------------

local PASSED_ON = { [400] = true, [413] = true, [422] = true }

-- Do a dialect's own clients find words in it? Not in Mistral's and vLLM's, which are flat.
local function is_error(body)
  local said = type(body) == "table" and (body[1] or body).error -- Gemini's may be in a list
  return type(said) == "string" or type(said) == "table" and type(said.message) == "string"
end

-- What nobody may read of a call.
local function secrets_of(call, dep)
  return provider_error.secrets(dep.provider, call.attempts[#call.attempts].token)
end

-- The provider's own bytes, where the client speaks its dialect and may hear them.
local function own_words(err, bytes, body, dep, reply)
  local adapter = face_of(reply.call, dep)
  if adapter.owns and not adapter.owns(body) then return nil end
  if not is_error(body) or not PASSED_ON[err.upstream_status] then return nil end
  if err.status ~= err.upstream_status or adapter.dialect ~= reply.writer.dialect then
    return nil
  end
  local secrets = secrets_of(reply.call, dep)
  local plain = json.encode(body) -- where escapes hide nothing
  if provider_error.without(plain, secrets) == plain then return bytes end
  local text = provider_error.without(bytes, secrets)
  local again = json.decode(text)
  local left = again and json.encode(again)
  return left and provider_error.without(left, secrets) == left and text or nil
end

-- Seconds, as a refusal says it.
local function asked_to_wait(upstream)
  local seconds = upstream.retry_after
  if seconds or upstream.status ~= 429 then return seconds end
  return resets.of(function(name) return upstream:header(name) end)
end

-- An answer with an error status, as a fault.
local function refused(upstream, call, dep, reply)
  local status = upstream.status
  if status >= 300 and status < 400 then
    return fault.new("invalid_response", "The provider answered with a redirect.", {
      code = "upstream_redirect", upstream_status = status, sent = true,
    })
  end
  local face = face_of(call, dep)
  if status == 404 and face.absent then return face.absent() end
  local bytes = upstream:body() or ""
  local body = bytes ~= "" and json.decode(bytes) or nil
  local kind, more
  local classify = dep.provider.adapter.classify
  if classify then
    kind, more = pure(dep, call.cfg, classify, status, body or bytes:sub(1, CLASSIFIED),
      upstream)
  end
  local secrets = secrets_of(call, dep)
  local err = provider_error.fault(status, body, kind, more, {
    retry_after = asked_to_wait(upstream), secrets = secrets,
  })
  err.body = own_words(err, bytes, body, dep, reply)
  err.detail = err.detail or provider_error.excerpt(bytes, secrets)
  return err
end

local function nothing(detail)
  fault.raise("invalid_response", "The provider's answer was empty.", { detail = detail })
end

-- Answers ---------------------------------------------------------------------------------

-- A whole answer that is no JSON object: a stream nobody asked for, or nothing of use.
local function unreadable(err, upstream, call, dep, reply)
  local text = err.text
  if not text then error(fault.of(err), 0) end
  if text:find("^[%s]*$") then nothing("an empty body") end
  if text:find("^data:") or text:find("^event:") or text:find("^:") then
    local face = face_of(call, dep) -- one that only passes would pass events to who wants none
    local stream = (face.dialect and dep.provider.adapter or face).stream
    return waiting(dep, call.cfg, stream, upstream, reply)
  end
  local failed = fault.of(err)
  failed.detail = provider_error.excerpt(text, secrets_of(call, dep))
  error(failed, 0)
end

local function read_whole(upstream, call, dep, reply, adapter)
  if adapter.dialect then
    local doc, err = upstream:document()
    if not doc then return unreadable(err, upstream, call, dep, reply) end
    return waiting(dep, call.cfg, adapter.decode, doc, reply)
  end
  local body, err = upstream:json(TEXT)
  if body == nil then return unreadable(err, upstream, call, dep, reply) end
  if type(body) ~= "table" then fault.raise("invalid_response") end
  waiting(dep, call.cfg, adapter.decode, body, reply)
end

-- Some answer a stream's request with a whole answer.
local function is_whole(upstream)
  local media_type = upstream:header("content-type")
  return media_type and media_type:lower():find("application/json", 1, true)
end

local function read(upstream, call, dep, reply)
  local adapter = face_of(call, dep)
  if adapter.reads then return waiting(dep, call.cfg, adapter.reads, upstream, reply) end
  local whole = not call.stream
  if not whole and adapter.dialect and is_whole(upstream) then
    adapter = dep.provider.adapter -- nothing passes: it is a stream that the client expects
    whole = adapter.dialect ~= nil
  end
  if whole then return read_whole(upstream, call, dep, reply, adapter) end
  waiting(dep, call.cfg, adapter.stream, upstream, reply)
end

-- Something has to be said, and a stream's end with it.
local function check(call, reply)
  if reply:is_empty() then nothing("nothing was said") end
  if call.stream and not reply:is_whole() then fault.raise("truncated") end
end

-- Whoever answers for the name sends us where only we can go.
local function alarm(dep, err)
  metrics.add("moongate_upstream_blocked_total", { provider = dep.provider.name }, 1)
  log.warn("blocked", {
    deployment = dep.name, message = err.message,
    hint = "say private = true of the provider where that is meant",
  })
end

local function try(call, dep, reply, record)
  fit(call, dep)
  local answer = face_of(call, dep).answer
  if answer then
    intend(call, dep)
    record.sent = true
    waiting(dep, call.cfg, answer, call, dep, reply)
    return check(call, reply)
  end
  local request = request_of(call, dep)
  intend(call, dep)
  if #call.attempts == 1 then call.sent_at = time.monotonic() end
  record.sent = true
  request.meanwhile = counts.meanwhile(call)
  local upstream, err = http.open(request)
  if not upstream then
    record.sent = err.sent
    if err.kind == "blocked" then alarm(dep, err) end
    error(fault.of(err), 0)
  end
  call.upstream = upstream
  local status = upstream.status
  record.status = status
  call.provider_headers = provider_room.read(upstream)
  if status < 200 or status >= 300 then error(refused(upstream, call, dep, reply), 0) end
  if status == 204 then nothing("status 204") end
  read(upstream, call, dep, reply)
  check(call, reply)
end

-- After a mistake of ours nobody else is asked, and what the answer took is billed.
local OURS = { script_error = true, internal = true }

-- One try ---------------------------------------------------------------------------------

local function close(call, reply)
  local upstream = call.upstream
  if not upstream then return end
  call.upstream = false
  if call.stream then reply:relayed(upstream.passed) end
  upstream:close()
end

-- A drop-in adapter's mistake is its operator's, not ours.
local function blame(err, call, dep)
  err = fault.of(err)
  local cfg = call.cfg
  if err.kind == "internal" and cfg.runtime.operator[dep.provider.adapter_name] then
    err = fault.new("script_error", nil, {
      detail = ("adapter %s: %s"):format(dep.provider.adapter_name, err.detail),
    })
  end
  for _, name in ipairs { "message", "code", "param" } do -- all that a client is shown
    err[name] = provider_error.clean(err[name], secrets_of(call, dep))
  end
  return err
end

local function begin(call, dep)
  local record = {
    dep = dep, began = time.monotonic(), sent = false, ms = 0, status = nil,
    kind = nil, said = nil, token = false, keys = nil,
  }
  call.dep = dep
  call.attempts[#call.attempts + 1] = record
  call.provider_headers = false
  call:drop_nothing()
  return record
end

-- Nobody waits for another try.
local ENDS = { cancelled = true, draining = true }

local function run(call, dep, reply)
  local cfg = call.cfg
  local record = begin(call, dep)
  local ok, err = xpcall(try, cfg.caught or fault.of, call, dep, reply, record)
  close(call, reply)
  if not ok then err = blame(err, call, dep) end
  -- What breaks after [DONE] breaks nothing.
  if not ok and reply.done and not ENDS[err.kind] then ok = true end
  record.ms = (time.monotonic() - record.began) * 1000
  if ok then
    record.status = record.status or 200
    observe.attempt(cfg, dep, record)
    return true
  end
  record.kind, record.status = err.kind, err.upstream_status or record.status
  observe.attempt(cfg, dep, record)
  if ENDS[err.kind] then error(err, 0) end
  if not (reply.committed or OURS[err.kind]) then
    record.said = reply.usage_total
    reply:abandon()
  end
  return nil, err
end

-- A token can be taken back before its time: then another is tried, once. AWS says 403 then, as
-- of all that it does not allow.
local function may_renew(call, dep, reply, err)
  local source, record = dep.provider.token, call.attempts[#call.attempts]
  if not source or reply.committed then return false end
  if err.upstream_status ~= (record.keys and 403 or 401) then return false end
  return access.refused(call.cfg, source, record.token)
end

--- Ask `dep`. true, or nil and the fault; a client that left raises through.
function attempt.run(call, dep, reply)
  local ok, err = run(call, dep, reply)
  if ok or not may_renew(call, dep, reply, err) then return ok, err end
  return run(call, dep, reply)
end

return attempt
