-- Writes docs/routes.md, the operator's manual, from scripts/meta/routes.lua:
-- luajit tests/tools/manual.lua > docs/routes.md

local manual = {}

-- Blocks of `---` lines, each with the line of code after it.
local function blocks(text)
  local out, lines = {}, {}
  for line in (text .. "\n"):gmatch("(.-)\n") do
    local doc = line:match("^%-%-%-(.*)$")
    if doc then
      lines[#lines + 1] = doc
    else
      local section = line:match("^%-%- (.-) %-%-%-+$")
      if section then out[#out + 1] = { section = section } end
      if #lines > 0 then out[#out + 1] = { lines = lines, code = line } end
      lines = {}
    end
  end
  return out
end

-- `---@class X` and its fields: { name, fields = { { name, kind, text, optional } } }.
local function class_of(block)
  local class
  for _, line in ipairs(block.lines) do
    class = class or (line:match("^@class (%w+)") and { name = line:match("^@class (%w+)"),
      fields = {} })
    local name, rest = line:match("^@field (%S+) (.*)$")
    if class and name then
      local kind, text = rest:match("^(.-)%s%s+(.*)$")
      class.fields[#class.fields + 1] = {
        name = name:gsub("%?$", ""), optional = name:sub(-1) == "?", kind = kind or rest,
        text = text or "",
      }
    end
  end
  return class
end

local function word_of(block)
  return block.code:match("^function ([%a_]+)%(") or block.code:match("^([%a_]+) = {}$")
end

-- The prose of a block: what is no annotation.
local function prose(block)
  local out = {}
  for _, line in ipairs(block.lines) do
    if line:sub(1, 1) ~= "@" and line:sub(1, 1) ~= "|" then out[#out + 1] = line end
  end
  return out
end

--- What the meta file says: words (in order), classes by name, kinds of fault, and examples by
--- word.
function manual.read(text)
  local out = { words = {}, classes = {}, order = {}, docs = {}, examples = {}, kinds = {} }
  for _, block in ipairs(blocks(text)) do
    if block.section then
      out.order[#out.order + 1] = { section = block.section }
    else
      local class, word = class_of(block), word_of(block)
      if class then out.classes[class.name] = class end
      for _, line in ipairs(block.lines) do
        local kind, about = line:match('^| "([%w_]+)"%s+# (.*)$')
        if kind then out.kinds[#out.kinds + 1] = { name = kind, text = about } end
      end
      if word then
        out.words[#out.words + 1] = word
        out.docs[word] = prose(block)
        out.order[#out.order + 1] = { word = word }
        out.examples[word] = {}
        for code in table.concat(block.lines, "\n"):gmatch("```lua\n(.-)\n```") do
          table.insert(out.examples[word], code)
        end
      end
    end
  end
  return out
end

local function fields_table(class)
  local out = { "| field | holds | |", "|---|---|---|" }
  for _, field in ipairs(class.fields) do
    local name = field.name:gsub("^%[1%]$", "1st"):gsub("^%[integer%]$", "1st, 2nd, …")
    out[#out + 1] = ("| `%s`%s | `%s` | %s |"):format(name,
      field.optional and "" or " (needed)", (field.kind:gsub("|", "\\|")), field.text)
  end
  return table.concat(out, "\n")
end

local CLASSES = {
  provider = { "Provider" },
  model = { "Deployment", "ModelGroup", "Timeout", "Cooldown", "Price", "PriceAbove",
    "PriceService", "PriceSearch" },
  virtual_key = { "VirtualKey" }, limits = { "Limits", "Limit", "UserLimit" },
  route = { "Call" }, on_error = { "Fault" },
  on_usage = { "Usage" },
}

local TITLES = {
  Provider = "Fields of a provider, beside those of its adapter:",
  Deployment = "A deployment (what a provider's maker takes):",
  ModelGroup = "A model group:", Timeout = "`timeout`:", Cooldown = "`cooldown`:",
  Price = "`price`, in dollars per million tokens:",
  PriceAbove = "`above`, within `price`; one, or a list of them:",
  PriceService = "`batch`, `flex` and `priority`, where they have prices of their own:",
  PriceSearch = "`web_search`, where its price goes by size:",
  VirtualKey = "Fields of a virtual key, with a `token` or a `hash`:", Call = "`call` has:",
  Limits = "`limits` has:", Limit = "A limit:", UserLimit = "`user`:",
  Fault = "`err` has:", Usage = "`usage` has:",
}

local HEAD = [[
<!-- Made from scripts/meta/routes.lua by tests/tools/manual.lua; edit that file. -->

# routes.lua

`routes.lua` is Lua with twenty words. It decides which model answers, what follows a
failure and who may ask. Save it and send `SIGHUP` (or run `moongate reload`): requests that
are running finish on the file they began with, the next one sees the new one, and a file with
a mistake changes nothing. `moongate check` prints its mistakes, each with its line; `moongate
explain MODEL` says where a request would go.

The code runs in a sandbox: `string`, `table`, `math` and Lua's plain functions are there;
files, modules and the system are not, and a global that nobody declared is an error.
Addresses, ports and the number of workers are flags of `moongate serve`, because they cannot
change while it runs.]]

manual.fields = fields_table

--- The manual as Markdown.
function manual.write(text)
  local meta = manual.read(text)
  local out = { HEAD }
  for _, item in ipairs(meta.order) do
    if item.section and item.section:find("^Words") then
      out[#out + 1] = "## " .. item.section
    elseif item.word then
      out[#out + 1] = "### " .. item.word
      out[#out + 1] = table.concat(meta.docs[item.word], "\n")
      for _, name in ipairs(CLASSES[item.word] or {}) do
        out[#out + 1] = TITLES[name]
        out[#out + 1] = fields_table(meta.classes[name])
      end
    end
  end
  out[#out + 1] = "## Kinds of fault"
  local kinds = { "| kind | when |", "|---|---|" }
  for _, kind in ipairs(meta.kinds) do
    kinds[#kinds + 1] = ("| `%s` | %s |"):format(kind.name, kind.text)
  end
  out[#out + 1] = table.concat(kinds, "\n")
  return table.concat(out, "\n\n") .. "\n"
end

if arg and arg[0] and arg[0]:find("manual%.lua$") then
  local file = assert(io.open("scripts/meta/routes.lua", "rb"))
  io.write(manual.write(file:read "*a"))
  file:close()
end

return manual
