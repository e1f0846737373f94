-- No undeclared globals: what is not there cannot be read, and cannot come to be.

local strict = {}

local function refuse_read(name)
  error(("undeclared global %q is read"):format(tostring(name)), 3)
end

local function refuse_write(name)
  error(("undeclared global %q is assigned; write local %s"):format(tostring(name),
    tostring(name)), 3)
end

-- Not a tail call: the levels that handlers count to reach the reader stay where they are.
local function reader(on_read)
  return function(_, name)
    local value = on_read(name)
    return value
  end
end

--- Close `env`: names it lacks are read through `on_read(name)`, and assigned through
--- `on_write(name, value)`. Without handlers both raise.
function strict.close(env, on_read, on_write)
  on_read, on_write = on_read or refuse_read, on_write or refuse_write
  return setmetatable(env, {
    __index = reader(on_read),
    __newindex = function(_, name, value) on_write(name, value) end,
    __metatable = false,
  })
end

--- An empty environment in front of `known`: names of `known` are read at the cost of a table
--- look-up and never assigned; the rest goes to the handlers.
function strict.front(known, on_read, on_write)
  setmetatable(known, { __index = reader(on_read) })
  return setmetatable({}, {
    __index = known,
    __newindex = function(_, name, value) on_write(name, value) end,
    __metatable = false,
  })
end

return strict
