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
