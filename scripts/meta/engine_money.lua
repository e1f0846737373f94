---@meta
-- engine.accounts, .keyring, .ledger and .sql: who may spend how much, and what was spent.

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

---The first names, in the order of their bytes, that begin so and come behind `after`.
---@param prefix string
---@param after? string
---@param most integer  at most 10,000
---@return string[]
function accounts.names(prefix, after, most) end

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

return {
  accounts = accounts, keyring = keyring, ledger = ledger, sql = sql,
  Plan = Plan, Reservation = Reservation, LedgerOpened = LedgerOpened,
}
