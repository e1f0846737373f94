-- Azure's addresses and headers.

require "engine"

local azure = require "providers.azure"

local function url(provider, dep)
  dep = dep or {}
  dep.model, dep.provider = dep.model or "gpt-4o", provider
  return azure.base_url(dep) .. azure.path(dep, {})
end

describe("azure", function()
  it("has the deployment and the version in the classic address", function()
    assert.equal("https://acme.openai.azure.com/openai/deployments/gpt-4o/chat/completions"
      .. "?api-version=2024-10-21", url { resource = "acme", api_version = "2024-10-21" })
    assert.equal("https://acme.openai.azure.com/openai/deployments/my%20gpt/chat/completions"
      .. "?api-version=2024-10-21",
      url({ resource = "acme", api_version = "2024-10-21" }, { deployment = "my gpt" }))
  end)

  it("has neither at the v1 endpoint", function()
    local v1 = "https://acme.openai.azure.com/openai/v1/chat/completions"
    assert.equal(v1, url { resource = "acme" })
    assert.equal(v1, url { resource = "acme", api_version = "v1" })
    assert.equal(v1 .. "?api-version=preview",
      url { resource = "acme", api_version = "preview" })
  end)

  it("goes where it is told to", function()
    assert.equal("http://127.0.0.1:9/openai/deployments/gpt-4o/chat/completions"
      .. "?api-version=2024-10-21",
      url { base_url = "http://127.0.0.1:9/", api_version = "2024-10-21" })
    assert.equal("https://x.services.ai.azure.com/models/chat/completions"
      .. "?api-version=2024-05-01-preview",
      url { base_url = "https://x.services.ai.azure.com/models",
        api_version = "2024-05-01-preview" })
    assert.equal("https://gw/openai/v1/chat/completions",
      url { base_url = "https://gw/openai/v1" })
  end)

  it("sends the key in its own header", function()
    assert.same({ ["api-key"] = "k" }, azure.headers { provider = { api_key = "k" } })
  end)

  it("needs a resource or an address", function()
    local ok, err = pcall(url, {})
    assert.is_false(ok)
    assert.equal("internal", err.kind)
  end)
end)

describe("azure's Responses", function()
  local natives = require "lib.natives"

  local function url_of(provider, model)
    provider.adapter = azure
    local dep = { model = model or "gpt-5", provider = provider, deployment = "our-gpt" }
    local face = natives.of("responses", dep)
    return face and azure.base_url(dep) .. face.path(dep, {})
  end

  it("are at the v1 endpoint", function()
    assert.equal("https://acme.openai.azure.com/openai/v1/responses",
      url_of { resource = "acme" })
    assert.equal("https://acme.openai.azure.com/openai/v1/responses?api-version=preview",
      url_of { resource = "acme", api_version = "preview" })
    assert.equal("http://127.0.0.1:9/openai/v1/responses",
      url_of { base_url = "http://127.0.0.1:9/openai/v1" })
  end)

  it("are at the classic one without a deployment, since that has them", function()
    assert.equal("https://acme.cognitiveservices.azure.com/openai/responses"
      .. "?api-version=2025-04-01-preview", url_of {
        base_url = "https://acme.cognitiveservices.azure.com/",
        api_version = "2025-04-01-preview",
      })
    assert.equal("http://127.0.0.1:9/openai/responses?api-version=2025-04-01-preview",
      url_of { base_url = "http://127.0.0.1:9/openai", api_version = "2025-04-01-preview" })
    assert.is_nil(url_of { resource = "acme", api_version = "2024-10-21" })
    assert.is_nil(url_of { base_url = "https://x.services.ai.azure.com/models" })
  end)
end)

describe("azure's Claude", function()
  local stub = require "tools.stub"

  local function url_of(provider, model, more)
    local dep = stub.deployment("azure", model or "claude-opus-4-5", more, provider)
    local adapter = dep.provider.adapter
    return adapter.base_url(dep) .. adapter.path, adapter.headers(dep)
  end

  it("is at Foundry's own endpoint, with Anthropic's headers", function()
    local at, headers = url_of { resource = "acme", api_key = "k", beta = "b-1" }
    assert.equal("https://acme.services.ai.azure.com/anthropic/v1/messages", at)
    assert.same({
      ["x-api-key"] = "k", ["anthropic-version"] = "2023-06-01", ["anthropic-beta"] = "b-1",
    }, headers)
  end)

  it("goes where it is told to", function()
    for _, base in ipairs {
      "http://h:9", "http://h:9/", "http://h:9/openai/v1", "http://h:9/models",
      "http://h:9/anthropic", "http://h:9/anthropic/v1",
    } do
      assert.equal("http://h:9/anthropic/v1/messages", (url_of { base_url = base }), base)
    end
  end)

  it("is known by its name, or is said to be", function()
    local function speaks(model, family)
      return stub.deployment("azure", model, { family = family }).provider.adapter ~= azure
    end
    assert.is_true(speaks "claude-haiku-4-5")
    assert.is_false(speaks "our-writer")
    assert.is_true(speaks("our-writer", "claude"))
    assert.is_false(speaks("claude-like", "openai"))
  end)

  it("is called as its deployment is", function()
    local dep = stub.deployment("azure", "claude-opus-4-5", { deployment = "our-opus" })
    local call = stub.call '{"model":"m","messages":[{"role":"user","content":"hi"}]}'
    assert.truthy(stub.encoded(call, dep):find('{"model":"our-opus",', 1, true))
    local visitor = stub.visitor(require "dialects.anthropic",
      '{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}')
    assert.equal('{"model":"our-opus","max_tokens":9,"messages":[{"role":"user",'
      .. '"content":"hi"}]}', stub.asked(visitor, dep))
  end)
end)
