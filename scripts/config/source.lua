-- The text of routes.lua: which line is running, and on which line a field stands.

local source = {}
source.__index = source

local SHAPES = { -- tried in this order
  { "space", "^%s+" },
  { "name", "^[%a_][%w_]*" },
  { "number", "^%d[%w%.]*" },
  { "punct", "^[=~<>]=" },
}

--- `file` is what messages say; Lua's own say its last part, which is all that a chunk's name
--- has room for.
function source.new(file, text)
  return setmetatable({ name = file:match("[^/]*$"):sub(-50), text = text }, source)
end

--- The line of the operator's code that is running now: the nearest frame of this file.
function source:line()
  for level = 3, 60 do
    local info = debug.getinfo(level, "Sl")
    if not info then break end
    if info.source:gsub("^[@=]+", "") == self.name and info.currentline > 0 then
      self.last = info.currentline
      break
    end
  end
  return self.last or 1
end

-- What a long bracket, a comment, a string holds, and the position after it; or nil.
local function long_bracket(text, at)
  local equals = text:match("^%[(=*)%[", at)
  if not equals then return nil end
  local _, stop = text:find("]" .. equals .. "]", at, true)
  stop = stop or #text
  return text:sub(at + #equals + 2, stop - #equals - 2), stop + 1
end

local function comment(text, at)
  if text:sub(at, at + 1) ~= "--" then return nil end
  local body, after = long_bracket(text, at + 2)
  if body then return body, after end
  return "", (text:find("\n", at, true) or #text + 1)
end

local function quoted(text, at)
  local quote = text:match("^[\"']", at)
  if not quote then return nil end
  local i = at + 1
  while i <= #text do
    local c = text:sub(i, i)
    if c == quote or c == "\n" then break end
    i = i + (c == "\\" and 2 or 1)
  end
  return text:sub(at + 1, i - 1), i + 1
end

-- One token from `at`: kind, its text (strings without quotes), the position after it.
local function token(text, at)
  for _, shape in ipairs(SHAPES) do
    local _, stop = text:find(shape[2], at)
    if stop then return shape[1], text:sub(at, stop), stop + 1 end
  end
  local body, after = comment(text, at)
  if body then return "space", body, after end
  body, after = quoted(text, at)
  if not body then body, after = long_bracket(text, at) end
  if body then return "string", body, after end
  return "punct", text:sub(at, at), at + 1
end

-- Where in the list a line's first token is; lines without one are left out.
local function index(list)
  local out = {}
  for i = #list, 1, -1 do out[list[i].line] = i end
  return out
end

--- Every token with its line, made once: { kind, text, line }.
function source:tokens()
  if self.list then return self.list end
  local list, at, line = {}, 1, 1
  while at <= #self.text do
    local kind, text, after = token(self.text, at)
    if kind ~= "space" then list[#list + 1] = { kind = kind, text = text, line = line } end
    local _, newlines = self.text:sub(at, after - 1):gsub("\n", "")
    at, line = after, line + newlines
  end
  self.list, self.first_on = list, index(list)
  return list
end

-- `name =`, or `["name"] =`.
local function is_field(list, i, name)
  local this, after = list[i], list[i + 1]
  if this.text ~= name or not after then return false end
  if this.kind == "name" then return after.text == "=" end
  local equals = list[i + 2]
  return this.kind == "string" and after.text == "]" and equals ~= nil and equals.text == "="
end

local DEPTH = { ["{"] = 1, ["("] = 1, ["["] = 1, ["}"] = -1, [")"] = -1, ["]"] = -1 }

-- The tokens of the call that begins on `line`: first and last index.
local function extent(self, line)
  local list, depth, opened = self:tokens(), 0, false
  local first = self.first_on[line] or 1
  for i = first, #list do
    local t = list[i]
    if opened and depth <= 0 and t.line > line then return first, i - 1 end
    local step = t.kind == "punct" and DEPTH[t.text] or 0
    depth, opened = depth + step, opened or step > 0
  end
  return first, #list
end

-- Where the fields of `path` follow one another: the last one's index, or nil.
local function search(list, first, last, path)
  local at = first - 1
  for _, name in ipairs(path) do
    repeat at = at + 1 until at > last or is_field(list, at, name)
    if at > last then return nil end
  end
  return at
end

--- The line of the field at `path` (a list of names) of the call on `line`; where it is not
--- written there, its only place in the file; else `line`.
function source:field(line, path)
  local list = self:tokens()
  local first, last = extent(self, line)
  local found = search(list, first, last, path)
  if found then return list[found].line end
  local name = { path[#path] }
  found = search(list, 1, #list, name)
  if not found or search(list, found + 1, #list, name) then return line end
  return list[found].line
end

--- The line on which the call of `line` writes the string `text`, else `line`.
function source:string(line, text)
  local list = self:tokens()
  local first, last = extent(self, line)
  for i = first, last do
    if list[i].kind == "string" and list[i].text == text then return list[i].line end
  end
  return line
end

--- Every literal call `word "text"` of the file: a list of { text, line }.
function source:calls(word)
  local list, out = self:tokens(), {}
  for i = 1, #list - 1 do
    local this, after = list[i], list[i + 1]
    if this.kind == "name" and this.text == word and after.kind == "string" then
      out[#out + 1] = { text = after.text, line = after.line }
    end
  end
  return out
end

return source
