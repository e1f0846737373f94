---@meta
-- The door between scripts and the engine. Editors read this file; the engine does not.
--
-- **waits**: the call may pause this request, and no other. A pause of a request whose client
-- has left raises { kind = "cancelled" }. Everything else returns at once.
--
-- What the world does wrong comes back as `nil, err`; wrong arguments are a bug, and raise.
-- engine.json is in meta/engine_json.lua.

---@class EngineError
---@field kind string     a word for code: "connect", "timeout", "invalid" …
---@field message string  for people; never for a client

-- engine.http --------------------------------------------------------------------------------

---@class HttpTimeout
---@field connect? number      seconds for name, TCP and TLS
---@field first_event? number  seconds to the first event; streams only
---@field idle? number         seconds without a byte; streams only
---@field total? number        seconds for all of it

---@class HttpRequest
---@field url string
---@field method? string              default "POST"
---@field headers? table<string, string>
---@field body? string|Document
---@field stream? boolean             the answer is read piece by piece
---@field max_body? integer           bytes of a whole answer, default 64 MiB
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

-- engine.accounts ----------------------------------------------------------------------------

---Rate limits and budgets: what a request may spend is set aside before its call, and becomes
---what it has spent after it. Of all workers; survives a reload. Money is in nano-dollars.
---@class accounts
local accounts = {}

---@alias AccountWindow "minute"|"hour"|"day"|"week"|"month"|"year"|"ever"
---@alias AccountBudget { window?: AccountWindow, nano: integer }  default "ever"

---@class AccountLimits
---@field name string  "org", "team:…", "key:…", "tag:…=…", "user:…"
---@field rpm? integer  requests a minute; 0 lets nothing through
---@field tpm? integer  tokens a minute
---@field parallel? integer  requests at once
---@field budgets? AccountBudget[]  of two with one window the smaller holds
---@field soft? AccountBudget[]  at most 8; they stop nothing, settle() tells of them
---@field open? boolean  without the cluster it may go on spending

---What a request is charged to: up to 16 accounts. An account named twice is held to the stricter
---of its limits. Make one for a key and keep it; `hold` in the list is a key of engine.shared that
---counts its running reservations.
---@param list AccountLimits[]  and hold?: string
---@return Plan? plan, table? err  no room for more accounts
function accounts.plan(list) end

---What an account has spent and set aside in its running windows.
---@param name string
---@return table<AccountWindow, { spent: integer, reserved: integer, start: integer }>?
function accounts.spent(name) end

---The same of all accounts whose names begin so; each has its name too.
---@param prefix? string
---@param part? integer  only one of so many shares, each account always in the same
---@param parts? integer
---@return table[]
function accounts.each(prefix, part, parts) end

---@class Plan
local Plan = {}

---Set aside one request, `tokens`, one place among the running and `nano` of every budget: of all
---accounts, or of none. More tokens than a limit has in all take all of it. What costs nothing
---passes a budget that is used up. When the request ends unsettled, it has spent what was set
---aside.
---@param tokens? number
---@param nano? number
---@return Reservation? reservation
---@return string? name  the account that refuses
---@return string? limit  "rpm", "tpm", "parallel", "budget:month", …; the one that lasts longest
---@return number? retry  seconds until it may succeed
---@return number? left  of that limit
---@return boolean? soon  several gateways share it, and more of it may be granted in a moment
function Plan:reserve(tokens, nano) end

---Each account's limits and what is left of them; spent: by all gateways, as far as is known.
---@return { name: string, rpm: table?, tpm: table?, parallel: table?, budgets: table[] }[]
function Plan:state() end

---The tightest of the accounts' limits; nil where none has one.
---@return number? limit_requests, number? left_requests, number? reset_requests_s
---@return number? limit_tokens, number? left_tokens, number? reset_tokens_s
function Plan:room() end

---@class Reservation
---@field admitted integer  ms since 1970: whose windows it is charged to
---@field tokens integer  set aside now
---@field nano integer
local Reservation = {}

---Set more aside: new totals, which never lower the old.
---@param tokens? number
---@param nano? number
---@return boolean raised, string? name, string? limit, number? retry, number? left, boolean? soon
function Reservation:raise(tokens, nano) end

---The fact takes the reservation's place, in the windows of admission; unused tokens go back. Once.
---@param tokens? number
---@param nano? number
---@return { name: string, window: AccountWindow, nano: integer, soft: integer }[]? crossed
function Reservation:settle(tokens, nano) end

---Nothing happened: all of it goes back. Once.
function Reservation:refund() end

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

-- engine.tokens ------------------------------------------------------------------------------

---@class tokens
local tokens = {}

---@param text string
---@param encoding? string  "o200k_base" …; without one, or where its vocabulary is not here, estimated
---@param limit? number     stop there: a text of more tokens has limit + 1
---@return integer n, boolean exact  false: an estimate. May wait, where the text is long
function tokens.count(text, encoding, limit) end

---@class OutlineRule  what a member of a body is; all of it may be absent
---@field text? boolean    a string, and those of an array, count
---@field image? boolean   an image or a file, or where it is
---@field detail? boolean  how closely an image is looked at
---@field into? string     the place of an object, and of an array's objects
---@field raw? boolean     an object or array counts as the JSON that it is
---@field named? boolean   the member's own name counts
---@field ruled? boolean   where it is there, nobody knows the number for certain
---@field add? number      tokens where it is there
---@field each? number     for each element of an array
---@field alone? number    where it is a string, not an array
---@field before? string   what stands before a text, at most 7 bytes
---@field after? string    and behind it

---@class OutlinePlace
---@field add? number  tokens for each object
---@field members table<string, OutlineRule>  by name; "*" is any other

---Where a body's tokens are. See lib/token_shapes.lua.
---@param spec { places: table<string, OutlinePlace>, order: string[], weights: number[]?, otherwise: number? }
---@return userdata outline
function tokens.outline(spec) end

---Tokens of a body (or of a text), weighed as the outline says: of its texts, whether those are
---exact, of what stands around them; what script it is in (1 Latin, 2 code, 3 Greek or
---Cyrillic, 4 Chinese or Japanese, 5 Korean; 0: nobody weighed), whether something was there that
---is ruled, and its images and files.
---May wait, where the body is long.
---@param doc Document|string
---@param outline userdata
---@param encoding string
---@param limit? number  stop there, before weighing
---@param now? boolean   never waits: what one turn has no time for is estimated
---@return number texts, boolean exact, number frames, integer script, boolean ruled, table[]? pictures
function tokens.body(doc, outline, encoding, limit, now) end

---Take into account what a reported number was of the one that was estimated. Shared by all
---workers, kept over restarts.
---@param name string   a model
---@param kind integer  0 to 15
---@param ratio number
---@return number? mean, number? deviation, integer? count
function tokens.learn(name, kind, ratio) end

---@param name string
---@param kind integer
---@return number? mean, number? deviation, integer? count  nil: nothing is known
function tokens.learned(name, kind) end

---What moongate_token_drift_ratio says of a model.
---@param model string
---@param ratio number
function tokens.drift(model, ratio) end

---Is the vocabulary of an encoding here?
---@param encoding string
---@return boolean
function tokens.has(encoding) end

---@return string  why vocabularies are missing; "" where none is
function tokens.complaint() end

---Do a document's bytes hold one of these texts? One pass, nothing is decoded.
---@param doc Document
---@param ... string  none empty
---@return boolean
function tokens.mentions(doc, ...) end

-- engine.crypto ------------------------------------------------------------------------------

---@class crypto
local crypto = {}

---@param text string
---@return string hex
function crypto.sha256(text) end

---@param text string
---@return string bytes
function crypto.sha256_raw(text) end

---@param key string
---@param text string
---@return string hex
function crypto.hmac_sha256(key, text) end

---@param key string
---@param text string
---@return string bytes
function crypto.hmac_sha256_raw(key, text) end

---@param bytes string
---@return string
function crypto.base64(bytes) end

---@param text string
---@return string? bytes
function crypto.unbase64(text) end

---@param bytes string
---@return string
function crypto.base64url(bytes) end

---@param text string
---@return string? bytes
function crypto.unbase64url(text) end

---@param bytes string
---@return string
function crypto.hex(bytes) end

---@param bytes integer
---@return string
function crypto.random_hex(bytes) end

---In constant time.
---@param a string
---@param b string
---@return boolean
function crypto.equal(a, b) end

---@return string
function crypto.uuid7() end

-- engine.keyring ----------------------------------------------------------------------------

---The ledger's keys, in memory: every state asks, the ledger's alone changes them.
---@class keyring
local keyring = {}

---The key a token belongs to. Unknown ids and wrong secrets cost the same.
---@param token string
---@return string? id    the public id within the token
---@return string? json  the key's record
function keyring.find(token) end

---@param name string
---@return string? json  the team's record
function keyring.team(name) end

---Moves with every change: whoever remembers what find() said forgets it then.
---@return integer
function keyring.version() end

---How many secrets there are, of disabled and expired keys too.
---@return integer
function keyring.count() end

---Was there ever one? Then nobody is served without a key any more.
---@return boolean
function keyring.is_closed() end

---HMAC-SHA-256 under the pepper.
---@param token string
---@return string bytes
function keyring.hash(token) end

---A new token, its public id, and what hash() makes of it.
---@return string token, string id, string bytes
function keyring.mint() end

---Only the ledger's state may.
---@param id string
---@param hash string  32 bytes
---@param json string
function keyring.put(id, hash, json) end

---Only the ledger's state may.
---@param id string
---@return boolean there
function keyring.remove(id) end

---Only the ledger's state may.
---@param name string
---@param json string
function keyring.put_team(name, json) end

---Only the ledger's state may.
---@param name string
---@return boolean there
function keyring.remove_team(name) end

-- engine.guard -------------------------------------------------------------------------------

---@class guard
local guard = {}

---Run an operator's function: watched by instruction hook, clock (50 ms) and memory cap. It may
---not wait.
---@param fn function
---@param ... any
---@return boolean ok, any ...  its results, or the error
function guard.call(fn, ...) end

-- engine.vm ----------------------------------------------------------------------------------

---The files of this generation.
---@class vm
local vm = {}

---Compile text, never bytecode, for the interpreter only, with this environment.
---@param source string
---@param chunkname string
---@param env table
---@return function?, string? message
function vm.load(source, chunkname, env) end

---@param name string
---@return string? bytes
function vm.source(name) end

---@return string[]
function vm.files() end

---Is it a drop-in provider file?
---@param name string
---@return boolean
function vm.is_operator(name) end

---@param name string
---@return string?
function vm.getenv(name) end

---Only while files load.
---@param path string
---@return string?, string? message
function vm.read_file(path) end

---String functions with a step limit.
---@return table<string, function>
function vm.safe_string() end

---@class VmOptions
---@field routes string       what people call the routes file
---@field built_in boolean    it is the embedded one
---@field loopback boolean    clients come from this machine only
---@field cli boolean
---@field trial boolean       nothing will be served from this state
---@field generation integer
---@field prices_problem? string  why the table of prices in the data folder was refused

---@return VmOptions
function vm.options() end

-- engine.admin -------------------------------------------------------------------------------

---@class admin
local admin = {}

---All metrics as Prometheus text.
---@return string
function admin.metrics() end

---Read all files again; all or nothing. err.message has a line for each reason. **waits**
---@return true?, EngineError?
function admin.reload() end

---@return integer
function admin.generation() end

---@class AdminStatus
---@field generation integer
---@field last_reload_ok boolean
---@field last_reload_s number
---@field draining boolean
---@field admin_remote boolean  the admin listener is reached from other machines
---@field boot number           ms; what this process' rows say in the ledger
---@field error string?

---@return AdminStatus
function admin.status() end

---Is this the admin token? In constant time.
---@param text string
---@return boolean?  nil: none is configured
function admin.is_token(text) end

-- engine.ledger ------------------------------------------------------------------------------

---@class LedgerError: EngineError
---@field status integer?  what an HTTP answer would have
---@field code string?     "ledger_unavailable", or the handler's own
---@field param string?    the field that is wrong

---@class ledger
local ledger = {}

---Ask the ledger thread: "keys.create" calls create() of scripts/ledger/keys.lua there. Arguments
---and result go through JSON. All usage lines written so far are counted in the answer. **waits**
---```lua
---local key, err = ledger.ask("keys.show", { id = id })
---```
---@param verb string
---@param args? table
---@return any result, LedgerError?
function ledger.ask(verb, args) end

---@class LedgerOpened
local LedgerOpened = {}

---As ledger.ask, at once.
---@param verb string
---@param args? table
---@return any result, LedgerError?
function LedgerOpened:ask(verb, args) end

function LedgerOpened:close() end

---On the command line: take the data folder, unless a gateway has it, bring the journal into its
---ledger, and answer here. err.kind is "locked", "missing" or "ledger".
---@param data_dir string
---@return LedgerOpened?, EngineError?
function ledger.open(data_dir) end

-- engine.sql ---------------------------------------------------------------------------------
-- Only for scripts/ledger/. One connection, one writer; prepared text, values by parameters only
-- (nil and json.null are NULL, booleans 0 and 1). A column that is NULL is absent in its row; an
-- integer beyond 2^53 is text. Raises { kind = "sql", code = "FULL"|"BUSY"|"IOERR"|"CORRUPT"|
-- "READONLY"|"CANTOPEN"|"CONSTRAINT"|"NOMEM"|"MISUSE", message = }.

---@class sql
local sql = {}

---@param text string
---@param ... any
---@return table<string, any>[]
function sql.rows(text, ...) end

---The first row.
---@param text string
---@param ... any
---@return table<string, any>?
function sql.row(text, ...) end

---@param text string
---@param ... any
---@return integer changed  rows
function sql.run(text, ...) end

---Call fn in a transaction: all of it or, where it raises, nothing. Inside of another it is a
---part of that.
---@param fn function
---@param ... any
---@return any ...  what fn returns
function sql.atomic(fn, ...) end

---The same, and on disk when it returns; never inside of another.
---@param fn function
---@param ... any
---@return any ...
function sql.durable(fn, ...) end

-- engine.cli ---------------------------------------------------------------------------------

---Only in a command's state.
---@class cli
local cli = {}

---Ask a gateway's admin listener, over a blocking socket. `target` is "POST /path".
---@param request { address: string, target: string, token: string?, body: string? }
---@return integer? status, string|EngineError body
function cli.http(request) end

return {
  cli = cli,
  LedgerOpened = LedgerOpened, ledger = ledger, sql = sql,
  http = http, shared = shared, accounts = accounts, metric = metric, log = log,
  journal = journal,
  task = task, time = time, tokens = tokens, crypto = crypto, keyring = keyring,
  guard = guard, vm = vm, admin = admin,
  Upstream = Upstream, Request = Request, Held = Held, Plan = Plan,
  Reservation = Reservation,
}
