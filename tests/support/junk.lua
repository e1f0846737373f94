-- Junk in place of every member of a value, one at a time.

local json = require "engine.json"

local junk = {}

local JUNK = {
  "null", "true", "5", "-1e300", '""', '"x"', "{}", "[]", "[null]", '[{"a":1}]',
  '{"type":"text"}',
}

local function each(value, whole, use, list)
  for name, member in pairs(value) do
    for _, one in ipairs(list) do
      value[name] = json.raw(one)
      use(json.encode(whole))
    end
    value[name] = member
    if type(member) == "table" then each(member, whole, use, list) end
  end
end

--- Calls `use` with the text of the value as often as it has members, with each junk in place
--- of one of them. list: other junk than the usual.
function junk.each(value, use, list) each(value, value, use, list or JUNK) end

return junk
