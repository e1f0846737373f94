-- Recorded embeddings, legacy completions and counts of tokens, at the doors of their own:
-- tests/support/traffic/ says what is to be shown.

require "support.traffic.spec" (require("support.traffic.cases").beside,
  "recorded embeddings, completions and counts")
