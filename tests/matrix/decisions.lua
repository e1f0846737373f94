-- Rows that are not held as the matrix has them, and why.
--
--     ["X-00"] = { changed = "…" }   another outcome: its tests ask for what is said here
--     ["X-00"] = { absent = "…" }    not applicable: nothing is here to which it applies

return {
}
