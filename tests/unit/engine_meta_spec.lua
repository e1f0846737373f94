-- scripts/meta/engine*.lua have a type for every function the engine offers, and none it lacks.

local lfs = require "lfs"

local read = require("support.file").text

local function typed()
  local out = {}
  for file in lfs.dir "scripts/meta" do
    local path = "scripts/meta/" .. file
    for _, module in pairs(file:find "^engine[%w_]*%.lua$" and dofile(path) or {}) do
      for name, value in pairs(module) do
        if type(value) == "function" then out[name] = path end
      end
    end
  end
  return out
end

-- What the door's C files register, in lists or one by one.
local function registered()
  local out = {}
  for file in lfs.dir "engine" do
    if file:match "^lua_.*%.c$" then
      local text = read("engine/" .. file)
      for name in text:gmatch '{"([%a_][%w_]*)",%s*[%a_][%w_]*}' do out[name] = file end
      for name in text:gmatch 'lua_pushcfunction[^;]*;%s*lua_setfield%(L, %-2, "([%w_]+)"' do
        out[name] = file
      end
    end
  end
  return out
end

local function prelude()
  local out = {}
  for name in read("engine/prelude.lua"):gmatch "function [%w_]+[.:]([%w_]+)" do
    out[name] = "prelude.lua"
  end
  return out
end

-- What the prelude builds on and does not hand to scripts, and what is Lua's own.
local INNER = {
  wait = true, http_start = true, timer = true, reload = true, waiting = true, running = true,
  failure = true, take_document = true, take_bytes = true, take_form = true, coming = true,
  push = true,
  crowded = true, next_event = true, next_line = true, next_bytes = true, next_marked = true,
  next_message = true,
  done = true, result = true, json_decode = true, tokens_go_on = true,
  ledger_ask = true, ledger_open = true,
  journal_sync = true, json_encode = true, task_start = true, task_patience = true,
}
local ELSEWHERE = { ["lua_safe.c"] = true, ["lua_pattern.c"] = true, ["lua_cli.c"] = true }

describe("meta/engine*.lua", function()
  it("has a type for every function", function()
    local types, missing = typed(), {}
    for name, file in pairs(registered()) do
      if not (types[name] or INNER[name] or ELSEWHERE[file] or name:find "^__") then
        missing[#missing + 1] = file .. ": " .. name
      end
    end
    assert.same({}, missing)
  end)

  it("has no type for what is not there", function()
    local there, waits, stale = registered(), prelude(), {}
    for name, path in pairs(typed()) do
      if not there[name] and not waits[name] then stale[#stale + 1] = path .. ": " .. name end
    end
    assert.same({}, stale)
  end)
end)
