-- Secrets in places where they may not be: looked for after every row of the matrix.

return {
  what = "canary secrets over the whole matrix",
  target = "0 hits in any output",
  command = "make matrix",
  take = function() return "asked after every row (tests/support/invariants.lua)", nil end,
}
