-- The friendly half of the C API, embedded beside it. Loaded first in every generation.

local raw = ... -- the C functions: they start things and look at things; only wait() waits

local CANCELLED = { kind = "cancelled", message = "the client hung up" }
local CUT = {
  kind = "draining", message = "The gateway stops, and this request had not ended in time.",
}

-- Every pause in every script is this line. Once its client is gone, or the gateway's time to
-- stop has come, a task raises here at each further wait, so no pcall can swallow the news for
-- long. It may return early: whoever waits looks again.
local function wait()
  local news = raw.wait()
  if news then error(news == "cut" and CUT or CANCELLED, 0) end
end

local function fail(err) error(err, 0) end

local http = {}
local upstream, request, time = raw.upstream, raw.request, raw.clock

--- Send a request; returns when the status line is here. `want.meanwhile` is called once the
--- request has left. upstream | nil, err
function http.open(want)
  local up, err = raw.http_start(want)
  if not up then return nil, err end
  if want.meanwhile then
    time.sleep(0)
    want.meanwhile()
  end
  while up:waiting() do wait() end
  err = up:failure()
  if err then
    up:close()
    return nil, err
  end
  return up
end

-- A whole answer, once it is here; nil, err when it never will be.
local function whole(self)
  while self:running() do wait() end
  return self:failure()
end

--- The answer as an indexed document. doc | nil, err
function upstream:document()
  local err = whole(self)
  if err then return nil, err end
  return self:take_document()
end

--- The answer as bytes. string | nil, err
function upstream:body()
  local err = whole(self)
  if err then return nil, err end
  return self:take_bytes()
end

--- The answer decoded. value | nil, err
function upstream:json(options)
  local bytes, err = self:body()
  if not bytes then return nil, err end
  local value, why = raw.json_decode(bytes, options)
  if why then
    return nil, { kind = "invalid", message = why.message, text = bytes:sub(1, 200) }
  end
  return value
end

-- An iterator over what `next_one` finds: false is "not yet", nil the end.
local function iterate(self, next_one)
  return function()
    local a, b, c = next_one(self)
    while a == false do
      wait()
      a, b, c = next_one(self)
    end
    if a == nil then
      local err = self:failure()
      if err then fail(err) end
    end
    return a, b, c
  end
end

--- Iterate over server-sent events: name, decoded data, bytes as received.
function upstream:sse() return iterate(self, self.next_event) end

--- Iterate over messages of an AWS event stream: name, decoded data, kind ("event",
--- "exception" or "error").
function upstream:messages() return iterate(self, self.next_message) end

--- Iterate over JSON lines: decoded line, bytes.
function upstream:jsonl() return iterate(self, self.next_line) end

--- Iterate over whatever bytes have come.
function upstream:chunks() return iterate(self, self.next_bytes) end

--- Pass events to the client as received, up to one that holds a mark: name, data, bytes.
function upstream:relay(client, marks)
  local name, data, bytes = self:next_marked(client, marks)
  while name == false do
    wait()
    name, data, bytes = self:next_marked(client, marks)
  end
  if name == nil then
    local err = self:failure()
    if err then fail(err) end
  end
  return name, data, bytes
end

local function arrived(self)
  while self:coming() do wait() end
end

--- The client's body as an indexed document. doc | nil, err
function request:document()
  arrived(self)
  return self:take_document()
end

--- The client's body as bytes. string | nil, err
function request:body()
  arrived(self)
  return self:take_bytes()
end

--- The client's body as a form. form | nil, err
function request:form()
  arrived(self)
  return self:take_form()
end

--- Send bytes of a stream; waits while too much is on its way to a slow reader.
function request:send(bytes)
  self:push(bytes)
  while self:crowded() do wait() end
end

--- Pause this task, and nobody else.
function time.sleep(seconds)
  local timer = raw.timer(seconds)
  while not timer:done() do wait() end
end

local task = {}

--- Run fn in a task of its own, once this one waits or ends. No client hears what it does.
function task.start(fn) raw.task_start(fn) end

--- Go on for so many seconds once the client is gone: until then, waits do not raise.
function task.patience(seconds) raw.task_patience(seconds) end

-- What is long is counted over several turns, so that it holds up nobody else.
local tokens = package.loaded["engine.tokens"]
local count, body = tokens.count, tokens.body

local function go_on(run)
  while true do
    time.sleep(0)
    local texts, exact, frames, script, ruled, pictures = raw.tokens_go_on(run)
    if texts then return texts, exact, frames, script, ruled, pictures end
  end
end

--- Tokens of a text. n, exact
function tokens.count(text, encoding, limit)
  local n, exact = count(text, encoding, limit)
  if n then return n, exact end
  n, exact = go_on(exact)
  return n, exact
end

--- Tokens of a body. texts, exact, frames, script, ruled, pictures
function tokens.body(doc, outline, encoding, limit, now)
  local texts, exact, frames, script, ruled, pictures =
    body(doc, outline, encoding, limit, now)
  if texts then return texts, exact, frames, script, ruled, pictures end
  return go_on(exact)
end

-- With --durability strict a line is on disk when its writer goes on: requests wait, and share
-- a sync. Whose client has left waits for nothing: its line is on file.
local journal = package.loaded["engine.journal"]
local SYNC_S = 2

local function settled(ok, err)
  local sync = ok and raw.journal_sync()
  if not sync then return ok, err end
  local timer = raw.timer(SYNC_S)
  local left
  while not (left or sync:done() or timer:done()) do left = raw.wait() end
  local kept = left or sync:result()
  sync:close()
  if kept then return true end
  return nil, { kind = "unavailable", message = "the disk does not keep the journal" }
end

if raw.strict then
  local row, append = journal.row, journal.append
  function journal.row(...) return settled(row(...)) end
  function journal.append(line) return settled(append(line)) end
end

local admin = raw.admin

--- Reload all files. true | nil, err; err.message has a line for each reason.
function admin.reload()
  local job, busy = raw.reload()
  if not job then return nil, busy end
  while not job:done() do wait() end
  return job:result()
end

local ledger = {}
local ANSWER_S = 30 -- longer than a disk takes

local function unavailable(message)
  return { kind = "ledger", status = 503, code = "ledger_unavailable", message = message }
end

--- Ask the ledger thread. result | nil, err, as the handler of the verb returned or raised it.
function ledger.ask(verb, args)
  local job = raw.ledger_ask(verb, raw.json_encode(args or {}))
  if not job then return nil, unavailable "Too many questions wait for the ledger." end
  local timer = raw.timer(ANSWER_S)
  while not job:done() and not timer:done() do wait() end
  if not job:done() then return nil, unavailable "The ledger does not answer." end
  local fine, text = job:result()
  if not text then return nil, unavailable "The gateway is stopping, or out of memory." end
  local value = raw.json_decode(text)
  if fine then return value end
  return nil, value
end

local LedgerOpened = {}
LedgerOpened.__index = LedgerOpened

--- The same, of a ledger that this command opened.
function LedgerOpened.ask(_, verb, args)
  local fine, text = require "ledger.main"(verb, raw.json_encode(args or {}))
  local value = raw.json_decode(text)
  if fine then return value end
  return nil, value
end

function LedgerOpened:close() self.box:close() end

--- On the command line, while no gateway uses the folder. opened | nil, err
function ledger.open(dir)
  local box, err = raw.ledger_open(dir)
  if not box then return nil, err end
  return setmetatable({ box = box }, LedgerOpened)
end

local guard = package.loaded["engine.guard"]

-- What one turn of guarded code came to: its results, or what it raised.
local function turn(co, ok, alive, ...)
  if not ok then fail { kind = "script_error", message = tostring(alive) } end
  if not alive then fail((...)) end
  if coroutine.status(co) == "dead" then return true, ... end
  return false
end

local function turns(co, done, ...)
  if done then return ... end
  return turns(co, turn(co, guard.call(coroutine.resume, co, raw.wait())))
end

--- Like guard.call, for operator code that waits: each stretch between two waits is bounded.
--- Returns what fn returns, raises what it raises.
function guard.run(fn, ...)
  local co = coroutine.create(fn)
  return turns(co, turn(co, guard.call(coroutine.resume, co, ...)))
end

package.loaded["engine.http"], package.loaded["engine.time"] = http, time
package.loaded["engine.task"] = task
package.loaded["engine.admin"], package.loaded["engine.ledger"] = admin, ledger
