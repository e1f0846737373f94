-- LiteLLM's fields ↔ ours: max_budget and budget_duration ↔ "$500/month", metadata and tags ↔
-- tags, tpm_limit ↔ tpm.

local crypto = require "engine.crypto"
local json = require "engine.json"
local limits = require "pipeline.admin.limits"
local money = require "lib.money"
local time = require "engine.time"

local fields = {}

-- Theirs → ours, where the value is the same.
local SAME = {
  key_alias = "name", team_id = "team", models = "models", tpm_limit = "tpm",
  rpm_limit = "rpm", max_parallel_requests = "parallel", blocked = "disabled",
}

--- The ledger's words → theirs, for what it complains of.
fields.WORDS = { budgets = "max_budget", expires_at = "duration" }
for theirs, word in pairs(SAME) do fields.WORDS[word] = theirs end

-- LiteLLM begins days at midnight, weeks on Monday and months on the first too.
local WINDOWS = {
  ["1m"] = "minute", ["60s"] = "minute", ["1h"] = "hour", ["60m"] = "hour",
  ["1d"] = "day", ["24h"] = "day", ["7d"] = "week", ["1w"] = "week",
  ["30d"] = "month", ["1mo"] = "month", ["365d"] = "year",
}
local DURATIONS = {
  minute = "1m", hour = "1h", day = "1d", week = "7d", month = "30d", year = "365d",
}
local SECONDS = { s = 1, m = 60, h = 3600, d = 86400, w = 7 * 86400, mo = 30 * 86400 }

--- LiteLLM's scripts name a key by its token, as they do there, or by what we call its id.
function fields.id_of(want, text)
  if text:sub(1, 3) ~= "mg-" then return text end
  return want.key_id and want.key_id(text) or "unknown"
end

local function wrong(param, message)
  return { status = 400, code = "invalid_value", param = param, message = message }
end

-- Money ------------------------------------------------------------------------------------

-- A JSON number's digits, "1.5e-3", as plain decimals, "0.0015": exact, never through a double.
local function decimal(text)
  local whole, part, exponent = text:match("^(%d+)%.?(%d*)[eE]([+-]?%d+)$")
  if not whole then return text end
  local shift = tonumber(exponent)
  if math.abs(shift) > 30 then return nil end
  local digits, point = whole .. part, #whole + shift
  if point <= 0 then
    digits, point = ("0"):rep(1 - point) .. digits, 1
  elseif point > #digits then
    digits = digits .. ("0"):rep(point - #digits)
  end
  local rest = digits:sub(point + 1)
  return digits:sub(1, point):gsub("^0+(%d)", "%1") .. (rest ~= "" and "." .. rest or "")
end

local function given(value) return value ~= nil and value ~= json.null end

local function nano_of(want)
  local text = decimal(want.doc:number_text("max_budget"))
  local nano = text and money.nano(text)
  if nano then return nano end
  return nil, wrong("max_budget", "max_budget must be dollars, to the nano-dollar at finest")
end

local function window_of(duration)
  if duration == json.null then return "ever" end
  if WINDOWS[duration] then return WINDOWS[duration] end
  return nil, wrong("budget_duration",
    "budget_duration must be one of 1m, 1h, 1d, 24h, 7d, 1w, 30d, 1mo, 365d")
end

-- LiteLLM knows one budget, a key here may have several: those it does not see stay.
local function beside(record, first)
  local out = json.array { first }
  for i, other in ipairs(record.budgets or {}) do
    if i > 1 and other.window ~= first.window then out[#out + 1] = other end
  end
  return out
end

-- The budget after this change: both halves may be said, or one, or none. list | nil where
-- there is to be none at all; and a problem.
local function budget(want, record)
  local body, old = want.body, (record.budgets or {})[1]
  local nano, window = old and old.nano, old and old.window or "ever"
  local problem
  if body.max_budget == json.null then return nil end
  if body.max_budget ~= nil then nano, problem = nano_of(want) end
  if problem then return nil, problem end
  if body.budget_duration ~= nil then window, problem = window_of(body.budget_duration) end
  if problem then return nil, problem end
  return nano and beside(record, { window = window, nano = nano })
end

-- The rest ---------------------------------------------------------------------------------

local function expiry(duration)
  local n, unit = duration:match("^(%d+)(%a+)$")
  local seconds = SECONDS[unit] and tonumber(n) * SECONDS[unit]
  if not seconds or #n > 9 or seconds > 100 * 366 * 86400 then
    return nil, wrong("duration", "duration must be like 30s, 30m, 30h, 30d, 1w or 1mo")
  end
  return math.floor(time.now() + seconds)
end

-- Tags are names with values here; a LiteLLM tag is a name alone, which is a value of "true".
local function split_tags(record)
  local metadata, list = {}, json.array {}
  for name, value in pairs(record.tags or {}) do
    if value == "true" then list[#list + 1] = name else metadata[name] = value end
  end
  table.sort(list)
  return json.object({}, metadata), list
end

local function tags(body, record)
  if body.metadata == nil and body.tags == nil then return nil end
  local metadata, list = split_tags(record)
  if body.metadata ~= nil then metadata = given(body.metadata) and body.metadata or {} end
  if body.tags ~= nil then list = given(body.tags) and body.tags or {} end
  local out = {}
  for name, value in pairs(metadata) do out[name] = value end
  for _, name in ipairs(list) do out[name] = "true" end
  return json.object({}, out)
end

local function put(set, clear, name, value)
  if value == nil or value == json.null then
    clear[#clear + 1] = name
  else
    set[name] = value
  end
end

local function is_all(models)
  if #models == 0 then return true end
  for _, name in ipairs(models) do
    if name == "*" or name == "all-proxy-models" then return true end
  end
  return false
end

local function read_same(body, set, clear)
  for theirs, ours in pairs(SAME) do
    local value = body[theirs]
    if theirs == "models" and given(value) and is_all(value) then value = json.null end
    if value ~= nil then put(set, clear, ours, value) end
  end
end

local function read_budget(want, record, set, clear)
  local body = want.body
  if body.max_budget == nil and body.budget_duration == nil then return nil end
  local list, problem = budget(want, record)
  if problem then return problem end
  put(set, clear, "budgets", list)
end

-- Scripts make many in a second without naming any, and names are unique.
local function unnamed()
  return ("key %s %s"):format(limits.instant(time.now()), crypto.random_hex(4))
end

--- A checked body → what is set of ours, and the names of what is to be none; `record` is what
--- there is so far. nil, nil, problem
function fields.read(want, record)
  local body, set, clear = want.body, {}, json.array {}
  read_same(body, set, clear)
  local problem = read_budget(want, record, set, clear)
  if problem then return nil, nil, problem end
  if given(body.duration) then
    set.expires_at, problem = expiry(body.duration)
    if problem then return nil, nil, problem end
  elseif body.duration == json.null then
    clear[#clear + 1] = "expires_at"
  end
  set.tags = tags(body, record)
  if not record.id then set.name = set.name or unnamed() end
  return set, clear
end

-- Back -------------------------------------------------------------------------------------

local KEY = {
  "key", "token", "key_alias", "spend", "max_budget", "budget_duration", "models",
  "tpm_limit", "rpm_limit", "max_parallel_requests", "team_id", "metadata", "tags", "expires",
  "blocked", "created_at", "updated_at",
}
local TEAM = {
  "team_id", "team_alias", "spend", "max_budget", "budget_duration", "models", "tpm_limit",
  "rpm_limit", "max_parallel_requests", "metadata", "blocked", "created_at", "updated_at",
}

--- Nano-dollars as a JSON number, every digit of it.
function fields.usd(nano)
  return json.raw(money.dollars(nano))
end

local function shared_fields(record, nano)
  local first = (record.budgets or {})[1]
  local metadata, list = split_tags(record)
  return {
    spend = fields.usd(nano), max_budget = first and fields.usd(first.nano) or json.null,
    budget_duration = limits.or_null(first and DURATIONS[first.window]),
    models = json.array { unpack(record.models or {}) },
    tpm_limit = limits.or_null(record.tpm), rpm_limit = limits.or_null(record.rpm),
    max_parallel_requests = limits.or_null(record.parallel), metadata = metadata, tags = list,
    blocked = record.disabled == true, created_at = limits.instant(record.created_at),
    updated_at = limits.instant(record.updated_at),
  }
end

--- A key's record as LiteLLM shows one. Where it hashes the token, our public id stands.
function fields.show_key(record, nano, more)
  local out = shared_fields(record, nano)
  out.token, out.key_alias = record.id, record.name
  out.team_id = limits.or_null(record.team)
  out.expires = limits.instant(record.expires_at)
  for name, value in pairs(more or {}) do out[name] = value end
  return json.object(KEY, out)
end

--- A team's record as LiteLLM shows one.
function fields.show_team(record, nano)
  local out = shared_fields(record, nano)
  out.team_id, out.team_alias, out.tags = record.name, record.name, nil
  return json.object(TEAM, out)
end


return fields
