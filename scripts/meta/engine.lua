---@meta
-- The door between scripts and the engine. Editors read this file; the engine does not.
--
-- **waits**: the call may pause this request, and no other. A pause of a request whose client
-- has left raises { kind = "cancelled" }. Everything else returns at once.
--
-- What the world does wrong comes back as `nil, err`; wrong arguments are a bug, and raise.
-- engine.json and engine.form are in meta/engine_json.lua; tokens in engine_tokens.lua, crypto in
-- engine_crypto.lua; accounts, keys and the ledger in engine_money.lua; guards, files and the
-- command line in engine_host.lua.

---@class EngineError
---@field kind string     a word for code: "connect", "timeout", "invalid" …
---@field message string  for people; never for a client

-- engine.http --------------------------------------------------------------------------------

---@class HttpTimeout
---@field connect? number      seconds for name, TCP and TLS
---@field first_event? number  seconds to the first event; streams only
---@field idle? number         seconds without a byte; streams only
---@field event? number      seconds between two events; streams only
---@field total? number        seconds for all of it

---@class HttpRequest
---@field url string
---@field method? string              default "POST"
---@field headers? table<string, string>
---@field body? string|Document|Form
---@field stream? boolean             the answer is read piece by piece
---@field private? boolean            a public name may lead to a private address
---@field max_body? integer           bytes of a whole answer, default 64 MiB
---@field max_event? integer          bytes of an event, default 4 MiB
---@field timeout? HttpTimeout
---@field meanwhile? fun()            called once the request has left; may wait

---@alias CallErrorKind "dns"|"connect"|"connect_timeout"|"tls"|"closed"|"timeout"|"blocked"
---| "first_token_timeout"|"stalled"|"truncated"|"invalid"|"too_large"

---@class CallError: EngineError
---@field kind CallErrorKind
---@field sent boolean  the provider may have seen the request
---@field text string?  the first bytes of an answer that is no JSON

---@class http
local http = {}

---Send a request; returns when the status line is here. **waits**
---```lua
---local upstream, err = http.open { url = url, headers = headers, body = body, stream = true }
---if not upstream then error(fault.of(err), 0) end
---```
---@param request HttpRequest
---@return Upstream?, CallError?
function http.open(request) end

---@class Upstream
---@field status integer
---@field retry_after number?  seconds, from retry-after-ms, or retry-after in seconds or as a date
---@field first_byte number?   monotonic seconds
---@field passed { events: integer, bytes: integer }  what relay() passed on by itself
local Upstream = {}

---@param name string
---@return string?
function Upstream:header(name) end

---The whole answer, strictly checked and indexed. **waits**
---@return Document?, CallError?
function Upstream:document() end

---The whole answer, decoded. **waits**
---@param options? DecodeOptions
---@return any, CallError?
function Upstream:json(options) end

---The whole answer, as bytes. **waits**
---@return string?, CallError?
function Upstream:body() end

---Server-sent events: name, data, bytes as received. Data is decoded where it is a JSON object
---or array, else text. Ends with nil at a clean end; raises a CallError. **waits**
---```lua
---for name, data in upstream:sse() do … end
---```
---@return fun(): string?, any, string?
function Upstream:sse() end

---Messages of an AWS event stream (application/vnd.amazon.eventstream): the name of the event,
---exception or error, its data (decoded as sse() does), and which of the three it is. Ends and
---fails as sse() does, and where the stream ends inside a message. **waits**
---@return fun(): string?, any, "event"|"exception"|"error"|nil
function Upstream:messages() end

---JSON lines: the decoded line, its bytes. Ends and fails as sse() does. **waits**
---@return fun(): any, string?
function Upstream:jsonl() end

---Whatever bytes have come. Ends and fails as sse() does. **waits**
---@return fun(): string?
function Upstream:chunks() end

---Pass whole events to the client as received, up to one that holds a mark: that one is
---returned, not sent. A mark followed by `null` does not count. Nil at a clean end; raises a
---CallError. **waits**
---@param request Request  whose stream has begun
---@param marks string[]
---@return string? name, any data, string? bytes
function Upstream:relay(request, marks) end

---End the call. The connection is kept only where the answer was whole.
function Upstream:close() end

-- The client's request -----------------------------------------------------------------------

---@class RequestError: EngineError
---@field status integer
---@field code string    as the client is told
---@field param string?

---@class Request
---@field method string
---@field path string     raw, without the query
---@field query string    raw, "" where there is none
---@field peer string     numeric address
---@field admin boolean   it came to the admin listener
---@field started number  monotonic seconds: the head was in
---@field gone boolean    the client hung up
local Request = {}

---The first of that name.
---@param name string
---@return string?
function Request:header(name) end

---@param name string
---@return integer
function Request:header_count(name) end

---The headers whose names begin so, by their names in lower case; several of one name are joined
---by commas.
---@param prefix string  in lower case
---@return table<string, string>
function Request:headers_with(prefix) end

---The body, strictly checked and indexed. **waits**
---@return Document?, RequestError?
function Request:document() end

---The body as bytes. **waits**
---@return string?, RequestError?
function Request:body() end

---The body as a multipart/form-data, strictly checked. **waits**
---@return Form?, RequestError?
function Request:form() end

---The whole answer. A document's bytes move; no copy is made.
---@param status integer
---@param headers table<string, string>|{ [1]: string, [2]: string }[]
---@param body? string|Document
---@return boolean sent
function Request:respond(status, headers, body) end

---Begin a stream: status and headers now, bytes by send(), the end by finish().
---@param status integer
---@param headers table<string, string>|{ [1]: string, [2]: string }[]
---@return boolean begun
function Request:begin(status, headers) end

---Send bytes of a stream. **waits** only while more than 256 KiB are on their way.
---@param bytes string
function Request:send(bytes) end

---End a stream. `clean` false: the connection is cut, so that nobody takes it for whole.
---@param clean boolean
function Request:finish(clean) end

-- engine.shared ------------------------------------------------------------------------------

---Counters that all workers see; they survive a reload, by name.
---@class shared
local shared = {}

---@param key string
---@return number?
function shared.get(key) end

---@param key string
---@param value number
---@param ttl? number  seconds
---@return boolean kept  false: the table is full
function shared.set(key, value, ttl) end

---@param key string
---@param n number
---@param ttl? number  seconds, from the first add on
---@return number? now
function shared.add(key, n, ttl) end

---Keep the larger value, and the later end.
---@param key string
---@param value number
---@param ttl? number
---@return boolean kept
function shared.max(key, value, ttl) end

---Take n from a sliding window's limit: check and add in one step. n = 0 only looks.
---@param key string
---@param n number
---@param limit number
---@param window number  seconds
---@return boolean taken, number? retry  seconds until it may succeed
function shared.take(key, n, limit, window) end

---Add n now, and put the fact in its place later; released when the request ends, whatever
---happens.
---@param key string
---@param n number
---@return Held
function shared.hold(key, n) end

---@class Held
local Held = {}

---Once; the second time does nothing.
---@param actual? number  default 0
function Held:settle(actual) end

-- engine.metric ------------------------------------------------------------------------------

---@class metric
local metric = {}

---@param name string
---@param labels table<string, string>?
---@param n number
function metric.add(name, labels, n) end

---@param name string
---@param labels table<string, string>?
---@param value number
function metric.set(name, labels, value) end

---@param name string
---@param labels table<string, string>?
---@param value number
function metric.observe(name, labels, value) end

---Before a family's first series.
---@param name string
---@param kind "counter"|"gauge"|"histogram"
---@param help string
---@param buckets? number[]
function metric.describe(name, kind, help, buckets) end

---Handles, for what happens with every request.
---@param name string
---@param labels table<string, string>?
---@return { add: fun(self, n: number) }
function metric.counter(name, labels) end

---@param name string
---@param labels table<string, string>?
---@return { set: fun(self, value: number), add: fun(self, n: number) }
function metric.gauge(name, labels) end

---@param name string
---@param labels table<string, string>?
---@return { observe: fun(self, value: number) }
function metric.histogram(name, labels) end

-- engine.log ---------------------------------------------------------------------------------

---One JSON line an event. What looks like a key, and every secret named here, becomes ***.
---@class log
local log = {}

---@param event string
---@param fields? table<string, any>
function log.debug(event, fields) end

---@param event string
---@param fields? table<string, any>
function log.info(event, fields) end

---@param event string
---@param fields? table<string, any>
function log.warn(event, fields) end

---@param event string
---@param fields? table<string, any>
function log.error(event, fields) end

---A JSON string that may stand in a row: line separators and control characters escaped too.
---@param text string
---@return string
function log.quote(text) end

---The members as a format and values, for what is written with every request: %s ready JSON,
---%q a string, %d an integer, %f one decimal, %b true or false, %t the time now.
---@param level "debug"|"info"|"warn"|"error"
---@param event string
---@param format string
---@param ... any
function log.row(level, event, format, ...) end

---@param value string
function log.secret(value) end

-- engine.journal -----------------------------------------------------------------------------

---@class journal
local journal = {}

---Queue one line. All of them are on file before a call leaves and before an answer ends.
---@param line string
---@return true?, EngineError?
function journal.append(line) end

---Is half of the spool full, since the disk takes no lines? Then whoever must not be without a row
---is refused.
---@return boolean
function journal.crowded() end

-- engine.time --------------------------------------------------------------------------------

---@class time
local time = {}

---Seconds since 1970.
---@return number
function time.now() end

---Seconds since whenever; for durations.
---@return number
function time.monotonic() end

---**waits**
---@param seconds number
function time.sleep(seconds) end

---"2026-11-22T08:00:00.123Z"
---@param seconds? number  default now
---@return string
function time.iso(seconds) end

-- engine.task --------------------------------------------------------------------------------

---@class task
local task = {}

---Run fn in a task of its own, once this one waits or ends: for what no client waits for. It may
---wait; what it raises is logged as a mistake of ours. A gateway that stops cancels it.
---@param fn fun()
function task.start(fn) end

---Go on for so many seconds once the client is gone: until then, waits do not raise. Not where too
---many do so already, or the gateway stops, or more than 1 MiB came that nobody reads.
---@param seconds number
function task.patience(seconds) end

return {
  http = http, shared = shared, metric = metric, log = log, journal = journal, task = task,
  time = time, Upstream = Upstream, Request = Request, Held = Held,
}
