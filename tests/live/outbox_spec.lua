-- Usage of several gateways in one PostgreSQL, a real one: every row once, whatever dies.

local helper = require "helper"
local postgres = require "support.postgres"
local process = require "support.process"
local sql = require "support.sql"

local KEY = "mg-test-outbox-0123456789abcdef"
local BODY = helper.ask("one", '"max_tokens":5')
-- Who holds the whole table, and who waits for it.
local LOCKED = [[SELECT count(*) FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock'
  AND relation = 'moongate_requests'::regclass]]
local STUCK = [[SELECT count(*) FROM pg_locks WHERE NOT granted
  AND relation = 'moongate_requests'::regclass]]

describe("the outbox", function()
  if postgres.missing() then
    pending(postgres.missing())
    return
  end

  local up, server, gws, folders

  setup(function()
    up = helper.upstream()
    server = postgres.start()
  end)

  teardown(function()
    up:stop()
    server:stop()
  end)

  before_each(function()
    gws, folders = {}, {}
    up:reset()
    for _, lane in ipairs { "one", "two" } do
      up:reply(lane, { body = helper.completion "hi" })
    end
    server:sql "DROP TABLE IF EXISTS moongate_requests, moongate_attempts"
  end)

  after_each(function()
    for _, gw in ipairs(gws) do
      gw:assert_silent()
      gw:stop()
    end
    for _, folder in ipairs(folders) do helper.remove_tree(folder) end
  end)

  local function join(name, options)
    options = options or {}
    options.env = {
      KEY = KEY, MOONGATE_NODE = name, MOONGATE_POSTGRES_URL = options.url or server.url,
    }
    options.routes = helper.routes(up, { "one", "two" }, [[
virtual_key "k" { token = env.KEY, team = "red", tags = { app = "x" } }]])
    local gw = helper.gateway(options)
    gws[#gws + 1] = gw
    return gw
  end

  -- `n` requests to each gateway, one after the other.
  local function ask(n, body)
    for _, gw in ipairs(gws) do
      for _ = 1, n do assert.equal(200, gw:chat(body or BODY, { key = KEY }).status) end
    end
  end

  local function backlog(gw) return gw:metric "moongate_outbox_backlog_rows" end
  local function rows(gw, result)
    return gw:metric("moongate_outbox_rows_total", { result = result })
  end

  local function in_postgres(table)
    local ok, text = pcall(server.sql, server, "SELECT count(*) FROM moongate_" .. table)
    return ok and tonumber(text) or 0
  end

  local function wait_rows(n, table)
    table = table or "requests"
    helper.wait_until(function() return in_postgres(table) >= n end, 60,
      function() return ("%d %s; there are %d"):format(n, table, in_postgres(table)) end)
  end

  -- What all ledgers hold: requests, attempts, nano-dollars. Stops the gateways.
  local function in_ledgers()
    require "engine"
    local scratch, engine_sql = require "engine.scratch", require "engine.sql"
    local requests, attempts, nano = 0, 0, 0
    for _, gw in ipairs(gws) do
      gw:assert_silent()
      assert.equal(0, gw.process:stop(process.TERM, 15))
      scratch.open(gw.data)
      local row = engine_sql.row [[
        SELECT count(*) AS n, coalesce(sum(cost_nano), 0) AS s FROM requests]]
      requests, nano = requests + row.n, nano + row.s
      attempts = attempts + engine_sql.row("SELECT count(*) AS n FROM attempts").n
      scratch.close()
      helper.remove_tree(gw.dir)
    end
    gws = {}
    return ("%d|%d|%d"):format(requests, nano, attempts)
  end

  local function all_in_postgres()
    return server:sql [[SELECT (SELECT count(*) FROM moongate_requests),
      (SELECT coalesce(sum(cost_nano), 0) FROM moongate_requests),
      (SELECT count(*) FROM moongate_attempts)]]
  end

  local function crash(gw)
    local child = gw:child()
    gw.loud = true -- its log tells of the restart
    local running = {}
    for i = 1, 10 do running[i] = gw:chat_open(BODY, { key = KEY }) end
    assert(process.run { "kill", "-9", tostring(child) } == 0)
    for i = 1, 10 do running[i]:close() end
    helper.wait_until(function()
      local ok, response = pcall(gw.request, gw, { path = "/healthz", timeout = 2 })
      return gw:child() ~= child and ok and response and response.status == 200
    end, 30, "a new process")
  end

  -- Everything has gone out, also what is still on its way into the ledger; attempts last.
  local function wait_through()
    local expected, attempts = 0, 0
    for _, gw in ipairs(gws) do
      local seen = {}
      for _, line in ipairs(gw:journal()) do seen[line.id] = true end
      for _ in pairs(seen) do expected = expected + 1 end
    end
    wait_rows(expected)
    for _, gw in ipairs(gws) do
      attempts = attempts + sql.value(gw.data .. "/ledger.db", "SELECT count(*) FROM attempts")
    end
    wait_rows(attempts, "attempts")
    for _, gw in ipairs(gws) do
      helper.wait_until(function() return backlog(gw) == 0 end, 20, "an empty backlog")
    end
  end

  it("takes every column over, by its name", function()
    join("node-1", { url = (server.url:gsub("127%.0%.0%.1", "localhost")) })
    ask(1)
    wait_rows(1, "attempts") -- which go after requests
    local row = "node-1|k|red|{\"app\": \"x\"}|one|gpt-4o-mini|10|5|20000|ok|200|1"
    assert.equal(row, server:sql [[
      SELECT node, key_name, team, tags, model, upstream_model, input_tokens, output_tokens,
             cost_nano, outcome, status, attempts FROM moongate_requests]])
    assert.equal("1|t|20000|200",
      server:sql "SELECT n, billed, cost_nano, status FROM moongate_attempts")
    assert.equal("0", server:sql [[
      SELECT count(*) FROM moongate_requests
      WHERE abs(extract(epoch FROM ts - now())) > 60 OR admitted > ts + interval '1 second']])
    helper.wait_until(function() return gws[1]:metric "moongate_outbox_up" == 1 end, 20,
      "an outbox that knows it") -- after all has gone
    assert.equal(2, rows(gws[1], "sent"))
  end)

  it("B-31: after PostgreSQL and the gateways died by turns, the sums are equal", function()
    join "a"
    join "b"
    ask(20)
    server:kill()
    ask(20)
    crash(gws[1])
    ask(20)
    server:start()
    ask(10)
    crash(gws[2])
    ask(10)
    server:kill()
    server:start()
    ask(5)
    wait_through()
    local ours = in_ledgers()
    assert.equal(ours, all_in_postgres())
    local requests, nano = ours:match "^(%d+)|(%d+)|"
    assert.is_true(tonumber(requests) >= 170 and tonumber(nano) >= 170 * 20000)
  end)

  it("C-26: what PostgreSQL misses waits in the ledger, also through a restart", function()
    server:kill()
    local gw = join "a"
    ask(60)
    helper.wait_until(function() return backlog(gw) == 120 end, 20,
      function() return "120 rows of backlog, not " .. backlog(gw) end)
    assert.equal(0, gw:metric "moongate_outbox_up")
    crash(gw)
    assert.equal(0, rows(gw, "sent"))
    server:start()
    wait_through()
    assert.equal("t", server:sql [[SELECT count(DISTINCT seq) = max(seq) - min(seq) + 1
      FROM moongate_requests]])
    assert.equal(1, #gw:log "outbox_up")
    assert.equal(in_ledgers(), all_in_postgres())
  end)

  it("C-27: deadlocks and serialization failures are tried again", function()
    join "a"
    ask(1)
    wait_rows(1)
    server:sql [[CREATE SEQUENCE tries;
      CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        CASE nextval('tries')
          WHEN 1 THEN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01';
          WHEN 2 THEN RAISE EXCEPTION 'not serializable' USING ERRCODE = '40001';
          WHEN 3 THEN RAISE EXCEPTION 'shutting down' USING ERRCODE = '57P01';
          ELSE RETURN NEW;
        END CASE;
      END $$;
      CREATE TRIGGER stumble BEFORE INSERT ON moongate_requests
        FOR EACH ROW EXECUTE FUNCTION stumble()]]
    ask(5)
    wait_rows(6)
    assert.equal(0, rows(gws[1], "quarantined"))
    assert.is_true(gws[1]:metric "moongate_outbox_retries_total" >= 3)
    server:sql "DROP FUNCTION stumble CASCADE; DROP SEQUENCE tries"
  end)

  it("C-27: a lock that lasts delays rows, and no request", function()
    join "a"
    ask(1)
    wait_rows(1)
    local blocker = process.start({ "psql", "-d", server.url, "-c",
      "BEGIN; LOCK TABLE moongate_requests IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)" }, {})
    local function held() return server:sql(LOCKED) == "1" end
    helper.wait_until(held, 10, "the lock")
    ask(20)
    helper.wait_until(function() return server:sql(STUCK) == "1" end, 10, "rows that wait")
    ask(1)
    assert.is_true(held()) -- all was answered while no row could go
    server:sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%(60)'"
    wait_rows(22)
    blocker:stop()
  end)

  it("C-27: who finds no connection left waits for one", function()
    server:sql [[CREATE ROLE few LOGIN PASSWORD 'open-sesame' CONNECTION LIMIT 1;
      GRANT ALL ON SCHEMA public TO few]]
    local url = server.url:gsub("moongate:", "few:")
    join("a", { url = url })
    ask(1)
    wait_rows(1)
    join("b", { url = url })
    ask(3)
    helper.wait_until(function() return #gws[2]:log "outbox_waits" > 0 end, 20, "no connection")
    assert.is_truthy(gws[2]:log("outbox_waits")[1].message:find "connection")
    server:sql "ALTER ROLE few CONNECTION LIMIT 5"
    wait_rows(7)
    server:sql "DROP OWNED BY few"
    server:sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'few'"
    server:sql "DROP ROLE few"
  end)

  it("C-27: a row that is refused for good goes to a file, and the others go on", function()
    local gw = join "a"
    gw.loud = true -- the alarm is an error
    ask(1)
    wait_rows(1)
    server:sql "ALTER TABLE moongate_requests ADD CONSTRAINT picky CHECK (model <> 'two')"
    ask(3)
    ask(1, helper.ask "two")
    ask(3)
    wait_rows(7)
    wait_rows(8, "attempts")
    helper.wait_until(function() return backlog(gw) == 0 end, 20, "an empty backlog")
    assert.equal(1, rows(gw, "quarantined"))
    local row = helper.json.decode(process.read(gw.data .. "/outbox.quarantine.jsonl"))
    assert.equal("two", row.model)
    assert.equal(20000, row.cost_nano)
    assert.is_truthy(gw:log("outbox_quarantine")[1].message:find "picky")
    assert.equal("7|140000|8", all_in_postgres())
  end)

  it("goes on where it was after a restart", function()
    local gw = join "a"
    ask(30)
    wait_rows(30, "attempts")
    helper.wait_until(function() return backlog(gw) == 0 end, 20, "an empty backlog")
    assert.equal(0, gw.process:stop(process.TERM, 15))
    table.remove(gws)
    folders[1] = gw.dir -- the next one writes there, to its end
    join("a", { data = gw.data })
    ask(3)
    wait_rows(33)
    helper.wait_until(function() return rows(gws[1], "sent") >= 6 end, 20,
      "attempts, which go after requests")
    assert.equal(6, rows(gws[1], "sent"))
    assert.is_true(rows(gws[1], "duplicate") <= 60)
  end)

  it("makes tables that somebody dropped, and leaves them to those who made them", function()
    join "a"
    ask(2)
    wait_rows(2)
    server:sql "DROP TABLE moongate_requests"
    ask(2)
    wait_rows(2)
    server:sql [[CREATE ROLE poor LOGIN PASSWORD 'open-sesame';
      GRANT SELECT, INSERT ON moongate_requests, moongate_attempts TO poor]]
    join("b", { url = (server.url:gsub("moongate:", "poor:")) })
    ask(1)
    wait_rows(4)
    server:sql "DROP OWNED BY poor; DROP ROLE poor"
  end)

  it("S-21: no token, no prompt, no key of a provider's is in its rows", function()
    local gw = join "a"
    gw:chat('{"model":"one","messages":[{"role":"user","content":"canary-prompt"}]}',
      { key = KEY })
    gw:chat('{"model":"one","messages":[{"role":"user","content":"canary-prompt"}],'
      .. '"temperature":"canary"}', { key = KEY })
    wait_rows(1)
    local text = server:sql "SELECT r::text FROM moongate_requests r"
      .. server:sql "SELECT r::text FROM moongate_attempts r"
    for _, secret in ipairs { KEY, "canary", "upstream-key", "hi there", "open-sesame" } do
      assert.is_nil(text:find(secret, 1, true), secret)
    end
    assert.is_nil(gw:log_text():find("open-sesame", 1, true))
  end)

  it("refuses to start with an address it cannot use, and does not repeat it", function()
    local dir = process.temp_dir()
    local status, out, err = process.run({
      helper.binary, "serve", "--data", dir .. "/data", "--listen",
      "127.0.0.1:" .. helper.free_port(), "--admin", "off",
    }, { env = { MOONGATE_POSTGRES_URL = "postgres://me:open-sesame@[h" } })
    helper.remove_tree(dir)
    assert.equal(3, status)
    assert.is_truthy((out .. err):find("MOONGATE_POSTGRES_URL", 1, true))
    assert.is_nil((out .. err):find("open-sesame", 1, true))
  end)
end)
