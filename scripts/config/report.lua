-- What is wrong with a routes.lua, all of it: errors and warnings, each with its line.

local report = {}
report.__index = report

local MOST = 100 -- a loop over a thousand models with one mistake is still one screen

function report.new(file)
  return setmetatable({ file = file, errors = {}, warnings = {}, seen = {} }, report)
end

-- One entry is one line, whatever an operator's names hold.
local function add(self, list, line, message)
  message = message:gsub("%c", "?")
  local key = line .. ":" .. message
  if self.seen[key] or #list >= MOST then return end
  self.seen[key] = true
  list[#list + 1] = { file = self.file, line = line, message = message }
end

function report:error(line, message) add(self, self.errors, line, message) end

function report:warn(line, message) add(self, self.warnings, line, message) end

local function by_line(a, b)
  if a.line ~= b.line then return a.line < b.line end
  return a.message < b.message
end

--- Errors and warnings in the order of the file: lists of { file, line, message }.
function report:done()
  table.sort(self.errors, by_line)
  table.sort(self.warnings, by_line)
  return self.errors, self.warnings
end

return report
