-- Vertex: which family a model is of, where it is, and what Claude is not told there.

require "engine"

local families = require "lib.families"
local json = require "engine.json"
local junk = require "support.junk"
local stub = require "tools.stub"
local taken = require "support.taken"
local vertex = require "providers.vertex"

local function deployment(model, provider, more)
  provider = provider or { project = "acme-1", location = "us-east5" }
  return stub.deployment("vertex", model, more, provider)
end

local function url(model, provider, stream, more)
  local dep = deployment(model, provider, more)
  local adapter = dep.provider.adapter
  return adapter.base_url(dep) .. adapter.path(dep, { stream = stream })
end

describe("vertex", function()
  it("knows a model's family by its name, or is told", function()
    local function family(model, said)
      local adapter = families.adapter(vertex, { model = model, family = said })
      if adapter == vertex then return "gemini" end
      return adapter.dialect or "claude"
    end
    for model, want in pairs {
      ["gemini-2.5-pro"] = "gemini", ["google/gemini-3-pro"] = "gemini",
      ["endpoints/123"] = "gemini", ["text-embedding-005"] = "gemini",
      ["claude-opus-4-6"] = "claude", ["claude-haiku-4-5@20251001"] = "claude",
      ["anthropic/claude-opus-4-6"] = "claude",
      ["meta/llama-3.3-70b-instruct-maas"] = "openai", ["openai/gpt-oss-120b-maas"] = "openai",
    } do
      assert.equal(want, family(model), model)
    end
    assert.equal("claude", family("endpoints/9", "claude"))
    assert.equal("openai", family("google/gemini-2.5-pro", "openai"))
    assert.equal("gemini", family("meta/tuned", "gemini"))
  end)

  it("has Gemini at its publisher", function()
    local at = "/v1beta1/projects/acme-1/locations/us-east5/publishers/google/models/"
    assert.equal("https://us-east5-aiplatform.googleapis.com" .. at
      .. "gemini-2.5-pro:generateContent", url "gemini-2.5-pro")
    assert.equal("https://us-east5-aiplatform.googleapis.com" .. at
      .. "gemini-2.5-pro:streamGenerateContent?alt=sse",
      url("google/gemini-2.5-pro", nil, true))
    assert.equal("https://us-east5-aiplatform.googleapis.com/v1/projects/acme-1/locations/"
      .. "us-east5/endpoints/77:generateContent",
      url("endpoints/77", { project = "acme-1", location = "us-east5", version = "v1" }))
  end)

  it("has Claude at another, with the version in its name as it is", function()
    assert.equal("https://aiplatform.googleapis.com/v1/projects/acme-1/locations/global/"
      .. "publishers/anthropic/models/claude-haiku-4-5@20251001:rawPredict",
      url("claude-haiku-4-5@20251001", { project = "acme-1" }))
    assert.equal("https://aiplatform.eu.rep.googleapis.com/v1/projects/acme-1/locations/eu/"
      .. "publishers/anthropic/models/claude-opus-4-6:streamRawPredict",
      url("claude-opus-4-6", { project = "acme-1", location = "eu" }, true))
  end)

  it("has other makers' models where OpenAI's dialect is spoken", function()
    assert.equal("https://us-central1-aiplatform.googleapis.com/v1/projects/acme-1/locations/"
      .. "us-central1/endpoints/openapi/chat/completions",
      url("meta/llama-4", { project = "acme-1" }, false, { location = "us-central1" }))
  end)

  it("goes where it is told to, with the account's project, or with a key and none", function()
    assert.equal("http://127.0.0.1:9/v1/projects/p%2Fq/locations/global/publishers/anthropic"
      .. "/models/claude-x:rawPredict",
      url("claude-x", { base_url = "http://127.0.0.1:9/v1beta1", project = "p/q" }))
    assert.equal("https://aiplatform.googleapis.com/v1beta1/projects/of-account/locations/"
      .. "global/publishers/google/models/gemini-2.5-pro:generateContent",
      url("gemini-2.5-pro", { token = { project = "of-account" } }))
    local dep = deployment("gemini-2.5-pro", { api_key = "express" })
    assert.equal("/v1beta1/publishers/google/models/gemini-2.5-pro:generateContent",
      vertex.path(dep, {}))
    assert.same({ ["x-goog-api-key"] = "express" }, vertex.headers(dep))
  end)

  -- A call of Messages, with a header of betas.
  local function visitor(text, betas)
    local call = stub.visitor(require "dialects.anthropic", text)
    call.request.header = function(_, name) return name == "anthropic-beta" and betas or nil end
    return call
  end

  local function sent(text, model, more, betas)
    local call = visitor(text, betas)
    local dep = deployment(model, { project = "p", beta = more })
    local out = { ["anthropic-version"] = nil }
    local face = dep.provider.adapter.natives.anthropic
    local body = stub.asked(call, dep)
    face.add_headers(call, dep, out)
    return body, out, call.dropped
  end

  local PLAIN = '"max_tokens" : 9, "messages":[{"role":"user","content":"hi"}]'

  it("takes the model out of a Messages' body and puts the version in; no more", function()
    local body = sent('{"model":"m", ' .. PLAIN .. ',"x" : {"a":1.0}}', "claude-opus-4-6")
    local want = '"x" : {"a":1.0}'
    assert.truthy(body:find(PLAIN, 1, true), body)
    assert.truthy(body:find(want, 1, true), body)
    local doc = json.decode(body)
    assert.is_nil(doc.model)
    assert.equal("vertex-2023-10-16", doc.anthropic_version)
    local as_it_was = '{"anthropic_version":"vertex-2023-10-16",' .. PLAIN .. "}"
    assert.equal(as_it_was, sent('{"model":"m",' .. as_it_was:sub(2), "claude-opus-4-6"))
  end)

  it("passes the betas that are known there, renames one, and names the rest", function()
    local _, headers, dropped = sent("{" .. PLAIN .. ',"model":"m"}', "claude-opus-4-6",
      "own-2026-01-01", "claude-code-20250219, interleaved-thinking-2025-05-14,"
      .. "context-management-2025-06-27,advanced-tool-use-2025-11-20,effort-2025-11-24")
    assert.equal("own-2026-01-01,interleaved-thinking-2025-05-14,context-management-2025-06-27,"
      .. "tool-search-tool-2025-10-19", headers["anthropic-beta"])
    assert.is_nil(headers["anthropic-version"])
    assert.same({
      "anthropic-beta.claude-code-20250219", "anthropic-beta.effort-2025-11-24",
    }, dropped)
  end)

  local TOOLS = [[{"model":"m",%s,"tools":[
  {"name":"a","input_schema":{"type":"object","x":1.0},"strict":true,"defer_loading":true,
   "allowed_callers":["direct"],"input_examples":[{"q":1}],"eager_input_streaming":true}],
  "output_config":{"effort":"high"},"context_management":{"edits":[]}}]]

  it("leaves out the members that those betas let in", function()
    local body = sent(TOOLS:format(PLAIN), "claude-opus-4-6")
    local doc = json.decode(body)
    assert.same({ "defer_loading", "input_schema", "name", "strict" }, (function()
      local names = {}
      for name in pairs(doc.tools[1]) do names[#names + 1] = name end
      table.sort(names)
      return names
    end)())
    assert.truthy(body:find('{"type":"object","x":1.0}', 1, true))
    assert.equal("high", doc.output_config.effort)
    assert.is_table(doc.context_management)
    body = sent(TOOLS:format(PLAIN), "claude-haiku-4@20250514")
    doc = json.decode(body)
    assert.is_nil(doc.output_config)
    assert.is_nil(doc.tools[1].strict)
    assert.is_true(doc.tools[1].defer_loading)
  end)

  it("leaves out for whom a cache is kept, and no mark", function()
    local mark = '"cache_control":{"type":"ephemeral","scope":"global","ttl":"1h"}'
    local tool = '{"name":"a","input_schema":{"scope":1.0},' .. mark .. "}"
    local text = ('{"model":"m","max_tokens":9,"system":[{"type":"text","text":"a",%s}],'
      .. '"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t",'
      .. '"content":[{"type":"text","text":"\\"scope\\"",%s}]},{"type":"text","text":"b"}]},'
      .. '{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"a","input":'
      .. '{"cache_control":{"scope":1.50}}}]}],"tools":[%s]}'):format(mark, mark, tool)
    local body, _, dropped = sent(text, "claude-opus-4-6")
    assert.same({ "cache_control.scope" }, dropped)
    local want = text:gsub('"scope":"global",', ""):gsub('"model":"m",', "")
    want = want:gsub("^{", '{"anthropic_version":"vertex-2023-10-16",')
    assert.equal(want, body)
    body, _, dropped = sent(text, "claude-opus-4-6", "prompt-caching-scope-2026-01-05")
    assert.same({}, dropped)
    assert.truthy(body:find(mark, 1, true))
  end)

  local JUNK = {
    "null", "true", "5", '""', "{}", "[]", "[null]", '[{"strict":1,"cache_control":5}]',
    '{"scope":1,"cache_control":{"scope":{}}}',
  }

  it("stands whatever a Messages' client sends, or refuses it with a kind", function()
    local whole = json.decode((TOOLS:format(PLAIN):gsub('"content":"hi"',
      '"content":[{"type":"text","text":"a","cache_control":{"scope":"global"}}]')))
    local n = 0
    junk.each(whole, function(text)
      n = n + 1
      taken(text, sent, text, "claude-haiku-4@20250514")
    end, JUNK)
    assert.is_true(n > 200)
  end)

  it("takes a model out of a Gemini client's body, and passes the rest", function()
    local function asked(text)
      return stub.asked(stub.visitor(require "dialects.gemini", text),
        deployment "gemini-2.5-pro")
    end
    local with = '{"contents":[{"role":"user","parts":[{"text":"a","x":1.0}]}],"y" : 2}'
    assert.equal(with, asked(with))
    assert.equal(with, asked('{"model":"models/m",' .. with:sub(2)))
  end)

  it("tells a Messages' client its own errors only, not Google's", function()
    local owns = deployment("claude-x").provider.adapter.natives.anthropic.owns
    assert.is_true(owns { type = "error", error = { type = "x" } })
    assert.is_false(owns { error = { status = "INVALID_ARGUMENT", message = "x" } })
    assert.is_false(owns { { error = { status = "INVALID_ARGUMENT", message = "x" } } })
  end)
end)
