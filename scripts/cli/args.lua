-- The words after a verb: flags with and without a value, and the rest.

local nearest = require "lib.nearest"

local args = {}

local function known(flags)
  local out = { "--help" }
  for name in pairs(flags) do out[#out + 1] = "--" .. name end
  return out
end

-- "--key=value", "--key value", "--json": name, value, how many words it took.
local function flag(list, i, flags)
  local word = list[i]
  local name, value = word:match("^%-%-([%w-]+)=(.*)$")
  name = name or word:match("^%-%-([%w-]+)$")
  local kind = name and flags[name]
  if not kind then
    return nil, ("unknown flag %s%s"):format(word, nearest.hint(word, known(flags)))
  end
  if kind == true then
    if value then return nil, ("--%s takes no value"):format(name) end
    return name, true, 1
  end
  if value then return name, value, 1 end
  if list[i + 1] == nil then return nil, ("--%s needs a value: %s"):format(name, kind) end
  return name, list[i + 1], 2
end

--- Read `list`. `flags` maps a name to true (no value) or to what its value is, for messages:
--- { json = true, key = "NAME" }. At most `most` words may follow that are no flags. Returns
--- { flags and their values, [1] = first other word … }, with help = true where it is asked
--- for; or nil and a message.
function args.parse(list, flags, most)
  local out, i = {}, 1
  while i <= #list do
    local word = list[i]
    if word == "--help" or word == "-h" then return { help = true } end
    if word:sub(1, 1) == "-" and word ~= "-" then
      local name, value, took = flag(list, i, flags)
      if not name then return nil, value end
      out[name], i = value, i + took
    else
      if #out == most then return nil, ("one word too many: %s"):format(word) end
      out[#out + 1], i = word, i + 1
    end
  end
  return out
end

-- The words of a usage before what may follow them: "moongate keys create".
local function name_of(usage)
  local words = {}
  for word in usage:match("^[^\n]*"):gmatch "%S+" do
    if not word:find("^%l+$") then break end
    words[#words + 1] = word
  end
  return table.concat(words, " ")
end

--- Say what was wrong with a verb's words, and where its help is: the exit code.
function args.misused(host, usage, problem)
  host.complain(problem)
  host.complain(name_of(usage) .. " --help tells more")
  return 2
end

--- Read `list` for a verb, or say why not: parsed | nil, exit code. `verb` has flags, most,
--- usage (text).
function args.read(list, verb, host)
  local parsed, problem = args.parse(list, verb.flags, verb.most)
  if not parsed then
    return nil, args.misused(host, verb.usage, problem)
  end
  if parsed.help then
    host.print(verb.usage)
    return nil, 0
  end
  return parsed
end

return args
