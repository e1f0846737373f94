-- What the ledger thread answers: verbs of the modules beside this one. JSON comes in and goes
-- out. Only files of this folder use engine.sql, and nothing here waits for anyone.

local json = require "engine.json"
local log = require "engine.log"

-- Nouns whose every public function is a verb: "keys.create" is require("ledger.keys").create.
local NOUNS = {
  audit = true, batches = true, budgets = true, keys = true, litellm = true, prices = true,
  teams = true, usage = true,
}

local function unknown(verb)
  error({ status = 404, code = "unknown_verb", message = "the ledger knows no " .. verb }, 0)
end

local function handler(verb)
  local noun, action = verb:match "^(%l+)%.([%l_]+)$"
  if not NOUNS[noun] then unknown(verb) end
  local found = require("ledger." .. noun)[action]
  if type(found) ~= "function" then unknown(verb) end
  return found
end

local function run(verb, text)
  local result = handler(verb)(json.decode(text) or {})
  return json.encode(result == nil and json.null or result)
end

-- What was raised, as the asker sees it. What no handler raised on purpose is a bug: its text
-- and its trace are for the log.
local function told(verb, err)
  if type(err) == "table" and err.kind == "sql" then
    log.error("ledger", { verb = verb, code = err.code, message = err.message })
    return {
      kind = "ledger", status = 503, code = "ledger_unavailable",
      message = "The ledger cannot be used now (" .. tostring(err.code) .. ").",
    }
  end
  if type(err) == "table" and (err.status or err.code) then return err end
  log.error("ledger", { verb = verb, message = tostring(err and err.message or err) })
  return {
    kind = "ledger", status = 500, code = "internal_error",
    message = "The ledger failed; its log says why.",
  }
end

local function traced(err)
  if type(err) == "table" then return err end
  return { kind = "bug", message = debug.traceback(tostring(err), 2) }
end

--- fine, text = main(verb, text)
return function(verb, text)
  local ok, out = xpcall(run, traced, verb, text)
  if ok then return true, out end
  return false, json.encode(told(verb, out))
end
