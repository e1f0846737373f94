-- Documents: the few members that accounting reads, without decoding what lies around them.

require "engine"
local json = require "engine.json"

local TEXT = [=[{
  "id": "x", "choices": [ {"message": {"content": "a \"finish_reason\": \"no\" b"},
    "finish_reason": "stop"}, {"finish_reason": "length"} ],
  "usage": {"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 3}, "null": null},
  "none": [], "nothing": {}, "some": [0], "plain": [ "first" , 2], "deep": [[1]]
}]=]

describe("doc:at", function()
  local doc = json.index(TEXT)

  it("finds scalars at any depth, and the first of an array", function()
    assert.same({ "x", 7, 3, "stop", "first" }, { doc:at("id", "usage.prompt_tokens",
      "usage.prompt_tokens_details.cached_tokens", "choices.0.finish_reason", "plain.0") })
    assert.same({ 1 }, (doc:at("deep.0")))
  end)

  it("gives nil for what is not there, in its place", function()
    local function count(...) return select("#", ...), ... end
    local n, a, b, c, d = count(doc:at("nope", "usage.nope", "none.0", "id.x"))
    assert.equal(4, n)
    assert.same({}, { a, b, c, d })
    assert.equal(json.null, (doc:at "usage.null"))
    assert.is_nil((doc:at "choices.1.finish_reason"))
  end)

  it("knows what is empty", function()
    assert.is_true(doc:is_empty "none")
    assert.is_true(doc:is_empty "nothing")
    assert.is_false(doc:is_empty "some")
    assert.is_nil(doc:is_empty "id")
    assert.is_nil(doc:is_empty "nope")
  end)
end)
