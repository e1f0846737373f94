-- Operator code's string functions: exactly Lua's, but they end.

require "engine"
local safe = require "engine.safe_string"
local sort = require "engine.safe_sort"

-- Results of a call, or only that it failed: the wording of errors is not compared.
local function outcome(f, ...)
  local results = { pcall(f, ...) }
  if not results[1] then return { "error" } end
  results.n = select("#", unpack(results))
  return results
end

local function all(iterator_of, s, p)
  local found = {}
  for a, b, c in iterator_of(s, p) do found[#found + 1] = { a, b, c } end
  return found
end

local function same(name, ...)
  local want, got = outcome(string[name], ...), outcome(safe[name], ...)
  local said = {}
  for i = 1, select("#", ...) do said[i] = ("%q"):format(tostring((select(i, ...)))) end
  assert.same(want, got, ("%s(%s)"):format(name, table.concat(said, ", ")))
end

describe("safe string functions", function()
  it("are all there, save dump", function()
    for name in pairs(string) do
      assert.equal(name ~= "dump", safe[name] ~= nil, name)
    end
  end)

  it("agree with the stock ones on chosen cases", function()
    local subject = "the (quick) fox-42 jumps\t over THE lazy\0dog, x=1, y=22"
    local patterns = {
      "", "^", "$", "^$", "fox", "^the", "dog$", "%a+", "(%a+)", "()", "(%a)(%d?)", "%b()",
      "[%w_]+", "[^%s]+", "[]]", "[^]]", "[a-]", "[%a-z]", "[%-x]", "%f[%u]%u+", "%f[%z]",
      "(.)%1", ".-,", "(%w+)=(%w+)", "%z", "%Z+", "%g+", "x*", "x-", "x?y", "((a)(b))",
      "%%", "%.", ".",
      "a$b", "^^t", "$$", "[$]", "((()))", "%s*$", "[a-z0-9]", "%x+", "[z-a]", "(a*(.)%w(%s*))",
      "%", "[", "[a", "[]", "[^]", "(", ")", "(()", "%1", "(%1)", "%b", "%bx", "%f", "%fa",
      "a\0b", "\0", "[%", "%f[", "(a)%2", "()%1",
    }
    for _, pattern in ipairs(patterns) do
      for _, start in ipairs { 1, 2, 10, -5, 0, 99, -99 } do
        same("find", subject, pattern, start)
        same("match", subject, pattern, start)
      end
      same("gsub", subject, pattern, "<%0>")
      same("gsub", subject, pattern, "%1%%%0", 2)
      same("gsub", subject, pattern, { the = "a", THE = 1, fox = false })
      assert.same(outcome(all, string.gmatch, subject, pattern),
        outcome(all, safe.gmatch, subject, pattern), pattern)
    end
  end)

  it("agree on plain searches", function()
    same("find", "a.b.c", ".", 3, true)
    same("find", "a.b.c", "b.c")
    same("find", "abc", "", 10)
    same("find", "abc", "", 10, true)
    same("find", "abc", "abcd")
    same("find", "a\0bc", "\0b")
    same("find", 1234, 23)
    same("find", "bbb", ("a?"):rep(300))
    same("find", "x")
    same("match", nil, "x")
  end)

  it("agree on replacements", function()
    local function upper(a, b) return a:upper() .. (b or "") end
    same("gsub", "hello world", "o", "0", 1)
    same("gsub", "hello world", "(h)(e)", "%2%1")
    same("gsub", "hello", "l", "%9")
    same("gsub", "hello", "()l", "%1")
    same("gsub", "hello", "l", "%")
    same("gsub", "hello", "l", "%x")
    same("gsub", "hello", "(l)(.)", upper)
    same("gsub", "hello", "()(l)", function(at) return at end)
    same("gsub", "hello", "l", function() return nil end)
    same("gsub", "hello", "l", function() return {} end)
    same("gsub", "hello", "l", function() error "no" end)
    same("gsub", "hello", "l", true)
    same("gsub", "hello", "l", 7)
    same("gsub", "hello", "", "-")
    same("gsub", "hello", "", "-", 0)
    same("gsub", "hello", "", "-", -1)
    same("gsub", "hello", "^h", "j")
    same("gsub", "", "^", "x")
  end)

  it("agree on rep and format", function()
    same("rep", "ab", 3)
    same("rep", "ab", 3, ",")
    same("rep", "ab", 0)
    same("rep", "ab", -1)
    same("rep", "", 1e9)
    same("rep", "", 3, "-")
    same("rep", "x")
    same("format", "%5.2f|%-5s|%q|%d|%x|%%", 1.234, "a", 'q"\n', 42, 255)
    same("format", "%s %s", nil, true)
    same("format", "%s")
    same("format", "%d", "x")
    same("format", "%200d", 1)
  end)

  it("agree on thousands of random patterns", function()
    local atoms = {
      "a", "b", ".", "%a", "%d", "[ab]", "[^a]", "%s", "(a)", "()", "(.)", "%1", "%b()",
      "%f[%a]", "a*", "b-", ".-", "[ab]+", "(a*)", "(b-)", "%w?", "$", "^", "x", "%", "(", ")",
      "[", "-", "*",
    }
    local letters = { "a", "b", "1", " ", "(", ")", "x", "ab", "aab" }
    math.randomseed(20261122)
    local function random(from, most)
      local parts = {}
      for i = 1, math.random(0, most) do parts[i] = from[math.random(#from)] end
      return table.concat(parts)
    end
    for _ = 1, 20000 do
      local s, p = random(letters, 12), random(atoms, 5)
      same("find", s, p)
      same("match", s, p, math.random(-3, 5))
      same("gsub", s, p, "<%0>")
    end
  end)
end)

describe("what would not end", function()
  local function stops(f, ...)
    local before = os.clock()
    local ok, err = pcall(f, ...)
    assert.is_false(ok)
    assert.is_true(os.clock() - before < 1, "took " .. os.clock() - before)
    return err
  end

  it("eight lazy groups on forty bytes", function()
    local subject = ("a"):rep(40)
    local pattern = ("(.-)"):rep(8) .. "b"
    for _, name in ipairs { "find", "match" } do
      assert.matches("pattern too complex", stops(safe[name], subject, pattern))
    end
    assert.matches("pattern too complex", stops(safe.gsub, subject, pattern, ""))
    assert.matches("pattern too complex", stops(function()
      for _ in safe.gmatch(subject, pattern) do error "a match" end
    end))
  end)

  it("quadratic searches, huge sets, deep nesting", function()
    stops(safe.find, ("a"):rep(100000), "a*b")
    stops(safe.find, ("("):rep(100000), "%b()")
    stops(safe.find, ("a"):rep(5000), "[" .. ("b"):rep(5000) .. "]")
    stops(safe.find, ("a"):rep(300), ("a?"):rep(300) .. "b")
    stops(safe.find, ("a"):rep(5000), "(a+)%1b")
  end)

  it("results without an end", function()
    stops(safe.rep, "x", 1e9)
    stops(safe.rep, "x", 2 ^ 40)
    stops(safe.rep, "", 1e9, "x")
    stops(safe.format, "%s%s", ("x"):rep(5e6), ("y"):rep(5e6))
    stops(safe.gsub, ("a"):rep(1000), "a", ("b"):rep(10000))
    stops(safe.gsub, ("a"):rep(1000), "a", function() return ("b"):rep(10000) end)
    assert.equal(8 * 2 ^ 20, #safe.rep("x", 8 * 2 ^ 20))
  end)

  it("a gsub that calls itself", function()
    local function again(text) return (safe.gsub(text, ".", again)) end
    for _ = 1, 3 do assert.matches("stack overflow", stops(again, "x")) end
    local lazy = setmetatable({}, { __index = function(_, text) return again(text) end })
    assert.matches("stack overflow", stops(safe.gsub, "x", ".", lazy))
    local depth = 0
    local function nested(text)
      depth = depth + 1
      return depth < 100 and safe.gsub(text, ".", nested) or "y"
    end
    assert.equal("y", (nested "x"))
  end)

  it("but long subjects with plain patterns pass", function()
    local text = ("lorem ipsum dolor "):rep(50000)
    assert.equal(150000, select(2, safe.gsub(text, "%a+", "x")))
    assert.equal(text, (safe.gsub(text, "%s+", " ")))
    assert.is_nil(safe.find(text, "zebra"))
    assert.is_nil(safe.match(text, "%d+"))
    assert.equal(#text, #safe.match(text, "^(.*)$"))
  end)
end)

describe("operator code's sort", function()
  local function shuffled(n)
    local out = {}
    for i = 1, n do out[i] = i * 7919 % 1000003 end
    return out
  end

  local function sorted(list, less)
    for i = 2, #list do
      if less(list[i], list[i - 1]) then return false end
    end
    return true
  end

  local function up(a, b) return a < b end
  local function down(a, b) return a > b end

  it("is Lua's", function()
    for _, n in ipairs { 0, 1, 2, 100, 20000 } do
      local list, as_lua = shuffled(n), shuffled(n)
      sort(list)
      table.sort(as_lua)
      assert.same(as_lua, list)
    end
    local words = { "pear", "fig", "plum" }
    sort(words, down)
    assert.same({ "plum", "pear", "fig" }, words)
    for _, bad in ipairs { 1, "x", true } do assert.is_false(pcall(sort, bad)) end
    assert.is_false(pcall(sort, { 2, 1 }, {}))
    assert.is_false(pcall(sort, { 1, {} }))
  end)

  it("S-27: takes more than can be stopped only with a function of Lua's", function()
    local list = shuffled(20001)
    sort(list, up)
    assert.is_true(sorted(list, up))
    for _, less in ipairs { false, rawequal } do
      local ok, err = pcall(sort, list, less or nil)
      assert.is_false(ok)
      assert.matches("needs a function", err)
    end
  end)
end)
