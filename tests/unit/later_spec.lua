-- Modules that are loaded with their first use: each of them can be, and says what is said in
-- its place until then.

local lfs = require "lfs"
local world = require "unit.world"

-- Names of modules that scripts hand to `later`, from their texts; and the doors of ingress.
local function names_later()
  local names = {}
  local function look(folder)
    for file in lfs.dir(folder) do
      local path = folder .. "/" .. file
      if lfs.attributes(path, "mode") == "directory" then
        if not file:find "^%." and file ~= "meta" then look(path) end
      elseif file:find "%.lua$" then
        local handle = assert(io.open(path))
        local text = handle:read "*a"
        handle:close()
        for name in text:gmatch 'later%s*%(?%s*"([%w_%.]+)"' do names[name] = path end
      end
    end
  end
  look "scripts"
  return names
end

-- These need an engine of their own: admin_spec.lua and explain_spec.lua load them.
local ELSEWHERE = { ["pipeline.admin"] = true }

describe("modules that come later", function()
  before_each(function()
    world.new [[
      model "m" { provider "openai_compatible" { name = "a", base_url = "http://a/v1" } "m" }
    ]]
  end)

  it("are files that load", function()
    local names = names_later()
    assert.is_truthy(names["pipeline.admin"] and names["dialects.chat_of_items"])
    for name, path in pairs(names) do
      if not ELSEWHERE[name] then
        assert.is_table(require(name), ("%s, named in %s"):format(name, path))
      end
    end
  end)

  it("are the doors of all paths, which refuse in the words that are there before", function()
    local rows, seen = require("pipeline.ingress").doors(), 0
    for _, row in ipairs(rows) do
      if row.door then
        local door, words = require(row.door), require(row.words)
        if row.part then door = door[row.part] end
        assert.is_string(door.name, row.path)
        assert.equal(words.body, door.writer.error, row.path)
        assert.equal(words.status, door.writer.status, row.path)
        seen = seen + 1
      end
    end
    assert.is_true(seen > 20, seen .. " doors")
  end)

  it("are those that another part of the generation has, too", function()
    local later = require "lib.later"
    assert.is_nil(package.loaded["dialects.ocr"])
    local ocr = later "dialects.ocr"
    assert.equal(require "dialects.ocr", ocr)
    assert.equal(ocr, later "dialects.ocr")
    assert.has_error(function() later "dialects.nobodys" end)
  end)
end)
