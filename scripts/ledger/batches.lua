-- Which batches were billed: what one used is told by everybody who looks at it, and paid once.

local sql = require "engine.sql"

local batches = {}

--- Is the caller the first to claim what `name` stands for?
function batches.claim(args)
  return sql.durable(function()
    return sql.run("INSERT OR IGNORE INTO meta (k, v) VALUES (?, ?)",
      "batch:" .. tostring(args.name), 1) == 1
  end)
end

return batches
