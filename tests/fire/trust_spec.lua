-- Whom the gateway trusts as a provider: nobody talks it out of that, and what was verified for
-- one host is never used for another.

local fire = require "support.fire"
local helper = require "helper"
local refused = require "support.refusal"

-- What people set, or somebody set for them, to have certificates not looked at.
local ENVIRONMENT = {
  SSL_CERT_FILE = "CA", SSL_CERT_DIR = "DIR", CURL_CA_BUNDLE = "CA", REQUESTS_CA_BUNDLE = "CA",
  NODE_TLS_REJECT_UNAUTHORIZED = "0", PYTHONHTTPSVERIFY = "0", GIT_SSL_NO_VERIFY = "1",
  https_proxy = "http://127.0.0.1:PORT", HTTPS_PROXY = "http://127.0.0.1:PORT",
  http_proxy = "http://127.0.0.1:PORT", ALL_PROXY = "http://127.0.0.1:PORT",
  all_proxy = "socks5h://127.0.0.1:PORT", SSLKEYLOGFILE = "DIR/keys", CURL_HOME = "DIR",
  HOME = "DIR", NETRC = "DIR/.netrc",
}

local FREE = { memory = true }

describe("S-29: verification", function()
  local world = fire.world()
  local up = world.up
  local authority
  local port = {}

  setup(function()
    local env = {}
    fire.start(world, {
      env = env, warm = false,
      prepare = function(at)
        authority = world:authority()
        port.tls = at:tls("good", authority:server { name = "good" })
        port.proxy = at:another_port()
        helper.process.write(authority.dir .. "/.curlrc", "insecure\n")
        helper.process.write(authority.dir .. "/.netrc",
          "machine 127.0.0.1 login evil password evil\n")
        for name, value in pairs(ENVIRONMENT) do
          env[name] = value:gsub("PORT", tostring(port.proxy)):gsub("DIR", authority.dir)
            :gsub("CA", authority.file)
        end
      end,
      routes = function(at)
        return fire.model("secret", { fire.deployment("secret",
            ("https://127.0.0.1:%d/tls/v1"):format(port.tls)) })
          .. fire.model("plain", { fire.deployment("plain", at:url "plain" .. "/v1") })
      end,
    })
  end)
  teardown(function() world:stop() end)

  world:row("S-29: is not switched off by what stands in the environment",
    { hits = 0, without = FREE }, function()
      refused(world:chat "secret", 502, "upstream_tls_error")
      assert.is_nil(io.open(authority.dir .. "/keys"), "a file of session keys")
    end)

  world:row("S-29: no proxy of the environment sees a call, nor a password of a file",
    { hits = 1, without = FREE }, function()
      up:reply("plain", { body = helper.completion "plain" })
      assert.equal(200, world:chat("plain").status)
      local request = up:last "plain"
      assert.equal("Bearer " .. fire.provider_key, request.headers.authorization)
      assert.equal("/plain/v1/chat/completions", request.path)
    end)

  it("S-29: has no word that switches it off", function()
    for _, word in ipairs {
      "verify = false", "insecure = true", "ssl_verify = false", "tls = false",
      "verify_peer = false", "skip_verify = true", "ca_file = ''",
    } do
      local file = authority.dir .. "/routes.lua"
      helper.process.write(file, ('model "m" { provider "openai" { api_key = env.K, %s } "m" }')
        :format(word))
      local status, out, err = helper.process.run({ helper.binary, "check", file },
        { env = { K = "sk-0123456789abcdefghij" } })
      assert.not_equal(0, status, word)
      assert.is_truthy((out .. err):find("has no field", 1, true), out .. err)
    end
    for _, flag in ipairs { "--insecure", "-k", "--no-verify", "--skip-tls-verify" } do
      local status = helper.process.run { helper.binary, "serve", flag }
      assert.not_equal(0, status, flag)
    end
  end)

  it("S-29: --ca-file that is not there is refused, not left out", function()
    local status, out, err = helper.process.run {
      helper.binary, "serve", "--ca-file", authority.dir .. "/nowhere",
    }
    assert.not_equal(0, status)
    assert.is_truthy((out .. err):find("nowhere", 1, true), out .. err)
  end)
end)

describe("S-30: connections", function()
  local world = fire.world()
  local up = world.up
  local authority, tls

  setup(function()
    fire.start(world, {
      args = { "--ca-file", "" }, warm = false,
      prepare = function(at, args)
        authority = world:authority()
        args[2] = authority.file
        tls = at:tls("good", authority:server { name = "good", san = "IP:127.0.0.1" })
      end,
      routes = function()
        local out = {}
        for name, host in pairs { good = "127.0.0.1", other = "localhost" } do
          out[#out + 1] = fire.model(name, { fire.deployment(name,
            ("https://%s:%d/tls/v1"):format(host, tls)) })
        end
        return table.concat(out)
      end,
    })
  end)
  teardown(function() world:stop() end)

  -- Both lead to one address and one port; the certificate is the first one's.
  world:row("S-30: that were verified for one host are never another's",
    { hits = 3, without = FREE }, function()
      up:reply("tls", { body = helper.completion "good" })
      for _ = 1, 3 do
        assert.equal(200, world:chat("good").status)
        refused(world:chat "other", 502, "upstream_tls_error")
      end
      local requests = up:requests "tls"
      assert.equal(requests[1].connection, requests[3].connection, "the good one is pooled")
    end)
end)
