-- oauth { … } in routes.lua: what it takes, and on which line its mistakes are told.

require "engine"

local json = require "engine.json"
local routes = require "routes_helper"
local rsa = require "support.rsa"

local KEY = rsa.key()

local function account(changes)
  local out = {
    type = "service_account", project_id = "acme-1", private_key_id = "k1", private_key = KEY,
    client_email = "a@b.c", token_uri = "https://oauth2.googleapis.com/token",
  }
  for name, value in pairs(changes or {}) do out[name] = value or nil end
  return json.encode(out)
end

local CLIENT = 'client_id = "id", client_secret = env.SECRET'

local function env(changes)
  return { ACCOUNT = account(changes), SECRET = "hush-hush-hush", KEY = "sk-1" }
end

local function load(oauth, changes, provider)
  return routes.load(("local t = oauth { %s }\n"):format(oauth)
    .. (provider or 'local p = provider "vertex" { token = t, project = "x" }\n')
    .. 'model "a" { p "gemini-2.5-pro" }\n', env(changes))
end

local function token(oauth, changes)
  local cfg, errors = load(oauth, changes)
  assert.same({}, errors)
  return cfg.groups.a.deployments[1].provider.token
end

local function refused(want, oauth, changes, provider)
  local cfg, errors = load(oauth, changes, provider)
  assert.is_nil(cfg)
  assert.equal(1, #errors, errors[2])
  assert.equal(want, errors[1])
end

describe("oauth", function()
  it("takes a service account's file, which says the rest", function()
    local source = token "service_account = env.ACCOUNT"
    assert.equal("https://oauth2.googleapis.com/token", source.token_url)
    assert.equal("https://www.googleapis.com/auth/cloud-platform", source.scope)
    assert.equal("acme-1", source.project)
    source = token 'service_account = env.ACCOUNT, scope = "s", token_url = "https://a.b/t"'
    assert.equal("https://a.b/t", source.token_url)
    assert.equal("s", source.scope)
    assert.equal("https://oauth2.googleapis.com/token", source.account.token_uri)
  end)

  it("takes a client's credentials", function()
    local source = token('token_url = "https://a.b/t", scope = "s", ' .. CLIENT)
    assert.same({
      token_url = "https://a.b/t", scope = "s", client_id = "id",
      client_secret = "hush-hush-hush",
    }, source)
  end)

  it("asks in the clear only within one's own network", function()
    for _, host in ipairs {
      "127.0.0.1:80", "localhost:8080", "10.1.2.3", "192.168.0.9", "172.16.0.1", "172.31.9.9",
      "[::1]:80", "[fd00::1]",
    } do
      assert.is_table(token(('token_url = "http://%s/t", %s'):format(host, CLIENT)), host)
    end
    for _, host in ipairs {
      "login.example.com", "172.32.0.1", "11.0.0.1", "127.evil.example", "[2001:db8::1]",
      "10.evil.example", "localhost.example.com",
    } do
      refused("1: oauth: token_url must be https, or on this machine or a private network",
        ('token_url = "http://%s/t", %s'):format(host, CLIENT))
    end
    refused("1: oauth: service_account has a token_uri that is not https",
      "service_account = env.ACCOUNT", { token_uri = "http://127.0.0.1/token" })
  end)

  it("says what is wrong with a service account", function()
    refused('1: oauth: service_account must be the text of a service account\'s key, such as '
      .. 'file "vertex.json"', 'service_account = "vertex.json"')
    refused("1: oauth: service_account has no client_email", "service_account = env.ACCOUNT",
      { client_email = false })
    refused("1: oauth: service_account has a private_key that is no RSA key in PEM",
      "service_account = env.ACCOUNT", { private_key = "-----BEGIN PRIVATE KEY-----\nx" })
    refused("1: oauth: service_account has a token_uri that must be an address such as "
      .. '"https://api.example.com/v1", not "x"', "service_account = env.ACCOUNT",
      { token_uri = "x" })
  end)

  it("says what is missing, and what is too much", function()
    refused('1: oauth: needs a service_account, or the field "token_url"', CLIENT)
    refused('1: oauth: needs a service_account, or the field "client_secret"',
      'token_url = "https://a.b/t", client_id = "id"')
    refused("1: oauth: has a service_account and a client's credentials; one of them is enough",
      "service_account = env.ACCOUNT, " .. CLIENT)
    refused('1: oauth has no field "client_ids"; did you mean "client_id"?',
      'client_ids = "x", service_account = env.ACCOUNT')
    refused("1: environment variable NOWHERE is not set",
      "service_account = env.ACCOUNT, scope = env.NOWHERE")
  end)

  it("asks the machine for its own account, where that is Google's", function()
    local cfg = load "metadata = true"
    assert.same({
      metadata = true, token_url = "http://metadata.google.internal/computeMetadata/v1/instance"
        .. "/service-accounts/default/token",
    }, cfg.groups.a.deployments[1].provider.token)
    refused("1: oauth: asks the machine; scope says nothing then",
      'metadata = true, scope = "s"')
    refused('2: provider "vertex": needs a project, since its token names none',
      "metadata = true", nil, 'local p = provider "vertex" { token = t }\n')
  end)

  it("belongs into the token of a provider, which has no key then", function()
    refused("2: provider \"azure\": has an api_key and a token; one of them is enough",
      'token_url = "https://a.b/t", ' .. CLIENT, nil,
      'local p = provider "azure" { resource = "r", api_key = env.KEY, token = t }\n')
    refused('2: provider "azure": token must be oauth { … } or a text, such as env.NAME, '
      .. "not a table", 'token_url = "https://a.b/t", ' .. CLIENT, nil,
      'local p = provider "azure" { resource = "r", token = {} }\n')
    refused('2: provider "azure": api_key must be a text, such as env.NAME, not a table',
      'token_url = "https://a.b/t", ' .. CLIENT, nil,
      'local p = provider "azure" { resource = "r", api_key = t }\n')
  end)
end)
