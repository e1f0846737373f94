-- C-38: whether the tests would hear of what a sanitizer finds, in whichever build they run.

local lfs = require "lfs"
local process = require "support.process"
local sanitizer = require "support.sanitizer"

local TOOLS = os.getenv "MOONGATE_TOOLS" or "build/tests"

-- Which build finds what; the others do not look.
local FINDS = {
  asan = {
    overrun = "heap%-buffer%-overflow", freed = "heap%-use%-after%-free",
    undefined = "runtime error: signed integer overflow", leak = "detected memory leaks",
  },
  tsan = { race = "data race" },
}

describe("C-38: what a sanitizer finds", function()
  for fault, words in pairs(FINDS[TOOLS:match "([at]san)/"] or {}) do
    it("fails the test that runs: " .. fault, function()
      local status = process.run { TOOLS .. "/faulty", fault }
      local fine, text = pcall(sanitizer.look)
      assert.is_false(fine)
      assert.is_truthy(text:find(words), text)
      assert.is_truthy(text:find("faulty.c:%d+"), text) -- and where it is
      assert.not_equal(0, status)
      sanitizer.look() -- once
    end)
  end

  it("is nothing where nothing is wrong", function()
    assert.equal(0, (process.run { TOOLS .. "/faulty", "fine" }))
    sanitizer.look()
  end)

  it("is heard of once, and so is what the same process adds", function()
    local folder = process.temp_dir()
    local take = sanitizer.reader(folder)
    local function write(name, text) process.write(folder .. "/" .. name, text) end
    assert.is_nil(take())
    write("other.1", "not ours")
    assert.is_nil(take())
    write("report.12", "WARNING: ThreadSanitizer: one\n")
    assert.equal("WARNING: ThreadSanitizer: one\n", take())
    assert.is_nil(take())
    write("report.12", "WARNING: ThreadSanitizer: one\ntwo\n")
    write("report.13", "three\n")
    assert.equal("two\n\nthree\n", take())
    assert.is_nil(take())
    for name in lfs.dir(folder) do os.remove(folder .. "/" .. name) end
    lfs.rmdir(folder)
  end)

  it("is heard of in a log, by one who could open no file", function()
    assert.has_error(function()
      sanitizer.look "==7==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x6"
    end)
    assert.has_error(function() sanitizer.look "a.c:3:1: runtime error: division by zero" end)
    sanitizer.look '{"level":"warn","event":"request"}'
  end)
end)
