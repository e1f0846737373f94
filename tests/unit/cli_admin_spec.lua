-- The verbs that ask the gateway: whom they ask, what they send, what people see.

require "engine"
local admin_world = require "unit.admin_world"
local json = require "engine.json"
local lfs = require "lfs"

describe("the command line's admin verbs", function()
  local dir, printed, complaints, sent, answers, reachable, a

  before_each(function()
    a = admin_world.new()
    printed, complaints, sent, answers, reachable = {}, {}, {}, {}, { ["here:1"] = true }
    dir = os.tmpname()
    os.remove(dir)
    lfs.mkdir(dir)
    package.loaded["engine.cli"] = {
      http = function(want)
        if not reachable[want.address] then
          return nil, { kind = "unreachable", message = "no" }
        end
        if want.target == "GET /health/live" then return 200, "{}" end
        sent[#sent + 1] = want
        local answer = table.remove(answers, 1) or { 404, '{"error":{"message":"none"}}' }
        return answer[1], type(answer[2]) == "table" and json.encode(answer[2]) or answer[2]
      end,
    }
    package.loaded["engine.ledger"].open = function(path)
      if path == dir then
        return { ask = function(_, verb, args) return a.answers[verb](args) end }
      end
      return nil, { kind = path == "busy" and "locked" or "missing", message = "no" }
    end
    for name in pairs(package.loaded) do
      if name:find "^cli%." or name:find "^pipeline%.admin" then package.loaded[name] = nil end
    end
  end)

  after_each(function()
    os.remove(dir .. "/admin.addr")
    os.remove(dir)
  end)

  local function run(verb, ...)
    return require("cli." .. verb)({ ... }, {
      print = function(text) printed[#printed + 1] = text end,
      complain = function(text) complaints[#complaints + 1] = text end,
    })
  end

  local function ask(verb, ...)
    local words = { ... }
    words[#words + 1], words[#words + 2] = "--admin", "here:1"
    return run(verb, unpack(words))
  end

  local function record(more)
    local out = {
      id = "k3vq7m2xw4ta", name = "app", team = json.null, models = json.array { "*" },
      rpm = json.null, tpm = json.null, parallel = json.null, budget = json.array { "$5/day" },
      soft_budget = json.array {}, expires = json.null, disabled = false,
      tags = { tier = "batch" },
    }
    for name, value in pairs(more or {}) do out[name] = value end
    return out
  end

  describe("say what was wrong", function()
    it("in a line, and where the help is", function()
      for _, words in ipairs { { "keys", "create" }, { "keys", "update", "app" },
        { "keys", "list", "--nmae", "x" }, { "prices", "import" },
        { "usage", "--bye", "x" } } do
        complaints = {}
        assert.equal(2, run(unpack(words)))
        assert.equal(2, #complaints)
        assert.truthy(complaints[2]:find("^moongate [%l ]+ %-%-help tells more$"),
          complaints[2])
      end
    end)

    it("in the words of the command line, not of the API", function()
      for message, want in pairs {
        ["rpm must be a whole number or null"] = "--rpm must be a whole number or none",
        ["rpm must be a whole number from 1 to 9"] = "--rpm must be a whole number from 1 to 9",
        ["it is not for you"] = "--rpm: it is not for you",
      } do
        complaints, answers = {}, { { 400, { error = { message = message, param = "rpm" } } } }
        assert.equal(2, ask("keys", "create", "app", "--rpm", "x"))
        assert.same({ want }, complaints)
      end
      local error = { message = "budget.0 must be dollars", param = "budget.0" }
      answers = { { 400, { error = error } } }
      complaints = {}
      ask("keys", "create", "app", "--budget", "x")
      assert.same({ "--budget must be dollars" }, complaints)
    end)

    it("of a key that is not there, by its name", function()
      answers = { { 200, { data = json.array {}, next = json.null } },
        { 404, { error = { message = "there is no such key" } } } }
      assert.equal(1, ask("keys", "show", "poor"))
      assert.truthy(complaints[1]:find('no key "poor" in the ledger', 1, true), complaints[1])
    end)

    it("of keys that are past their time", function()
      answers = { { 200, { data = json.array { record { expires = "2020-01-01T00:00:00Z" },
        record { disabled = true }, record() }, next = json.null } } }
      assert.equal(0, ask("keys", "list"))
      assert.truthy(printed[1]:find("00:00:00Z   expired\n", 1, true), printed[1])
      assert.truthy(printed[1]:find("-  disabled\n", 1, true), printed[1])
      answers = { { 201, record { expires = "2020-01-01T00:00:00Z", key = "mg-x-y" } } }
      assert.equal(0, ask("keys", "create", "app", "--expires", "2019-12-31"))
      assert.same({ "mg-x-y", "app is expired" }, { printed[2], complaints[2] })
    end)
  end)

  describe("ask", function()
    local NOTHING = { data = json.array {}, next = json.null }

    it("where they are told to, or nobody", function()
      answers[1] = { 200, NOTHING }
      assert.equal(0, run("budgets", "--admin", "here:1"))
      assert.equal(5, run("budgets", "--admin", "there:1"))
      assert.equal("no gateway answers at there:1", complaints[1])
      assert.equal(2, run("budgets", "--admin", "there"))
    end)

    it("the gateway of the data folder, and its ledger where none runs", function()
      local file = io.open(dir .. "/admin.addr", "w")
      file:write "here:1\n"
      file:close()
      answers[1] = { 200, NOTHING }
      assert.equal(0, run("budgets", "--data", dir))
      assert.equal(1, #sent)
      reachable["here:1"] = nil
      a.answers["budgets.list"] = function() return { rows = json.array {} } end
      assert.equal(0, run("budgets", "--data", dir))
      assert.same({ "There are no budgets.", "There are no budgets in the ledger; those of "
        .. "routes.lua are known to a running gateway alone." }, printed)
      assert.equal(5, run("budgets", "--data", "busy"))
      assert.equal(5, run("budgets", "--data", "nowhere"))
    end)

    it("run the gateway's own operations on a ledger", function()
      a.answers["keys.create"] = function(args)
        assert.same({ name = "app", rpm = 5 }, args)
        return admin_world.key { token = "mg-x-y" }
      end
      assert.equal(0, run("keys", "create", "app", "--rpm", "5", "--data", dir))
      assert.equal("mg-x-y", printed[1])
      assert.equal(2, run("keys", "create", "a;b", "--data", dir))
      assert.is_truthy(complaints[#complaints]:find("name must be", 1, true))
    end)

    it("with the words a verb has, and no others", function()
      for _, words in ipairs {
        { "keys" }, { "keys", "crate", "x" }, { "keys", "create" }, { "keys", "show" },
        { "keys", "create", "x", "y" }, { "keys", "create", "x", "--rmp", "5" },
        { "keys", "update", "x" }, { "teams", "update", "x" }, { "usage", "--by", "colour" },
        { "usage", "--since", "yesterday" }, { "keys", "create", "x", "--tags", "novalue" },
      } do
        assert.equal(2, ask(unpack(words)), table.concat(words, " "))
      end
      assert.same({}, sent)
      assert.is_truthy(table.concat(complaints, "\n"):find('did you mean "create"?', 1, true))
      complaints = {}
      assert.equal(2, ask("usage", "--by", "modle"))
      assert.is_truthy(complaints[1]:find('tag:NAME; did you mean "model"?', 1, true))
    end)
  end)

  describe("keys", function()
    it("prints a new key alone, and the rest where people look", function()
      answers[1] = { 201, record { key = "mg-abc-def" } }
      assert.equal(0, ask("keys", "create", "app", "--budget", "$20/day,$500/month",
        "--models", "gpt-4o, mock/*", "--tags", "tier=batch", "--team", "search",
        "--expires", "2026-12-31"))
      assert.same({ "mg-abc-def" }, printed)
      assert.is_truthy(complaints[1]:find("not shown again", 1, true))
      assert.equal("POST /admin/keys", sent[1].target)
      assert.same({
        name = "app", budget = { "$20/day", "$500/month" }, models = { "gpt-4o", "mock/*" },
        tags = { tier = "batch" }, team = "search", expires = "2026-12-31",
      }, json.decode(sent[1].body))
    end)

    it("are told of, where they name models that there are none of", function()
      local list = json.array { 'models has "smal", which is not a model; did you mean "x"?' }
      local want = 'warning: --models has "smal", which is not a model; did you mean "x"?'
      answers[1] = { 201, record { key = "mg-abc-def", warnings = list } }
      assert.equal(0, ask("keys", "create", "app", "--models", "smal"))
      assert.same({ want }, { complaints[1] })
      assert.same({ "mg-abc-def" }, printed)
      answers = {
        { 200, { data = json.array { record() } } }, { 200, record { warnings = list } },
      }
      assert.equal(0, ask("keys", "update", "app", "--models", "smal"))
      assert.equal(want, complaints[#complaints])
      answers = { { 201, record { warnings = list } } }
      assert.equal(0, ask("teams", "create", "red", "--models", "smal"))
      assert.equal(want, complaints[#complaints])
      assert.equal(4, #complaints)
    end)

    it("end when people say, in any of the forms that are named where it is none", function()
      for _, text in ipairs { "tomorrow", "2026-02-30", "400d", "30" } do
        complaints = {}
        assert.equal(2, ask("keys", "create", "app", "--expires", text))
        for _, want in ipairs { "2026-12-31,", "2026-12-31T18:00:00Z", "30d", "none", text } do
          assert.truthy(complaints[1]:find(want, 1, true), complaints[1])
        end
      end
      assert.same({}, sent)
      for text, want in pairs { none = "^null$", ["30d"] = '^"%d+%-.*Z"$' } do
        answers = { { 201, record { key = "mg-abc-def" } } }
        assert.equal(0, ask("keys", "create", "app", "--expires", text))
        local body = json.index(sent[#sent].body)
        assert.truthy(body:raw("expires"):find(want), text)
      end
    end)

    it("are named by name or by id", function()
      answers = { { 200, { data = json.array { record() } } }, { 200, record() } }
      assert.equal(0, ask("keys", "show", "app"))
      assert.equal("GET /admin/keys?limit=2&name=app", sent[1].target)
      assert.equal("GET /admin/keys/k3vq7m2xw4ta", sent[2].target)
      assert.is_truthy(printed[1]:find("budget +%$5/day"))
      answers = { { 200, { data = json.array {} } }, { 404, '{"error":{"message":"no key"}}' } }
      assert.equal(1, ask("keys", "show", "k3vq7m2xw4ta"))
      assert.equal("GET /admin/keys/k3vq7m2xw4ta", sent[4].target)
      answers = { { 200, { data = json.array { record(), record() } } } }
      assert.equal(1, ask("keys", "disable", "app"))
      assert.is_truthy(complaints[#complaints]:find("several keys", 1, true))
    end)

    it("change what is said, and lose what is `none`", function()
      answers = { { 200, { data = json.array { record() } } }, { 200, record() } }
      assert.equal(0, ask("keys", "update", "app", "--rpm", "none", "--tpm", "5"))
      assert.equal('{"rpm":null,"tpm":5}', sent[2].body)
      assert.equal("PATCH /admin/keys/k3vq7m2xw4ta", sent[2].target)
    end)

    it("are listed to the last page", function()
      answers = {
        { 200, { data = json.array { record() }, next = "k3" } },
        { 200, { data = json.array { record { name = "b" } }, next = json.null } },
      }
      assert.equal(0, ask("keys", "list"))
      assert.equal("GET /admin/keys?after=k3&limit=1000", sent[2].target)
      assert.is_truthy(printed[1]:find("^KEY +ID .*\napp .*\nb "))
    end)

    it("say which flag was wrong", function()
      answers[1] = { 400, '{"error":{"message":"must be less","param":"soft_budget"}}' }
      assert.equal(2, ask("keys", "create", "app", "--soft-budget", "$5/day"))
      assert.equal("--soft-budget: must be less", complaints[1])
    end)
  end)

  describe("usage", function()
    local function answer(more)
      local row = {
        name = "search", requests = 2, failed = 1, input_tokens = 2e6, cached_tokens = 800,
        cache_write_tokens = 0, output_tokens = 20, reasoning_tokens = 0,
        spend_nano = 246913578, spend_usd = "0.246913578",
        unpriced = 0, estimated = 0, suspected_extra_tokens = 0,
      }
      local other, total = {}, {}
      for name, value in pairs(row) do other[name], total[name] = value, value end
      other.name, total.name = 'b,"x"', "total"
      for name, value in pairs(more or {}) do total[name] = value end
      return { 200, {
        by = "key", since = json.null, ["until"] = json.null,
        rows = json.array { row, other }, more = 0, total = total, unsettled = 0,
      } }
    end

    it("prints a table for people", function()
      answers[1] = answer { unpriced = 1, suspected_extra_tokens = 70 }
      assert.equal(0, ask("usage", "--by", "key", "--since", "7d", "--team", "a b"))
      assert.equal("GET /admin/usage?by=key&since=7d&team=a%20b", sent[1].target)
      assert.is_truthy(printed[1]:find "^KEY +REQUESTS")
      assert.is_truthy(printed[1]:find("2,000,000", 1, true))
      assert.is_truthy(printed[1]:find("\ntotal .*%$0%.246913578 %+ %?"))
      assert.equal("1 request of unknown price is not in the sum (?).", printed[2])
      assert.is_truthy(printed[3]:find("70 more input tokens", 1, true))
    end)

    it("prints CSV", function()
      answers[1] = answer()
      assert.equal(0, ask("usage", "--csv"))
      local lines = {}
      for line in (printed[1] .. "\n"):gmatch "(.-)\r\n" do lines[#lines + 1] = line end
      assert.equal(3, #lines)
      assert.is_truthy(lines[1]:find "^name,requests,failed,")
      assert.is_truthy(lines[2]:find("^search,2,1,2000000,800,0,20,0,0.246913578,0,0,0$"))
      assert.is_truthy(lines[3]:find('^"b,""x""",2,'))
    end)

    it("prints JSON as it came", function()
      answers[1] = answer()
      assert.equal(0, ask("usage", "--json"))
      assert.equal("0.246913578", json.decode(printed[1]).total.spend_usd)
    end)
  end)

  it("audit ends with 1 where anything differs", function()
    local function sums(equal)
      local wrong = {
        name = "org, this day", nano = 4, usd = "0.000000004", expected_nano = 5,
        expected_usd = "0.000000005", equal = false,
      }
      return { 200, {
        equal = equal, settled = true, accounts = 2,
        sums = json.array { { name = "requests", nano = 5, usd = "0.000000005",
          expected_nano = 5, expected_usd = "0.000000005", equal = true } },
        different = json.array { not equal and wrong or nil },
      } }
    end
    answers = { sums(true), sums(false), sums(false) }
    assert.equal(0, ask "audit")
    assert.is_truthy(printed[1]:find("accounts (2 sums)", 1, true))
    assert.equal(1, ask "audit")
    assert.is_truthy(printed[3]:find "org, this day +%$0%.000000004 +differs +%$0%.000000005")
    assert.equal(1, ask("audit", "--json"))
  end)
end)
