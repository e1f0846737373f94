-- A ledger of a test's own: SQLite in a folder that goes away, the real verbs over it.

require "engine"
local keyring = require "engine.keyring"
local scratch = require "engine.scratch"
local sql = require "engine.sql"

local ledger = { keyring = keyring, sql = sql }

--- Open an empty one. Returns a function that closes and removes it.
function ledger.open()
  local dir = os.tmpname()
  os.remove(dir)
  assert(os.execute("mkdir -m 700 " .. dir) == 0)
  scratch.open(dir)
  return function()
    for _, row in ipairs(sql.rows "SELECT public_id FROM key_secrets") do
      keyring.remove(row.public_id)
    end
    scratch.close()
    os.execute("rm -rf " .. dir)
  end
end

--- What a verb answers, or what it raised: result | nil, err.
function ledger.ask(verb, args)
  local noun, action = verb:match "^(%l+)%.(%l+)$"
  local ok, result = pcall(require("ledger." .. noun)[action], args)
  if ok then return result end
  if type(result) ~= "table" or not result.status then error(result, 0) end
  return nil, result
end

--- What a verb answers; an error where it refuses.
function ledger.must(verb, args)
  local result, err = ledger.ask(verb, args)
  if not result then error(verb .. ": " .. err.code .. ": " .. err.message, 2) end
  return result
end

--- Every row of the tables that hold keys, as one text: has anything changed?
function ledger.snapshot()
  local out = {}
  for _, text in ipairs {
    "SELECT * FROM keys ORDER BY id", "SELECT * FROM key_secrets ORDER BY public_id",
    "SELECT * FROM teams ORDER BY name", "SELECT * FROM admin_log ORDER BY seq",
  } do
    for _, row in ipairs(sql.rows(text)) do
      local fields = {}
      for name, value in pairs(row) do fields[#fields + 1] = name .. "=" .. tostring(value) end
      table.sort(fields)
      out[#out + 1] = table.concat(fields, "\n")
    end
  end
  return table.concat(out, "\n--\n")
end

return ledger
