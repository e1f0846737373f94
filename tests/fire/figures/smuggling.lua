-- Request heads that two parsers might read differently: not a load, and so not run from here.

return {
  what = "smuggling corpus and 10⁷ fuzzed heads",
  target = "0 disagreements on body length",
  command = "make fuzz; make matrix ROWS=S-0",
  take = function() return "see tests/fuzz/ and the S rows of the matrix", nil end,
}
