-- One request, first byte to last. Read this file first: each line below is one module.

local auth = require "pipeline.auth"
local count_tokens = require "pipeline.count_tokens"
local dispatch = require "pipeline.dispatch"
local fault = require "lib.fault"
local ingress = require "pipeline.ingress"
local limits = require "pipeline.limits"
local observe = require "pipeline.observe"
local routing = require "pipeline.routing"

local pipeline = {}

local function steps(call, reply, cfg)
  local endpoint = ingress.endpoint(call)       -- what the path is for           404 405
  call.key = auth.check(call, cfg, endpoint)    -- who asks, from the head alone  400 401 403
  if endpoint.answer then return endpoint.answer(call, reply, cfg) end
  ingress.read(call)                            -- bytes → a call                 400 413 415
  call.group = (endpoint.choose or routing.choose)(call, cfg) -- who answers      404
  if endpoint.count then return count_tokens.answer(call, reply) end
  limits.reserve(call)                          -- requests, tokens, money        403 429
  call.dep = dispatch.run(call, reply, cfg)     -- attempts, retries, fallbacks   5xx
end

--- Serve one request. `cfg` is the routes this request began with, and ends with.
function pipeline.serve(request, cfg)
  local call, reply = ingress.open(request, cfg)
  local ok, err = xpcall(steps, cfg.caught or fault.of, call, reply, cfg)
  call.fault = not ok and fault.of(err)
  if ok and call:is_deserted() then call.fault = fault.new("cancelled") end
  if call.fault then call.fault.status = reply:status_of(call.fault) end
  observe.record(call, reply, cfg)              -- settle, journal, log, metrics; never waits
  reply:close(call.fault)                       -- the last bytes, or the error: after the
end                                             -- journal, and last: it may wait, and so raise

return pipeline
