-- How the binary was built (MATRICES.md 3.5): what makes a mistake in it hard to use.

local lfs = require "lfs"
local sanitizer = require "support.sanitizer"

local BINARY = os.getenv "MOONGATE_BIN" or "build/moongate"
local RELEASE = not BINARY:find "coverage/" and sanitizer.shows("release", "S-41")

local function run(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

describe("S-41: the binary", function()
  local function readelf(flags, file)
    return run("readelf -W " .. flags .. " " .. (file or BINARY))
  end

  if not RELEASE or not lfs.attributes(BINARY) or run "readelf --version" == "" then
    it("is a release", function() pending "this is another build" end)
    return
  end

  it("is loaded anywhere: position independent", function()
    assert.is_truthy(readelf "-h":find "Type:%s+DYN")
    assert.is_truthy(readelf "-d":find "FLAGS_1[^\n]*PIE")
    assert.is_nil(readelf "-d":find "TEXTREL")
  end)

  it("binds at once, and then nobody writes what it bound", function()
    assert.is_truthy(readelf "-l":find "GNU_RELRO")
    assert.is_truthy(readelf "-d":find "BIND_NOW")
    assert.is_nil(readelf "-d":find "RPATH")
    assert.is_nil(readelf "-d":find "RUNPATH")
  end)

  it("runs no data: neither stack nor any writable segment", function()
    local stack = readelf "-l":match "GNU_STACK[^\n]*"
    assert.is_truthy(stack and stack:find " RW%s")
    for line in readelf "-l":gmatch "LOAD[^\n]*" do assert.is_nil(line:find "RWE", line) end
  end)

  it("watches its stack, and the sizes of what it copies", function()
    local symbols = readelf "--dyn-syms"
    assert.is_truthy(symbols:find "__stack_chk_fail")
    assert.is_truthy(symbols:find "__memcpy_chk")
    assert.is_truthy(symbols:find "__snprintf_chk")
  end)

  -- Of the whole binary the linker says nothing: Debian's crt files are not marked.
  it("marks where calls may land, in all that is ours", function()
    assert.is_truthy(readelf("-n", "build/libmoongate.a"):find "x86 feature: IBT, SHSTK")
    local main = run("objdump -d --no-show-raw-insn --disassemble=main " .. BINARY)
    assert.is_truthy(main:find "<main>:\n[^\n]*endbr64", main:sub(1, 300))
  end)

  it("has more rights than its caller nowhere", function()
    local mode = run("stat -c %a " .. BINARY):match "%d+"
    assert.is_true(#mode == 3 or mode:sub(1, 1) == "0", mode)
    assert.is_nil(mode:find "[2367]$", "everybody may write it: " .. mode)
  end)

  it("was made with every flag of the profile", function()
    local file = assert(io.open("build/obj/release/flags"))
    local flags = file:read "*a"
    file:close()
    for _, flag in ipairs {
      "-O2", "-D_FORTIFY_SOURCE=2", "-fstack-protector-strong", "-fstack-clash-protection",
      "-fcf-protection", "-funwind-tables",
    } do assert.is_truthy(flags:find(flag, 1, true), flag) end
  end)
end)
