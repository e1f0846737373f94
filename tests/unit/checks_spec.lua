-- What the doors say is wrong with a body, in the voice of each, word by word.

require "engine"

local json = require "engine.json"
local stub = require "tools.stub"

-- What is raised of a body at a door, and of which member.
local function refused(door, text)
  local call = require("lib.call").new(
    { started = 0, method = "POST", path = "/", query = "" }, door.name, {})
  call.door, call.doc = door, assert(json.index(text))
  call.model_id, call.verb = "m", "generateContent"
  local ok, err = pcall(door.read, call)
  return not ok and type(err) == "table" and err.message or err, not ok and err.param
end

local SAID = {
  openai = {
    ["{}"] = "`model` is required: the name of a model.",
    ['{"model":5}'] = "`model` must be a string.",
    ['{"model":"a\\u0000"}'] = "`model` must not hold a NUL.",
    ['{"model":"m","Stream":true}'] = "`stream` must be written in small letters.",
    ['{"model":"m"}'] = "`messages` is required: a list of messages.",
    ['{"model":"m","messages":{}}'] = "`messages` must be an array.",
    ['{"model":"m","messages":[]}'] = "`messages` must not be empty.",
    ['{"model":"m","messages":[{}],"stream":1}'] = "`stream` must be true or false.",
    ['{"model":"m","messages":[{}],"n":129}'] = "`n` must be a whole number from 1 to 128.",
    ['{"model":"m","messages":[{}],"max_tokens":0.5}'] =
      "`max_tokens` must be a whole number from 1 to 2147483648.",
    ['{"model":"m","messages":[{}],"max_tokens":1,"max_completion_tokens":1}'] =
      "`max_tokens` and `max_completion_tokens` cannot both be set: use "
      .. "`max_completion_tokens`.",
  },
  anthropic = {
    ["{}"] = "model: Field required",
    ['{"model":"m"}'] = "messages: Field required",
    ['{"model":"m","messages":[]}'] = "messages: at least one message is required",
    ['{"model":"m","messages":[{}]}'] = "max_tokens: Field required",
    ['{"model":"m","messages":[{}],"max_tokens":-1}'] =
      "max_tokens: must be a whole number from 0 to 2147483648",
    ['{"model":"m","messages":[{}],"max_tokens":1,"stream":"x"}'] =
      "stream: must be true or false",
  },
  gemini = {
    ["{}"] = "contents: is required: a list of contents",
    ['{"contents":"x"}'] = "contents: must be an array",
    ['{"contents":{}}'] = "contents: must not be empty",
    ['{"contents":[{}],"generationConfig":{"candidateCount":0}}'] =
      "generationConfig.candidateCount: must be a whole number from 1 to 128",
  },
  responses = {
    ['{"model":"m"}'] = "`input` is required: a text or a list of items.",
    ['{"model":"m","input":[]}'] = "`input` must not be empty.",
    ['{"model":"m","input":5,"conversation":"c"}'] =
      "`input` must be a text or a list of items.",
  },
  completions = {
    ['{"model":"m","prompt":{}}'] =
      "`prompt` must be a text, a list of texts, or lists of tokens.",
    ['{"model":"m","prompt":"a","best_of":0}'] =
      "`best_of` must be a whole number from 1 to 128.",
  },
  embeddings = {
    ['{"model":"m"}'] = "`input` is required: a text, or a list of them.",
    ['{"model":"m","input":"a","encoding_format":"x"}'] =
      "`encoding_format` must be float or base64.",
  },
  rerank = { ['{"model":"m","query":5}'] = "`query` must be a text." },
}

describe("a door", function()
  for name, cases in pairs(SAID) do
    it("says what is wrong: " .. name, function()
      local door = require("dialects." .. name)
      for text, said in pairs(cases) do assert.equal(said, (refused(door, text))) end
    end)
  end

  it("lets a conversation that goes on say nothing, and an empty text be embedded", function()
    local responses = require "dialects.responses"
    for _, input in ipairs { "", ',"input":[]', ',"input":null' } do
      local text = '{"model":"m","conversation":"c"' .. input .. "}"
      assert.is_nil((refused(responses, text)))
    end
    assert.is_nil((refused(require "dialects.embeddings", '{"model":"m","input":""}')))
  end)

  it("takes a number that no double carries for one, not for none", function()
    local door = require("dialects.images").made
    for name, said in pairs {
      n = "`n` must be a whole number from 1 to 128.",
      partial_images = "`partial_images` must be a whole number from 0 to 16.",
      stream = "`stream` must be true or false.",
    } do
      local text = ('{"model":"m","prompt":"p","%s":1e999}'):format(name)
      assert.same({ said, name }, { refused(door, text) })
    end
  end)
end)

describe("embeddings that are asked for in other words", function()
  it("are refused for the same member whenever they are", function()
    local door = require "dialects.embeddings"
    local dep = stub.deployment("gemini", "gemini-embedding-001")
    local text = '{"model":"m","input":"a","zeta":1,"beta":2,"user":"u","alpha":null}'
    for _ = 1, 20 do
      local ok, err = pcall(stub.asked, stub.visitor(door, text), dep)
      assert.is_false(ok)
      assert.equal("beta", err.param)
    end
  end)
end)
