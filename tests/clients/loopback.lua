-- Brings the loopback of this network namespace up, then becomes the command named; where none
-- is, its exit status says whether that could be done. No `ip` is needed for it.

local ffi = require "ffi"

ffi.cdef [[
struct ifreq { char name[16]; short flags; char rest[22]; };
int socket(int domain, int type, int protocol);
int ioctl(int fd, unsigned long request, ...);
int close(int fd);
int execvp(const char *file, const char *const argv[]);
]]

local C = ffi.C
local AF_INET, SOCK_DGRAM, SIOCSIFFLAGS = 2, 2, 0x8914
local UP, RUNNING = 0x1, 0x40

local fd = C.socket(AF_INET, SOCK_DGRAM, 0)
local request = ffi.new("struct ifreq", { name = "lo", flags = UP + RUNNING })
local failed = C.ioctl(fd, SIOCSIFFLAGS, request) ~= 0
C.close(fd)
if failed or not arg[1] then os.exit(failed and 1 or 0) end

local argv = ffi.new("const char *[?]", #arg + 1)
for i, word in ipairs(arg) do argv[i - 1] = word end
C.execvp(arg[1], argv)
os.exit(127)
