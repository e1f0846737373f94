-- The ten rules of who may know whom (ARCHITECTURE.md), as greps.

local lfs = require "lfs"

local read = require("support.file").text

-- Files below a folder whose names end in one of the given ways.
local function files(folder, pattern)
  local found = {}
  if lfs.attributes(folder, "mode") ~= "directory" then return found end
  for name in lfs.dir(folder) do
    local path = folder .. "/" .. name
    if lfs.attributes(path, "mode") == "directory" then
      if name ~= "." and name ~= ".." and path ~= "scripts/meta" then
        for _, inner in ipairs(files(path, pattern)) do found[#found + 1] = inner end
      end
    elseif name:find(pattern) then
      found[#found + 1] = path
    end
  end
  table.sort(found)
  return found
end

local function c_code(text) -- without comments
  return (text:gsub("/%*.-%*/", " "):gsub("//[^\n]*", ""))
end

local function lua_code(text)
  return (text:gsub("%-%-%[%[.-%]%]", ""):gsub("%-%-[^\n]*", ""))
end

local function engine_files()
  local list = {}
  for _, path in ipairs(files("engine", "%.[ch]$")) do
    if not path:find "^engine/tools/" then list[#list + 1] = path end
  end
  return list
end

-- Paths of `list` whose code matches any of the patterns, save those named in `allowed`.
local function offenders(list, code, patterns, allowed)
  local bad = {}
  for _, path in ipairs(list) do
    local text = code(read(path))
    for _, pattern in ipairs(patterns) do
      if text:find(pattern) and not (allowed and allowed[path]) then
        bad[#bad + 1] = path .. " has " .. pattern
      end
    end
  end
  return bad
end

local function set(...)
  local out = {}
  for _, path in ipairs { ... } do out[path] = true end
  return out
end

-- Engine files that include a header though their names begin with none of the nouns given.
local function includers(header, ...)
  local allowed = {}
  for _, path in ipairs(engine_files()) do
    for _, noun in ipairs { ... } do
      local name = path:match "^engine/([%w_]+)%."
      if name == noun or name:sub(1, #noun + 1) == noun .. "_" then allowed[path] = true end
    end
  end
  return offenders(engine_files(), c_code, { '#include%s*[<"]' .. header }, allowed)
end

-- The modules a script requires, as a list.
local function required(path)
  local names, code = {}, lua_code(read(path))
  for _, word in ipairs { "require", "later" } do -- later: lib/later.lua
    for name in code:gmatch("%f[%w_]" .. word .. '%s*%(?%s*"([%w_%.]+)"') do
      names[#names + 1] = name
    end
  end
  return names
end

-- Requires of the scripts in a folder that `allowed` does not let pass.
local function strangers(folder, allowed)
  local bad = {}
  for _, path in ipairs(files(folder, "%.lua$")) do
    for _, name in ipairs(required(path)) do
      if not allowed(name, path) then bad[#bad + 1] = path .. " requires " .. name end
    end
  end
  return bad
end

local function names_in(text, into)
  for name in text:gmatch "[%a_][%w_]*" do into[name] = true end
end

-- The names that a line declares: of the file, and inside functions.
local function declared_by(line, outer, inner)
  local names = line:match "^local ([%w_, ]+)"
  if names and not names:find "^function" then names_in(names, outer) end
  for _, pattern in ipairs {
    "%s+local ([%w_, ]+)", "function[%w_%.: ]*%(([^)]*)%)", "%f[%w_]for ([%w_, ]+)",
  } do
    for found in line:gmatch(pattern) do names_in(found, inner) end
  end
end

-- The name that an indented line assigns to, or into. A field of a table constructor is none.
local function written_by(line)
  local name, rest = line:match "^%s+([%a_][%w_]*)(.*)$"
  if not name then return nil end
  if rest:find "^%s*=[^=]" then
    local field = rest:find ",%s*$" or rest:find "[{(]%s*$"
    return not field and name or nil
  end
  return rest:find "^[%.%[][%w_%.%[%]\"' ]*%s=[^=]" and name or nil
end

-- Lines inside functions that assign to a local of the file (or into it), where no inner local
-- or parameter has that name.
local function file_state(text)
  local outer, inner, bad = {}, {}, {}
  for line in text:gmatch "[^\n]+" do declared_by(line, outer, inner) end
  for line in text:gmatch "[^\n]+" do
    local name = written_by(line)
    if name and outer[name] and not inner[name] then bad[#bad + 1] = line end
  end
  return bad
end

describe("layers", function()
  it("runs on LuaJIT, where a pcall can wait", function()
    assert.is_truthy(rawget(_G, "jit"))
  end)

  it("1: only lua_*.c and lua_*.h include Lua's headers", function()
    local bad = {}
    for _, line in ipairs(offenders(engine_files(), c_code,
      { "#include%s*<l[ua]+%w*%.h>" })) do
      if not line:find "^engine/lua_" then bad[#bad + 1] = line end
    end
    assert.same({}, bad)
  end)

  it("2: each library has one noun that knows it", function()
    assert.same({}, includers("microhttpd%.h", "server", "head"))
    assert.same({}, includers("curl/", "client"))
    assert.same({}, includers("sqlite3%.h", "sql"))
    assert.same({}, includers("hiredis", "redis"))
    assert.same({}, includers("libpq", "outbox"))
    assert.same({}, includers("accounts_parts%.h", "accounts"))
    assert.same({}, includers("pthread%.h", "moongate", "resolve", "ledger", "shared", "lock",
      "cluster", "outbox")) -- each is a thread of its own
  end)

  it("3: lua_resume and lua_yield appear once each, in lua_task.c", function()
    for _, name in ipairs { "lua_resume", "lua_yield" } do
      local seen = {}
      for _, path in ipairs(engine_files()) do
        for _ in c_code(read(path)):gmatch(name .. "%s*%(") do seen[#seen + 1] = path end
      end
      assert.same({ "engine/lua_task.c" }, seen)
    end
  end)

  it("4: no engine file knows a provider, a model or a route", function()
    local names = {}
    for _, path in ipairs(files("providers", "%.lua$")) do
      local name = path:match "([%w_]+)%.lua$"
      names[#names + 1] = '"[^"\n]*' .. name .. '[^"\n]*"'
    end
    for _, name in ipairs {
      "gpt%-", "claude", "chat/completions", "/v1/", "generateContent",
    } do
      names[#names + 1] = name
    end
    assert.same({}, offenders(engine_files(), c_code, names))
  end)

  it("5: providers require lib.*, the pure engine and whole other providers", function()
    assert.same({}, strangers("providers", function(name, path)
      return name:find "^lib%." or name == "engine.json" or name == "engine.crypto"
        or name:find "^providers%.[%w_]+$"
        or (path == "providers/mock.lua" and name == "engine.time")
    end))
  end)

  it("6: policy decides and never waits", function()
    assert.same({}, offenders(files("scripts/policy", "%.lua$"), lua_code,
      { "engine%.http", "%f[%w_]sleep%f[^%w_]" }))
  end)

  it("7: dialects and providers meet in reply only", function()
    assert.same({}, strangers("scripts/dialects", function(name)
      return not name:find "^providers" and not name:find "^pipeline"
    end))
    assert.same({}, strangers("providers", function(name) return not name:find "^dialects" end))
  end)

  it("8: pcall is the pipeline's, the attempt's and the boot's", function()
    local list = files("scripts", "%.lua$")
    for _, path in ipairs(files("providers", "%.lua$")) do list[#list + 1] = path end
    local bad = {}
    for _, line in ipairs(offenders(list, lua_code, { "%f[%w_.]x?pcall%s*%(" },
      set("scripts/pipeline.lua", "scripts/pipeline/attempt.lua", "scripts/boot.lua",
        "scripts/ledger/main.lua", -- whatever a verb raises is an answer
        "scripts/config.lua"))) do -- runs the operator's file, whose errors it collects
      if not line:find "^scripts/cli/" then bad[#bad + 1] = line end
    end
    assert.same({}, bad)
  end)

  it("9: no function in scripts/ writes to a local of its file", function()
    local bad = {}
    for _, path in ipairs(files("scripts", "%.lua$")) do
      for _, line in ipairs(file_state(lua_code(read(path)))) do
        bad[#bad + 1] = path .. ": " .. line
      end
    end
    assert.same({}, bad)
  end)

  it("9 is a rule that this grep can see broken", function()
    assert.same({ "  count = count + 1" },
      file_state "local count = 0\nlocal function f()\n  count = count + 1\nend\n")
    assert.same({ "  cache[key] = 1" },
      file_state "local cache = {}\nlocal function f(key)\n  cache[key] = 1\nend\n")
    assert.same({}, file_state "local a = 1\nlocal function f(a)\n  a = 2\nend\n")
  end)

  it("10: routes.lua sees words, not modules", function()
    local list = {}
    for _, path in ipairs(files("tests/examples", "%.lua$")) do
      if not path:find "/providers/" then list[#list + 1] = path end
    end
    if lfs.attributes "routes.lua" then list[#list + 1] = "routes.lua" end
    assert.is_true(#list > 0)
    assert.same({}, offenders(list, lua_code,
      { "%f[%w_]require%f[^%w_]", "%f[%w_]io%.", "%f[%w_]os%.", "%f[%w_]debug%." }))
  end)

  it("lets only the ledger's own scripts use engine.sql", function()
    local bad = {}
    for _, path in ipairs(files("scripts", "%.lua$")) do
      for _, name in ipairs(required(path)) do
        local allowed = path:find "^scripts/ledger/"
        if name == "engine.sql" and not allowed then bad[#bad + 1] = path end
      end
    end
    assert.same({}, bad)
    assert.same({}, strangers("providers", function(name) return name ~= "engine.sql" end))
  end)

  it("keeps lua-cjson off the request path", function()
    local bad = {}
    for _, folder in ipairs { "scripts", "providers" } do
      for _, path in ipairs(files(folder, "%.lua$")) do
        for _, name in ipairs(required(path)) do
          local allowed = path:find "^scripts/cli/"
          if name:find "cjson" and not allowed then bad[#bad + 1] = path end
        end
      end
    end
    assert.same({}, bad)
  end)

  it("keeps every file below 500 lines", function()
    local bad = {}
    local function look(list)
      for _, path in ipairs(list) do
        local _, lines = read(path):gsub("\n", "")
        if lines > 500 then bad[#bad + 1] = ("%s: %d lines"):format(path, lines) end
      end
    end
    look(engine_files())
    look(files("scripts", "%.lua$"))
    look(files("scripts/meta", "%.lua$"))
    look(files("providers", "%.lua$"))
    look(files("tests", "%.[ch]$"))
    look(files("tests", "%.lua$"))
    assert.same({}, bad)
  end)
end)
