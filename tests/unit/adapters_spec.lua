-- What an adapter's file may return: nothing that nobody reads.

require "engine"
local adapters = require "config.adapters"
local chat = require "lib.chat"
local lfs = require "lfs"

local function problem(more)
  local out = { path = "/x", encode = print, decode = print, stream = print }
  for name, value in pairs(more) do out[name] = value end
  return adapters.problem(chat.adapter(out))
end

describe("an adapter's file", function()
  it("is right in all that is shipped, and in the example", function()
    local count = 0
    for file in lfs.dir "providers" do
      local name = file:match "^([%w_]+)%.lua$"
      if name then
        count = count + 1
        assert.is_nil(adapters.problem(require("providers." .. name)), name)
      end
    end
    assert.is_true(count > 25)
    assert.is_nil(adapters.problem(dofile "tests/examples/providers/acme.lua"))
  end)

  it("has no member that nobody knows, and hears of all of them", function()
    assert.is_nil(problem {})
    assert.equal('it has an unknown member "headrs"; did you mean "headers"?',
      problem { headrs = print })
    assert.equal('it has an unknown member "frobnicate"; '
      .. 'it has an unknown member "strem"; did you mean "stream"?',
      problem { strem = print, frobnicate = 1 })
    assert.equal('it has an unknown member "1"', problem { "x" })
    assert.is_nil(problem { _mine = 1 })
    assert.equal('it has an unknown member "clasify"; did you mean "classify"?',
      adapters.problem(require("providers.groq"):with { clasify = print }))
  end)

  it("has its members, fields and quirks of their kinds", function()
    for want, more in pairs {
      ["its sign is a string"] = { sign = "x" },
      ["its forgets is a string"] = { forgets = "yes" },
      ['it has an unknown member "quirks.renam"; did you mean "rename"?'] =
        { quirks = { renam = {} } },
      ["its quirks.call_ids is a string"] = { quirks = { call_ids = "9" } },
      ['it has an unknown member "fields.host.typ"; did you mean "type"?'] =
        { fields = { host = { typ = "string" } } },
      ['its fields.host.type is "sting", which is no type; did you mean "string"?'] =
        { fields = { host = { type = "sting" } } },
      ["its fields.host is a string"] = { fields = { host = "string" } },
      ["its deployment_fields.arn.required is a number"] =
        { deployment_fields = { arn = { required = 1 } } },
    } do
      assert.equal(want, problem(more))
    end
  end)

  it("is one", function()
    assert.equal("it returns no adapter", adapters.problem(5))
    assert.equal("it has no encode; does it return chat.adapter { … }?", adapters.problem {})
    assert.is_nil(adapters.problem { answer = print })
  end)
end)
