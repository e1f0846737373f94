---@meta
-- engine.guard, .overload, .vm, .admin and .cli: operator code, files, the gateway itself, its commands.

-- engine.guard -------------------------------------------------------------------------------

---@class guard
local guard = {}

---Run an operator's function: watched by instruction hook, processor time (25 ms) and memory cap. It may
---not wait.
---@param fn function
---@param ... any
---@return boolean ok, any ...  its results, or the error
function guard.call(fn, ...) end

-- engine.overload ----------------------------------------------------------------------------

---@class overload
local overload = {}

---What is said to requests that are not served, from now on: the first row that fits. Paths end
---in `*` where their beginning counts; a row without a status is for who is always served.
---@param rows { path?: string, method?: string, header?: string, status?: integer, body?: string }[]
function overload.say(rows) end

-- engine.vm ----------------------------------------------------------------------------------

---The files of this generation.
---@class vm
local vm = {}

---Compile text, never bytecode, for the interpreter only, with this environment.
---@param source string
---@param chunkname string
---@param env table
---@return function?, string? message
function vm.load(source, chunkname, env) end

---@param name string
---@return string? bytes
function vm.source(name) end

---@return string[]
function vm.files() end

---Is it a drop-in provider file?
---@param name string
---@return boolean
function vm.is_operator(name) end

---@param name string
---@return string?
function vm.getenv(name) end

---Only while files load.
---@param path string
---@return string?, string? message
function vm.read_file(path) end

---String functions with a step limit.
---@return table<string, function>
function vm.safe_string() end

---table.sort, which takes more than 20,000 elements only with a function of Lua's to compare by.
---@return fun(t: table, less?: fun(a: any, b: any): boolean)
function vm.safe_sort() end

---@class VmOptions
---@field routes string       what people call the routes file
---@field built_in boolean    it is the embedded one
---@field loopback boolean    clients come from this machine only
---@field cli boolean
---@field trial boolean       nothing will be served from this state
---@field generation integer
---@field prices_problem? string  why the table of prices in the data folder was refused

---@return VmOptions
function vm.options() end

-- engine.admin -------------------------------------------------------------------------------

---@class admin
local admin = {}

---All metrics as Prometheus text.
---@return string
function admin.metrics() end

---Read all files again; all or nothing. err.message has a line for each reason. **waits**
---@return true?, EngineError?
function admin.reload() end

---@return integer
function admin.generation() end

---@class AdminStatus
---@field generation integer
---@field last_reload_ok boolean
---@field last_reload_s number
---@field draining boolean
---@field admin_remote boolean  the admin listener is reached from other machines
---@field boot number           ms; what this process' rows say in the ledger
---@field error string?

---@return AdminStatus
function admin.status() end

---Is this the admin token? In constant time.
---@param text string
---@return boolean?  nil: none is configured
function admin.is_token(text) end

-- engine.cli ---------------------------------------------------------------------------------

---Only in a command's state.
---@class cli
local cli = {}

---Ask a gateway's admin listener, over a blocking socket. `target` is "POST /path".
---@param request { address: string, target: string, token: string?, body: string? }
---@return integer? status, string|EngineError body
function cli.http(request) end

return { guard = guard, overload = overload, vm = vm, admin = admin, cli = cli }
