-- Programs under test: started without a shell, killed when the tests end, however they end.

local ffi = require "ffi"
local lfs = require "lfs"
local socket = require "socket"

ffi.cdef [[
int fork(void);
int getpid(void);
unsigned getuid(void);
int execvp(const char *file, char *const argv[]);
int kill(int pid, int sig);
int waitpid(int pid, int *status, int options);
int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
int open(const char *path, int flags, ...);
int dup2(int from, int to);
int close(int fd);
int setenv(const char *name, const char *value, int overwrite);
int unsetenv(const char *name);
int chdir(const char *path);
int chmod(const char *path, unsigned mode);
void _exit(int status);
char *mkdtemp(char *template);
]]

local C = ffi.C
local O_WRONLY_CREAT_APPEND = 0x1 + 0x40 + 0x400
local PR_SET_PDEATHSIG, WNOHANG = 1, 1

local process = { HUP = 1, INT = 2, KILL = 9, TERM = 15 }

local Process = {}
Process.__index = Process

local function argv_of(args)
  local argv = ffi.new("const char *[?]", #args + 1)
  for i, arg in ipairs(args) do argv[i - 1] = arg end
  return ffi.cast("char *const *", argv), argv
end

local function redirect(path, flags, to)
  local fd = C.open(path, flags, ffi.cast("int", 384)) -- 0600
  C.dup2(fd, to)
  if fd ~= to then C.close(fd) end
end

-- Between fork and exec: nothing here may come back.
local function become(args, options)
  C.prctl(PR_SET_PDEATHSIG, process.KILL, 0, 0, 0)
  redirect("/dev/null", 0, 0)
  local stdout = options.stdout or "/dev/null"
  redirect(stdout, O_WRONLY_CREAT_APPEND, 1)
  if options.stderr then
    redirect(options.stderr, O_WRONLY_CREAT_APPEND, 2)
  else
    C.dup2(1, 2) -- opened again, a pipe whose reader has gone meanwhile would wait for one
  end
  for name, value in pairs(options.env or {}) do
    if value then C.setenv(name, value, 1) else C.unsetenv(name) end
  end
  if options.cwd and C.chdir(options.cwd) ~= 0 then C._exit(126) end
  local argv, anchor = argv_of(args)
  C.execvp(args[1], argv)
  C._exit(anchor and 127)
end

--- Start a program. options: stdout, stderr (files, appended to), env (false removes), cwd.
function process.start(args, options)
  local pid = C.fork()
  assert(pid >= 0, "fork failed")
  if pid == 0 then become(args, options or {}) end
  return setmetatable({ pid = pid }, Process)
end

--- Send a signal.
function Process:kill(signal) return C.kill(self.pid, signal) == 0 end

local STATUS = ffi.new "int[1]"

--- Has it ended? Then its exit status (128 + signal where a signal ended it), else nil.
function Process:status()
  if self.ended then return self.ended end
  if C.waitpid(self.pid, STATUS, WNOHANG) ~= self.pid then return nil end
  local signal = STATUS[0] % 128
  self.ended = signal > 0 and 128 + signal or math.floor(STATUS[0] / 256) % 256
  return self.ended
end

--- Wait for its end, at most `seconds`, calling `meanwhile` again and again where there is one:
--- exit status | nil.
function Process:wait(seconds, meanwhile)
  local deadline = socket.gettime() + (seconds or 10)
  repeat
    local status = self:status()
    if status then return status end
    if meanwhile then meanwhile() end
    socket.sleep(0.002)
  until socket.gettime() > deadline
end

--- Make sure that it is gone.
function Process:stop(signal, seconds)
  if self:status() then return self.ended end
  self:kill(signal or process.TERM)
  local status = self:wait(seconds or 10)
  if status then return status end
  self:kill(process.KILL)
  self:wait(5)
  return nil, "had to be killed"
end

--- A new directory below /tmp.
function process.temp_dir()
  local template = ffi.new("char[?]", 64, "/tmp/moongate-test-XXXXXX")
  assert(C.mkdtemp(template) ~= nil, "mkdtemp failed")
  return ffi.string(template)
end

--- The bytes of a file, or "".
function process.read(path)
  local file = io.open(path, "rb")
  if not file then return "" end
  local bytes = file:read "*a"
  file:close()
  return bytes
end

function process.is_root() return C.getuid() == 0 end

--- Do all threads of a process sleep, or is there none?
function process.sleeps(pid)
  local folder, sleeps = ("/proc/%d/task"):format(pid), true
  pcall(function() -- it may go while we look
    for task in lfs.dir(folder) do
      local stat = task:find "^%d" and process.read(folder .. "/" .. task .. "/stat") or ""
      if stat:find "%) [RD] " then sleeps = false end
    end
  end)
  return sleeps
end

--- Is nothing left of a process that is not ours to wait for? Its first thread is a zombie
--- while others still hold its files.
function process.gone(pid)
  local state = process.read(("/proc/%d/stat"):format(pid)):match "%) (%a)"
  if state ~= "Z" then return state == nil end
  local threads = 0
  local there = pcall(function() -- it may go while we look
    for name in lfs.dir(("/proc/%d/task"):format(pid)) do
      if name:find "%d" then threads = threads + 1 end
    end
  end)
  return not there or threads <= 1
end

--- Replace a file's bytes at once, as editors that mean well do.
function process.write(path, bytes)
  local file = assert(io.open(path .. ".new", "wb"))
  file:write(bytes)
  file:close()
  assert(C.chmod(path .. ".new", 384) == 0) -- 0600: it may hold a secret
  assert(os.rename(path .. ".new", path))
end

--- Run to the end: exit status, standard output, standard error. options: as of start();
--- seconds, meanwhile (as of wait).
function process.run(args, options)
  options = options or {}
  local out, err = os.tmpname(), os.tmpname()
  local child = process.start(args,
    { stdout = out, stderr = err, env = options.env, cwd = options.cwd })
  local status = child:wait(options.seconds or 20, options.meanwhile)
    or child:stop(process.KILL)
  local stdout, stderr = process.read(out), process.read(err)
  os.remove(out)
  os.remove(err)
  return status, stdout, stderr
end

return process
