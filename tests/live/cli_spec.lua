-- The command line: help, the errors a person needs, exit codes.

local helper = require "helper"
local process = require "support.process"

local BIN = helper.binary:sub(1, 1) == "/" and helper.binary
  or require("lfs").currentdir() .. "/" .. helper.binary

describe("the command line", function()
  local dir

  before_each(function() dir = process.temp_dir() end)
  after_each(function() helper.remove_tree(dir) end)

  local function run(...)
    local env = { OPENAI_API_KEY = false, ANTHROPIC_API_KEY = false, GEMINI_API_KEY = false,
      AZURE_API_KEY = false, MOONGATE_KEY = false, SEARCH_KEY = "mg-search-0123456789abcdef" }
    local status, out, err = process.run({ BIN, ... }, { cwd = dir, env = env })
    return status, out .. err, out
  end

  local function write(text) process.write(dir .. "/routes.lua", text) end

  it("helps, for each verb", function()
    local status, out = run "--help"
    assert.equal(0, status)
    for _, verb in ipairs {
      "serve", "check", "explain", "reload", "usage", "count", "keys", "teams", "budgets",
      "audit",
    } do
      assert.is_truthy(out:find(verb, 1, true), verb)
      local verb_status, verb_out = run(verb, "--help")
      assert.equal(0, verb_status, verb)
      assert.is_truthy(verb_out:find(verb, 1, true), verb_out)
    end
  end)

  it("knows its version", function()
    local status, out = run "--version"
    assert.equal(0, status)
    assert.is_truthy(out:match "%d+%.%d+%.%d+", out)
  end)

  for _, args in ipairs {
    { "nonsense" }, { "serve", "--nonsense" }, { "serve", "--workers", "many" },
    { "serve", "--listen", "here" }, { "serve", "--admin", "0.0.0.0:0" },
    { "serve", "--durability", "none" }, { "serve", "--retention", "0" },
    { "serve", "--admin-token-file", "/nowhere" },
    { "usage", "--by", "phase" }, { "explain" }, {},
  } do
    it("ends with 2 when used wrongly: " .. table.concat(args, " "), function()
      local status, out = run(unpack(args))
      assert.equal(2, status, out)
      assert.is_true(#out > 10)
    end)
  end

  it("suggests the word that was meant", function()
    local _, out = run "relaod"
    assert.is_truthy(out:find("reload", 1, true), out)
  end)

  it("ends with 3 when a named file cannot be read", function()
    for _, verb in ipairs { "check", "serve" } do
      local status, out
      if verb == "check" then
        status, out = run("check", "none.lua")
      else
        status, out = run("serve", "--routes", "none.lua", "--listen", "127.0.0.1:0",
          "--admin", "off") -- a gateway may be running at the usual addresses
      end
      assert.equal(3, status, out)
      assert.is_truthy(out:find("none.lua: cannot be read: No such file", 1, true), out)
    end
  end)

  it("ends with 3 and every reason when the file is wrong", function()
    write [[
local openai = provider "openai" { api_kee = "x" }
model "smart" { openai "gpt-4o", fallbck = { "x" } }
virtualkey "me" {}
]]
    local status, out = run "check"
    assert.equal(3, status, out)
    for _, line in ipairs {
      'routes.lua:1: provider "openai" has no field "api_kee"; did you mean "api_key"?',
      'routes.lua:2: model "smart" has no field "fallbck"; did you mean "fallback"?',
      'routes.lua:3: unknown word "virtualkey"; did you mean "virtual_key"?',
    } do
      assert.is_truthy(out:find(line, 1, true), out)
    end
  end)

  it("refuses a provider that nobody could find, and names a file that is missing", function()
    write [[
local azure = provider "azure" { api_key = "k" }
local vertex = provider "vertex" { token = oauth { service_account = file "gone.json" } }
model "smart" { azure "gpt-4o" }
]]
    local status, out = run "check"
    assert.equal(3, status, out)
    for _, line in ipairs {
      'routes.lua:1: provider "azure": needs the field "resource" or "base_url"',
      'routes.lua:2: file "gone.json" cannot be read: gone.json: no such file',
    } do
      assert.is_truthy(out:find(line, 1, true), out)
    end
  end)

  it("checks and explains a file with adapters of one's own", function()
    write 'model "in" { provider "mine" { base_url = "http://127.0.0.1:9" } "m" }'
    process.write(dir .. "/mine.lua", 'return require("lib.chat").adapter { path = "/x",\n'
      .. "encode = print, decode = print, stream = print }")
    for _, words in ipairs { { "check" }, { "explain", "in" } } do
      local status, out = run(unpack(words))
      assert.equal(3, status, out)
      assert.is_truthy(out:find("--providers DIR", 1, true), out)
      words[#words + 1], words[#words + 2] = "--providers", "."
      status, out = run(unpack(words))
      assert.equal(0, status, out)
      assert.is_truthy(select(2, run(words[1], "--help")):find("--providers DIR", 1, true))
    end
    assert.is_truthy(select(2, run("explain", "in", "--routes", "none.lua"))
      :find("^none.lua: cannot be read"))
  end)

  it("names what is misspelt in an adapter of one's own, and its file", function()
    write 'model "in" { provider "mine" { base_url = "http://127.0.0.1:9" } "m" }'
    process.write(dir .. "/mine.lua", 'return require("lib.chat").adapter {\n'
      .. "headrs = type, quirks = { renam = {} } }")
    local status, out = run("check", "--providers", ".")
    assert.equal(3, status, out)
    assert.is_truthy(out:find('routes.lua:1: provider "mine": its adapter does not load: '
      .. 'providers/mine.lua: it has an unknown member "headrs"; did you mean "headers"?; '
      .. 'it has an unknown member "quirks.renam"; did you mean "rename"?', 1, true), out)
  end)

  it("says which file it checked where there is none", function()
    local status, out = run "check"
    assert.equal(0, status, out)
    assert.is_truthy(out:find("There is no routes.lua here; the built-in file is valid", 1,
      true), out)
  end)

  it("says in JSON what check found", function()
    write 'model "a" { oops }'
    local status, _, out = run("check", "--json")
    assert.equal(3, status)
    local answer = helper.json.decode(out)
    assert.equal("table", type(answer.errors))
    assert.equal(1, answer.errors[1].line)
    write 'model "mock" { provider "mock" {} "mock" }'
    status, _, out = run("check", "--json")
    assert.equal(0, status)
    assert.same({}, helper.json.decode(out).errors)
  end)

  it("warns, with the line, of what a budget cannot pay for", function()
    write [[
model "mock" { provider "mock" {} "mock" }
virtual_key "me" { token = env.SEARCH_KEY, rpm = 5, budget = "$5/day" }]]
    local status, out = run "check"
    assert.equal(0, status, out)
    assert.is_truthy(out:find("routes.lua:1: warning: deployment \"mock/mock\": no price", 1,
      true), out)
  end)

  it("ends with 1 and names the data folder when it cannot be used", function()
    write 'model "mock" { provider "mock" {} "mock" }'
    process.write(dir .. "/taken", "")
    local status, out = run("serve", "--listen", "127.0.0.1:0", "--admin", "off", "--data",
      "taken")
    assert.equal(1, status, out)
    assert.is_truthy(out:find("data folder taken/lock: Not a directory", 1, true), out)
  end)

  it("ends with 4 when the address is taken", function()
    local socket = require "socket"
    local server = assert(socket.bind("127.0.0.1", 0))
    local _, port = server:getsockname()
    write 'model "mock" { provider "mock" {} "mock" }'
    local status, out = run("serve", "--listen", "127.0.0.1:" .. port, "--admin",
      "127.0.0.1:" .. helper.free_port())
    server:close()
    assert.equal(4, status, out)
    assert.is_truthy(out:find(tostring(port), 1, true), out)
    assert.is_truthy(out:find("--listen names another address", 1, true), out)
  end)

  it("tells a host that is not there from an address that is none", function()
    local status, out = run("serve", "--listen", "nowhere.invalid:1", "--admin", "off")
    assert.equal(4, status, out)
    assert.is_truthy(out:find("nowhere.invalid:1: there is no such host", 1, true), out)
  end)

  it("explains offline, from a file", function()
    write [[
local mock = provider "mock" {}
model "smart" {
  mock { "a", weight = 3 },
  mock { "b", weight = 1 },
  fallback = { "small" },
}
model "small" { mock { "c", name = "small" } }
alias { ["gpt-4o"] = "smart" }
]]
    local status, out = run("explain", "gpt-4o", "--routes", "routes.lua", "--tokens", "1200")
    assert.equal(0, status, out)
    for _, text in ipairs {
      "gpt-4o", "alias", "smart", "75 %", "mock/a", "25 %", "mock/b", "small", "routes.lua:8",
    } do
      assert.is_truthy(out:find(text, 1, true), text .. " is not in:\n" .. out)
    end
    local json_status, _, json = run("explain", "gpt-4o", "--routes", "routes.lua", "--json")
    assert.equal(0, json_status)
    assert.equal("table", type(helper.json.decode(json)))
    assert.is_true((run("explain", "none", "--routes", "routes.lua")) > 0)
  end)

  it("serves the embedded file where there is none", function()
    local port, admin = helper.free_port(), helper.free_port()
    local child = process.start({ BIN, "serve", "--listen", "127.0.0.1:" .. port, "--admin",
      "127.0.0.1:" .. admin }, { cwd = dir, stdout = dir .. "/out" })
    helper.wait_until(function()
      local ok, response = pcall(helper.http.request, port, { path = "/healthz" })
      return ok and response and response.status == 200
    end, 10, "the embedded file served")
    local response = helper.http.request(port, { method = "POST", path = "/v1/chat/completions",
      headers = { ["content-type"] = "application/json" }, body = helper.ask "mock" })
    assert.equal(200, response.status, response.body)
    assert.equal(0, child:stop())
  end)
end)
