-- Prints the admin API's OpenAPI description, for docs/admin-openapi.json:
-- luajit tests/tools/openapi.lua > docs/admin-openapi.json

local openapi = {}

-- Compact JSON → the same, a member a line.
local function pretty(text)
  local indent = 0
  local function line() return "\n" .. ("  "):rep(indent) end
  local marks = {
    [","] = function() return "," .. line() end, [":"] = function() return ": " end,
  }
  for open, close in pairs { ["{"] = "}", ["["] = "]" } do
    marks[open] = function()
      indent = indent + 1
      return open .. line()
    end
    marks[close] = function()
      indent = indent - 1
      return line() .. close
    end
  end
  local texts = {}
  text = text:gsub('"[^"]*"', function(quoted) -- no text here holds a quote
    texts[#texts + 1] = quoted
    return "\1" .. #texts .. "\2"
  end)
  assert(not text:find('"', 1, true), "a text with a quote in it")
  text = text:gsub("{}", "\3"):gsub("%[%]", "\4"):gsub("[,:{}%[%]]", function(c)
    return marks[c]()
  end)
  text = text:gsub("\3", "{}"):gsub("\4", "[]")
  return (text:gsub("\1(%d+)\2", function(n) return texts[tonumber(n)] end)) .. "\n"
end

--- The description as text.
function openapi.text()
  local admin_world = require "unit.admin_world"
  local text = admin_world.new().ask("GET", "/admin/openapi.json").answer
  return pretty(text)
end

if arg and arg[0] and arg[0]:find("openapi%.lua$") then
  package.path = "./scripts/?.lua;./?.lua;./tests/?.lua;" .. package.path
  package.cpath = "./build/tests/?.so;" .. package.cpath
  require "engine"
  io.write(openapi.text())
end

return openapi
