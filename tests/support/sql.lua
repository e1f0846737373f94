-- A ledger's tables, from a test's side: read only, through the library itself.

local ffi = require "ffi"

ffi.cdef [[
typedef struct sqlite3 sqlite3;
int sqlite3_open_v2(const char *, sqlite3 **, int, const char *);
int sqlite3_close(sqlite3 *);
int sqlite3_busy_timeout(sqlite3 *, int);
const char *sqlite3_errmsg(sqlite3 *);
int sqlite3_get_table(sqlite3 *, const char *, char ***, int *, int *, char **);
void sqlite3_free_table(char **);
]]

local found, library = pcall(ffi.load, "sqlite3")
if not found then library = ffi.load "libsqlite3.so.0" end

local sql = {}
local READ_WRITE = 2 -- a reader of a log that a crash left has to be one

local function rows_of(cells, rows, columns)
  local list = {}
  for r = 1, rows do
    local row = {}
    for c = 0, columns - 1 do
      local cell = cells[r * columns + c]
      if cell ~= nil then row[ffi.string(cells[c])] = ffi.string(cell) end
    end
    list[r] = row
  end
  return list
end

--- What a query finds: a list of { column = text }; NULL is absent.
function sql.rows(path, query)
  local db = ffi.new "sqlite3 *[1]"
  assert(library.sqlite3_open_v2(path, db, READ_WRITE, nil) == 0, "cannot open " .. path)
  library.sqlite3_busy_timeout(db[0], 5000)
  local cells, rows, columns = ffi.new "char **[1]", ffi.new "int[1]", ffi.new "int[1]"
  local status = library.sqlite3_get_table(db[0], query, cells, rows, columns, nil)
  local list = status == 0 and rows_of(cells[0], rows[0], columns[0])
  local why = not list and ffi.string(library.sqlite3_errmsg(db[0]))
  if list then library.sqlite3_free_table(cells[0]) end
  library.sqlite3_close(db[0])
  return list or error(why .. ": " .. query, 2)
end

--- The first column of the first row, as text.
function sql.value(path, query)
  local row = sql.rows(path, "SELECT (" .. query .. ") AS v")[1]
  return row and row.v
end

--- Change what is not in use.
function sql.run(path, text) sql.rows(path, text) end

--- Hold a lock as another program might: returns a function that lets go.
function sql.hold(path)
  local db = ffi.new "sqlite3 *[1]"
  assert(library.sqlite3_open_v2(path, db, READ_WRITE, nil) == 0)
  local cells, n, m = ffi.new "char **[1]", ffi.new "int[1]", ffi.new "int[1]"
  local function run(text)
    assert(library.sqlite3_get_table(db[0], text, cells, n, m, nil) == 0)
    library.sqlite3_free_table(cells[0])
  end
  library.sqlite3_busy_timeout(db[0], 5000)
  run "BEGIN IMMEDIATE"
  return function()
    run "ROLLBACK"
    library.sqlite3_close(db[0])
  end
end

return sql
