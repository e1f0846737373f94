-- S-47: each fuzz target over its seeds and over what once crashed it; `make fuzz` looks for
-- more. Here they are plain programs (tests/fuzz/replay.c): no clang is needed.

local lfs = require "lfs"
local process = require "support.process"

local TOOLS = os.getenv "MOONGATE_TOOLS" or "build/tests"

-- The targets that there must be: F1 F2 F2 F3 F4 F4 F6 F8 F9 F9 of MATRICES.md 5.4, and others.
local TARGETS = {
  "sse", "json", "splice", "head", "upstream", "answer", "usage", "doors", "merge", "tokens",
  "eventstream", "log", "multipart",
}

local function files(folder, prefix)
  local list = {}
  if lfs.attributes(folder, "mode") ~= "directory" then return list end
  for name in lfs.dir(folder) do
    local path = folder .. "/" .. name
    if lfs.attributes(path, "mode") == "file" and name:sub(1, #prefix) == prefix then
      list[#list + 1] = path
    end
  end
  table.sort(list)
  return list
end

describe("S-47: fuzz targets", function()
  it("are all named here", function()
    local named = {}
    for _, name in ipairs(TARGETS) do named[name] = true end
    for _, path in ipairs(files("tests/fuzz", "fuzz_")) do
      assert.is_true(named[path:match "fuzz_([%w_]+)%.c$"], path)
    end
    for _, path in ipairs(files("tests/fuzz/crashes", "")) do
      assert.is_true(named[path:match "crashes/(%w+)%-"], path .. " belongs to no target")
    end
  end)

  it("each have words of their own", function()
    for _, name in ipairs(TARGETS) do
      local words = 0
      for line in io.lines("tests/fuzz/dict/" .. name .. ".dict") do
        if not line:find "^#" then
          assert.is_truthy(line:find '^".+"$', name .. ": " .. line)
          words = words + 1
        end
      end
      assert.is_true(words >= 10, name)
    end
  end)

  for _, name in ipairs(TARGETS) do
    it(name .. ": its seeds, and what once crashed it", function()
      local args = { TOOLS .. "/replay_" .. name }
      local seeds = files("tests/fuzz/corpus/" .. name, "")
      assert.is_true(#seeds >= 2, "seeds")
      for _, list in ipairs { seeds, files("tests/fuzz/crashes", name .. "-") } do
        for _, path in ipairs(list) do args[#args + 1] = path end
      end
      local status, out, err = process.run(args, { seconds = 60 })
      assert.equal(0, status, out .. err:sub(-2000))
      assert.is_truthy(out:find((#args - 1) .. " passed, 0 failed", 1, true), out)
    end)
  end
end)
