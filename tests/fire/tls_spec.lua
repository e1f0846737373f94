-- Providers whose certificate or handshake is not to be trusted: they never see our key.

local fire = require "support.fire"
local helper = require "helper"
local refused = require "support.refusal"

describe("a provider behind TLS", function()
  local world = fire.world()
  local up = world.up
  local authority

  local BAD = { -- name → what the authority is asked for
    expired = { to = "20210101000000Z" },
    ["not yet valid"] = { from = "20480101000000Z" },
    ["of another host"] = { san = "DNS:api.example.com" },
    ["of another address"] = { san = "IP:127.0.0.2" },
  }

  local ports = {}

  local function make(at)
    authority = world:authority()
    ports.good = at:tls("good", authority:server { name = "good" })
    for name, want in pairs(BAD) do
      want.name = name:gsub(" ", "-")
      ports[name] = at:tls("good", authority:server(want))
    end
    ports["its own authority"] = at:tls("good", authority:lonely "lonely")
    ports["of an unknown authority"] =
      at:tls("good", world:authority("another"):server { name = "unknown" })
    local files = authority:server { name = "plain" }
    ports["TLS 1.0"] = at:tls("tls1.0", files)
    ports.alpn = at:tls("alpn", files)
    ports.stalls = at:tls("good", files)
    ports.closes = at:tls("good", files)
  end

  setup(function()
    fire.start(world, {
      scale = 0.1, connect = "15s", args = { "--ca-file", "" }, warm = false,
      prepare = function(at, args)
        make(at)
        args[2] = authority.file
      end,
      routes = function()
        local out = {}
        for name, port in pairs(ports) do
          local url = ("https://127.0.0.1:%d/%s/v1"):format(port, "tls")
          out[#out + 1] = fire.model(name, { fire.deployment(name:gsub(" ", "-"), url) },
            'retries = 2, backoff = "1ms"')
        end
        return table.concat(out)
      end,
    })
  end)
  teardown(function() world:stop() end)

  -- Or all below would show nothing.
  world:row("U-08: a good certificate is trusted", { hits = 2, without = { memory = true } },
    function()
      up:reply("tls", { body = helper.completion "safe" })
      for _ = 1, 2 do
        local response = world:chat "good"
        assert.equal(200, response.status, response.body)
      end
      local requests = up:requests "tls"
      assert.equal(requests[1].connection, requests[2].connection)
      assert.equal("Bearer " .. fire.provider_key, requests[1].headers.authorization)
    end)

  local function untrusted(name, id)
    world:row(id .. ": " .. name .. ": refused, our key is not sent, and nobody tries again",
      { hits = 0, without = { memory = true } }, function()
        refused(world:chat(name), 502, "upstream_tls_error")
        assert.equal(1, #world:last_row().attempts)
      end)
  end

  for name in pairs(BAD) do untrusted(name, "U-08") end
  untrusted("its own authority", "U-08")
  untrusted("of an unknown authority", "U-08")
  untrusted("TLS 1.0", "U-09")
  untrusted("alpn", "U-09")

  world:row("U-09: a handshake that stalls", { hits = 0, without = { memory = true } },
    function()
      up:accept("hold", ports.stalls)
      refused(world:chat "stalls", 504, "upstream_connect_timeout")
    end)

  world:row("U-09: closed within the handshake", { hits = 0, without = { memory = true } },
    function()
      up:accept("rst", ports.closes)
      local response = world:chat "closes"
      assert.equal(502, response.status, response.body)
      up:accept("cut", ports.closes)
      assert.equal(502, world:chat("closes").status)
    end)
end)
