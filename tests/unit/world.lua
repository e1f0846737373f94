-- The engine as scripts see it, made of tables: a clock that tests turn, providers that answer
-- what a test says, and everything written down. The real pipeline runs on top.

require "engine" -- the real engine.json
local accounts_of = require "unit.world_accounts"
local json = require "engine.json"
local real_tokens = require "engine.tokens"

local world = {}

local SCRIPTS = {
  "^pipeline", "^policy%.", "^dialects%.", "^lib%.", "^providers%.", "^config", "^load$",
}

local function forget_scripts()
  for name in pairs(package.loaded) do
    for _, pattern in ipairs(SCRIPTS) do
      if name:find(pattern) then package.loaded[name] = nil end
    end
  end
end

-- Time and counters ------------------------------------------------------------------------

local function time_of(w)
  return {
    now = function() return 1.8e9 + w.clock end, monotonic = function() return w.clock end,
    iso = function() return "2027-01-15T08:00:00.000Z" end,
    sleep = function(seconds)
      w.sleeps[#w.sleeps + 1] = seconds
      w.clock = w.clock + seconds
    end,
  }
end

local function shared_of(w)
  local kept, windows = {}, {}
  local shared = {}
  local function live(key)
    local one = kept[key]
    if one and one.ends and one.ends <= w.clock then kept[key] = nil end
    return kept[key]
  end
  function shared.get(key)
    local one = live(key)
    return one and one.value or nil
  end
  function shared.set(key, value, ttl)
    kept[key] = { value = value, ends = ttl and ttl > 0 and w.clock + ttl or nil }
  end
  function shared.add(key, n)
    shared.set(key, (shared.get(key) or 0) + n)
    return shared.get(key)
  end
  function shared.max(key, value, ttl)
    local one = live(key)
    local ends = math.max(one and one.ends or 0, w.clock + ttl)
    kept[key] = { value = math.max(one and one.value or value, value), ends = ends }
  end
  function shared.take(key, n, limit, window)
    local one = windows[key]
    if not one or one.ends <= w.clock then one = { n = 0, ends = w.clock + window } end
    windows[key] = one
    if one.n + n > limit then return false, one.ends - w.clock end
    one.n = one.n + n
    return true
  end
  function shared.hold(key, n)
    shared.add(key, n)
    local settled = false
    return {
      settle = function(_, actual)
        if not settled then shared.add(key, (actual or 0) - n) end
        settled = true
      end,
    }
  end
  return shared
end

-- Metrics and logs -------------------------------------------------------------------------

local function series(name, labels)
  local parts = {}
  for label, value in pairs(labels or {}) do parts[#parts + 1] = label .. "=" .. value end
  table.sort(parts)
  return name .. "{" .. table.concat(parts, ",") .. "}"
end

local function metric_of(w)
  local metric = { describe = function() end }
  local function add(name, labels, n)
    local key = series(name, labels)
    w.metrics[key] = (w.metrics[key] or 0) + n
  end
  metric.add = add
  function metric.set(name, labels, value) w.metrics[series(name, labels)] = value end
  function metric.observe(name, labels) add(name, labels, 1) end
  function metric.counter(name, labels)
    return { add = function(_, n) add(name, labels, n) end }
  end
  function metric.gauge(name, labels)
    return { set = function(_, value) metric.set(name, labels, value) end }
  end
  function metric.histogram(name, labels)
    return { observe = function() add(name, labels, 1) end }
  end
  return metric
end

-- engine/lua_row.h: a format and values as one line of JSON.
local function row(format, ...)
  local values, at = { ... }, 0
  local function next_value(kind)
    if kind == "t" then return '"2027-01-15T08:00:00.000Z"' end
    at = at + 1
    local value = values[at]
    if kind == "s" then return assert(value, "no text for a row") end
    if kind == "b" then return value and "true" or "false" end
    if value == nil then return "null" end
    if kind == "q" then return json.encode(value) end
    return kind == "d" and ("%d"):format(value) or ("%.1f"):format(value)
  end
  return (format:gsub("%%(%a)", next_value))
end

local function journal_of(w)
  local journal = {}
  function journal.append(line)
    w.journal[#w.journal + 1] = json.decode(line)
    return not w.journal_fails or nil, { message = "the disk is full" }
  end
  function journal.row(...) return journal.append(row(...)) end
  function journal.crowded() return w.journal_crowded == true end
  return journal
end

local function log_of(w)
  local log = { secret = function() end, quote = json.encode }
  function log.row(level, event, ...)
    local fields = assert(json.decode("{" .. row(...) .. "}"))
    w.log[#w.log + 1] = { level = level, event = event, fields = fields }
  end
  for _, level in ipairs { "debug", "info", "warn", "error" } do
    log[level] = function(event, fields)
      json.encode(fields) -- what cannot be encoded cannot be logged
      w.log[#w.log + 1] = { level = level, event = event, fields = fields }
    end
  end
  return log
end

local function guard_call(fn, ...)
  local results = { pcall(fn, ...) }
  return unpack(results, 1, table.maxn(results))
end

local function crypto_of()
  local n = 0
  return {
    uuid7 = function()
      n = n + 1
      return "id-" .. n
    end,
    sha256 = function(text)
      local sum = 0
      for i = 1, #text do sum = (sum * 31 + text:byte(i)) % 2 ^ 32 end
      return ("%08x"):format(sum):rep(8)
    end,
    equal = function(a, b) return a == b end,
    random_hex = function(bytes) return ("ab"):rep(bytes) end,
  }
end

-- Providers --------------------------------------------------------------------------------

local Upstream = {}
Upstream.__index = Upstream

function Upstream:header(name) return self.headers[name] end

function Upstream:body()
  if self.breaks then return nil, self.breaks end
  return self.text
end

local function unreadable(self, err)
  return {
    kind = "invalid", message = err.message, text = self.text:sub(1, 200), sent = true,
  }
end

function Upstream:document()
  if self.breaks then return nil, self.breaks end
  local doc, err = json.index(self.text)
  if doc then return doc end
  return nil, unreadable(self, err)
end

function Upstream:json(options)
  local text, err = self:body()
  if not text then return nil, err end
  local value, why = json.decode(text, options)
  if value ~= nil then return value end
  return nil, unreadable(self, why)
end

local function event_of(bytes)
  local name = bytes:match("event: ([^\n]*)\n") or "message"
  local data = bytes:match("data: ([^\n]*)\n")
  if not data then return nil end
  return name, data:find("^[{%[]") and json.decode(data) or data
end

-- One event, or the end; a function among the events is called: the client may leave there.
local function next_event(self)
  while true do
    self.at = self.at + 1
    local bytes = self.events[self.at]
    if not bytes then
      if self.breaks then error(self.breaks, 0) end
      return nil
    end
    if type(bytes) == "function" then
      bytes()
    else
      local name, data = event_of(bytes)
      if name then return name, data, bytes end
    end
  end
end

function Upstream:sse()
  if self.text ~= "" and #self.events == 0 then
    for event in self.text:gmatch(".-\n\n") do self.events[#self.events + 1] = event end
  end
  return function() return next_event(self) end
end

function Upstream:relay(request, marks)
  while true do
    local name, data, bytes = next_event(self)
    if name == nil then return nil end
    for _, mark in ipairs(marks) do
      local _, at = bytes:find(mark, 1, true)
      if at and not bytes:find("^%s*null", at + 1) then return name, data, bytes end
    end
    request:send(bytes)
    self.passed.events, self.passed.bytes = self.passed.events + 1, self.passed.bytes + #bytes
  end
end

function Upstream:close() self.closed = true end

local function http_of(w)
  return {
    open = function(request)
      local host = request.url:match("^https?://([^/:]+)")
      local queue = w.answers[host] or {}
      local answer = #queue > 1 and table.remove(queue, 1) or queue[1]
      w.calls[#w.calls + 1] = { host = host, request = request, at = w.clock }
      assert(answer, "nobody said what " .. host .. " answers")
      w.clock = w.clock + (answer.takes or 0)
      if type(answer.meanwhile) == "function" then answer.meanwhile() end
      if answer.error then return nil, answer.error end
      local upstream = setmetatable({
        status = answer.status or 200, text = answer.body or "", events = answer.events or {},
        headers = answer.headers or { ["content-type"] = "application/json" },
        retry_after = answer.retry_after, breaks = answer.breaks, at = 0,
        passed = { events = 0, bytes = 0 },
      }, Upstream)
      w.upstreams[#w.upstreams + 1] = upstream
      return upstream
    end,
  }
end

-- Clients ----------------------------------------------------------------------------------

local Request = {}
Request.__index = Request

function Request:header(name) return self.headers[name] end
function Request:header_count(name)
  if self.counts and self.counts[name] then return self.counts[name] end
  return self.headers[name] and 1 or 0
end

function Request:headers_with(prefix)
  local out, pattern = {}, "^" .. prefix:gsub("%-", "%%-")
  for name, value in pairs(self.headers) do out[name] = name:find(pattern) and value or nil end
  return out
end

function Request:document()
  if self.refused then return nil, self.refused end
  local doc, err = json.index(self.bytes or "")
  if doc then return doc end
  return nil, {
    kind = "bad_request", status = 400, code = err.code, message = err.message,
    param = err.param,
  }
end

function Request:body()
  if self.refused then return nil, self.refused end
  return self.bytes or ""
end

function Request:respond(status, headers, body)
  assert(not self.status, "answered twice")
  self.status, self.sent_headers = status, headers
  self.answer = type(body) == "userdata" and body:bytes() or body
end

function Request:begin(status, headers)
  assert(not self.status, "answered twice")
  self.status, self.sent_headers, self.pieces = status, headers, {}
end

function Request:send(bytes)
  if self.leaves_at and #self.pieces >= self.leaves_at then
    error({ kind = "cancelled", message = "the client hung up" }, 0)
  end
  self.pieces[#self.pieces + 1] = bytes
end

function Request:finish(clean)
  self.finished, self.clean = true, clean
  self.answer = table.concat(self.pieces)
end

--- A client's request; POST of a chat unless said otherwise.
function world.request(w, want)
  local body = want.body
  if type(body) == "table" then body = json.encode(body) end
  local headers = { ["content-type"] = "application/json", authorization = "Bearer secret-key" }
  for name, value in pairs(want.headers or {}) do headers[name] = value or nil end
  return setmetatable({
    method = want.method or "POST", path = want.path or "/v1/chat/completions",
    query = want.query or "", peer = want.peer or "127.0.0.1", started = w.clock,
    headers = headers,
    counts = want.counts, bytes = body, refused = want.refused, leaves_at = want.leaves_at,
  }, Request)
end

-- All together -----------------------------------------------------------------------------

local World = {}
World.__index = World

local function stubs(w)
  local loaded = {
    time = time_of(w), shared = shared_of(w), metric = metric_of(w), log = log_of(w),
    crypto = crypto_of(), http = http_of(w), guard = { call = guard_call },
    tokens = {
      count = function(text) return math.ceil(#text / 4), false end,
      mentions = real_tokens.mentions, outline = real_tokens.outline, body = real_tokens.body,
      has = real_tokens.has, complaint = real_tokens.complaint,
      learn = function(name, kind, ratio)
        local one = w.learned[name .. kind] or { sum = 0, n = 0 }
        one.sum, one.n = one.sum + ratio, one.n + 1
        w.learned[name .. kind] = one
        return one.sum / one.n, 0, one.n
      end,
      learned = function() return nil end,
      drift = function(model, ratio) w.drift[model] = ratio end,
    },
    journal = journal_of(w), accounts = accounts_of(w), task = {
      start = function(fn) fn() end, patience = function(seconds) w.patience = seconds end,
    },
    vm = { is_operator = function() return false end, source = function() end,
      options = function() return { generation = 1 } end },
  }
  for name, module in pairs(loaded) do package.loaded["engine." .. name] = module end
  return loaded
end

local function config_options(w, engine)
  return {
    load = function(text, chunk, env)
      local fn, err = loadstring(text, chunk)
      return fn and setfenv(fn, env), err
    end,
    getenv = function(name) return w.env[name] end,
    read_file = function() return nil, "no files here" end,
    adapter = function(name)
      local ok, module = pcall(require, "providers." .. name)
      return ok and module or nil, module
    end,
    adapters = function() return { "openai_compatible", "openai", "mock" } end,
    now = engine.time.now, loopback = true, sha256 = engine.crypto.sha256,
    metric = function(name, value, labels) engine.metric.add(name, labels, value) end,
    log = engine.log,
  }
end

--- A gateway with these routes. `w.answers[host]` is what a provider there answers, in order;
--- the last one stays.
function world.new(routes, env)
  forget_scripts()
  local w = setmetatable({
    clock = 1000, sleeps = {}, metrics = {}, log = {}, journal = {}, answers = {}, calls = {},
    upstreams = {}, learned = {}, drift = {}, env = env or {}, accounts = {},
  }, World)
  w.engine = stubs(w)
  math.randomseed(7)
  local cfg, errors = require("config").load(routes, "routes.lua", config_options(w, w.engine))
  if not cfg then error(errors[1].line .. ": " .. errors[1].message, 2) end
  w.cfg, cfg.runtime = cfg, require("pipeline.runtime").new(1, w.engine.vm.is_operator)
  w.pipeline = require "pipeline"
  return w
end

--- Serve one request; returns it, with status, answer (text) and json.
function World:serve(want)
  local request = world.request(self, want)
  self.pipeline.serve(request, self.cfg)
  if type(request.answer) == "string" then request.json = json.decode(request.answer) end
  return request
end

--- A chat request to a model.
function World:chat(model, more, want)
  want = want or {}
  want.body = { model = model, messages = { { role = "user", content = "hello" } } }
  for name, value in pairs(more or {}) do want.body[name] = value end
  return self:serve(want)
end

--- The hosts called so far, in order.
function World:hosts()
  local out = {}
  for i, call in ipairs(self.calls) do out[i] = call.host end
  return out
end

--- The last usage line, and how many there are.
function World:usage()
  local last, n = nil, 0
  for _, line in ipairs(self.journal) do
    if line.type == "usage" then last, n = line, n + 1 end
  end
  return last, n
end

--- The log lines of an event.
function World:logged(event)
  local out = {}
  for _, line in ipairs(self.log) do
    if line.event == event then out[#out + 1] = line end
  end
  return out
end

--- A whole answer, as OpenAI gives it.
function world.completion(text, more)
  return {
    body = json.encode {
      id = "chatcmpl-up", object = "chat.completion", model = "gpt-4o-mini-2024-07-18",
      choices = json.array {
        { index = 0, message = { role = "assistant", content = text }, finish_reason = "stop" },
      },
      usage = more or { prompt_tokens = 10, completion_tokens = 5, total_tokens = 15 },
    },
  }
end

--- One event of a stream.
function world.chunk(delta, reason, usage)
  local choice = delta and '{"index":0,"delta":' .. delta .. ',"finish_reason":'
    .. (reason and '"' .. reason .. '"' or "null") .. "}" or ""
  return 'data: {"id":"c1","model":"gpt-4o-mini-2024-07-18","choices":[' .. choice .. "]"
    .. (usage and ',"usage":' .. usage or "") .. "}\n\n"
end

--- A streamed answer: a list of events.
function world.stream(...)
  local events = { world.chunk '{"role":"assistant","content":""}' }
  for _, text in ipairs { ... } do
    events[#events + 1] = world.chunk('{"content":' .. json.encode(text) .. "}")
  end
  events[#events + 1] = world.chunk("{}", "stop")
  events[#events + 1] =
    world.chunk(nil, nil, '{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}')
  events[#events + 1] = "data: [DONE]\n\n"
  return { events = events, headers = { ["content-type"] = "text/event-stream" } }
end

--- An error with a status.
function world.failure(status, code, more)
  local answer = {
    status = status,
    body = json.encode { error = { message = "it says " .. status, type = "x", code = code } },
  }
  for name, value in pairs(more or {}) do answer[name] = value end
  return answer
end

return world
