-- The providers that stand on the generic base: small files, whole addresses, known to all who
-- list providers, each with its golden cases.

require "engine"

local lfs = require "lfs"
local prices = require "lib.prices"
local routes = require "routes_helper"
local stub = require "tools.stub"

local read = require("support.file").read

local URLS = {
  cerebras = "https://api.cerebras.ai/v1/chat/completions",
  cloudflare = "https://api.cloudflare.com/client/v4/accounts/acme/ai/v1/chat/completions",
  databricks = "https://acme.cloud.databricks.com/serving-endpoints/chat/completions",
  deepseek = "https://api.deepseek.com/chat/completions",
  fireworks = "https://api.fireworks.ai/inference/v1/chat/completions",
  github = "https://models.github.ai/inference/chat/completions",
  groq = "https://api.groq.com/openai/v1/chat/completions",
  huggingface = "https://router.huggingface.co/v1/chat/completions",
  llama_cpp = "http://127.0.0.1:8080/v1/chat/completions",
  lm_studio = "http://127.0.0.1:1234/v1/chat/completions",
  mistral = "https://api.mistral.ai/v1/chat/completions",
  nvidia = "https://integrate.api.nvidia.com/v1/chat/completions",
  ollama = "http://127.0.0.1:11434/v1/chat/completions",
  openrouter = "https://openrouter.ai/api/v1/chat/completions",
  perplexity = "https://api.perplexity.ai/chat/completions",
  together = "https://api.together.ai/v1/chat/completions",
  vllm = "http://127.0.0.1:8000/v1/chat/completions",
  xai = "https://api.x.ai/v1/chat/completions",
}

local FIELDS = { account = "acme", host = "acme.cloud.databricks.com" }

-- The adapters that are shipped, in place of the helper's.
local function names()
  local out = {}
  for file in lfs.dir "providers" do out[#out + 1] = file:match("^([%w_]+)%.lua$") end
  return out
end

local SHIPPED = {
  adapters = names, adapter = function(name)
    local ok, adapter = pcall(require, "providers." .. name)
    return ok and adapter or nil
  end,
}

local function load(text) return routes.load(text, nil, SHIPPED) end

-- How each is declared: the fields it needs, and a key.
local function declared(name)
  local fields = { 'api_key = env.KEY' }
  for field in pairs(require("providers." .. name).fields) do
    fields[#fields + 1] = ("%s = %q"):format(field, FIELDS[field])
  end
  return ('local p = provider "%s" { %s }\nmodel "m" { p "x" }\n'):format(name,
    table.concat(fields, ", "))
end

for name, url in pairs(URLS) do
  describe("provider " .. name, function()
    local adapter = require("providers." .. name)

    it("is at most 15 lines", function()
      local _, lines = read(("providers/%s.lua"):format(name)):gsub("\n", "")
      assert.is_true(lines <= 15)
    end)

    it("loads, and lives where it should", function()
      local cfg, errors = load(declared(name))
      assert.same({}, errors)
      local dep = cfg.groups.m.deployments[1]
      local base = adapter.base_url
      base = type(base) == "function" and base(dep) or base
      assert.equal(url, base .. adapter.path)
      assert.equal("Bearer sk-1", adapter.headers(dep).authorization)
    end)

    it("takes no field that it does not know", function()
      local _, errors = load((declared(name):gsub("api_key", "ap_key", 1)))
      assert.truthy(errors[1] and errors[1]:find 'did you mean "api_key"')
    end)

    it("has golden cases", function()
      for _, case in ipairs { "plain", "tools", "error" } do
        local dir = ("tests/golden/%s/%s"):format(name, case)
        assert.equal("directory", lfs.attributes(dir, "mode"), dir)
        local source = read(dir .. "/source")
        assert.truthy(source:find "^recorded: .-\nof: .-%([%w%-%. ]+%)\n$"
          or source:find "^cut from: .-\nof: .-%([%w%-%. ]+%)\n$"
          or source:find "^written after: ", dir)
      end
    end)

    it("is in the README's table", function()
      assert.truthy(read("README.md"):find(("`%s`"):format(name), 1, true))
    end)
  end)
end

describe("CONTRIBUTING's provider in ten minutes", function()
  local function flat(text) return (text:gsub("\n +", "\n"):gsub("%s+$", "")) end

  local manual = flat(read "CONTRIBUTING.md")

  it("shows the file and its golden case as they are", function()
    for _, path in ipairs {
      "providers/databricks.lua", "tests/golden/databricks/plain/call.json",
      "tests/golden/databricks/plain/request.json",
    } do
      local shown = ("\n%s\n```"):format(flat(read(path)))
      assert.truthy(manual:find(shown, 1, true), path)
    end
  end)
end)

describe("docs/providers.md", function()
  it("is not stale", function()
    local list = {}
    for name in pairs(URLS) do list[#list + 1] = name end
    table.sort(list)
    local all = names()
    table.sort(all)
    local text = require("tools.providers_manual").write(list, all, function(name)
      return require("providers." .. name)
    end)
    if os.getenv "GOLDEN" == "write" then
      local file = assert(io.open("docs/providers.md", "wb"))
      file:write(text)
      file:close()
    end
    assert.equal(text, read "docs/providers.md", "run: make golden")
  end)
end)

describe("providers on the generic base", function()
  it("are all in the list above", function()
    for _, name in ipairs(names()) do
      if require("providers." .. name).quirks then assert.is_string(URLS[name], name) end
    end
  end)

  it("need what their address does not say", function()
    for name, field in pairs { cloudflare = "account", databricks = "host" } do
      local _, errors = load(('local p = provider "%s" {}\nmodel "m" { p "x" }'):format(name))
      assert.truthy(errors[1]:find(field, 1, true), errors[1])
    end
  end)

  it("are warned of where their service has ended, and not with an address", function()
    for name, day in pairs { github = "2026-07-30", perplexity = "2026-09-27" } do
      local text = 'local p = provider "%s" { api_key = env.KEY%s }\nmodel "m" { p "x" }'
      local _, _, warnings = load(text:format(name, ""))
      assert.same({ ('1: provider "%s": what it speaks to was served until %s'):format(
        name, day) }, warnings)
      _, _, warnings = load(text:format(name, ', base_url = "https://x/v1"'))
      assert.same({}, warnings)
    end
  end)

  it("are near to their misspellings", function()
    for wrong, right in pairs { grok = "groq", mistrall = "mistral", lmstudio = "lm_studio" } do
      local _, errors = load(('local p = provider "%s" {}\nmodel "m" { p "x" }'):format(wrong))
      assert.truthy(errors[1]:find(('did you mean "%s"'):format(right), 1, true), errors[1])
    end
  end)

  it("find their prices by their section's name", function()
    local asked = {}
    local lookup = prices.lookup
    prices.lookup = function(section) asked[#asked + 1] = section end
    for _, name in ipairs { "together", "fireworks", "vllm", "nvidia", "groq" } do
      local dep = stub.deployment(name, "x")
      dep.provider.adapter_name = name
      prices.listed(dep)
    end
    prices.lookup = lookup
    assert.same({ "together_ai", "fireworks_ai", "hosted_vllm", "nvidia_nim", "groq" }, asked)
  end)
end)
