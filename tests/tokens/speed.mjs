// Token counting beside npm's and Python's tiktoken, in one run: a table for RESULTS.md.
//
//     node speed.mjs SPEED VOCABULARIES [PYTHON]
//
// PYTHON: an interpreter that has tiktoken; without, its column is empty.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { get_encoding } from "tiktoken";
import { noise, texts } from "./texts.mjs";

const [speed, vocabularies, python] = process.argv.slice(2);
const MEGABYTE = 1 << 20;
const NAME = "o200k_base";

const fill = (unit) => Buffer.from(unit.repeat(Math.ceil(MEGABYTE / Buffer.byteLength(unit))));
const file = (name) => readFileSync(new URL(name, import.meta.url), "utf8");
const real = {
  English: file("../../ARCHITECTURE.md") + file("../../README.md") + file("../../CONTRIBUTING.md"),
  code: file("../../engine/tokens.c") + file("../../scripts/lib/tokens.lua"),
  JSON: file("package-lock.json"),
  Korean: texts.find((text) => text.startsWith("모든")),
  Chinese: texts.find((text) => text.startsWith("人人")),
};
const hostile = {
  "one letter": "a", spaces: " ", newlines: "\n", "equal signs": "=", Han: "漢", Hangul: "한",
  emoji: "😀", alternating: "Ab", tabs: " \t", slashes: "/", digits: "0",
  "random letters": noise(MEGABYTE, "abcdefghijklmnopqrstuvwxyz"),
  base64: noise(MEGABYTE, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"),
  "random Han": noise(
    MEGABYTE / 3,
    Array.from({ length: 20000 }, (_, i) => String.fromCharCode(0x4e00 + i)),
  ),
};

function engine(list) {
  const input = Buffer.concat(list.flatMap((bytes) => [Buffer.from(`${bytes.length}\n`), bytes]));
  const run = spawnSync(speed, [join(vocabularies, `${NAME}.mgv`)], { input, maxBuffer: MEGABYTE });
  if (run.status !== 0) throw new Error(String(run.stderr));
  const [open, ...rows] = String(run.stdout).trim().split("\n");
  return { open: Number(open), rows: rows.map((row) => row.split(" ").map(Number)) };
}

function best(bytes, rounds, count) {
  let least = Infinity;
  for (let i = 0; i < rounds; i++) {
    const from = performance.now();
    count();
    least = Math.min(least, performance.now() - from);
  }
  return bytes.length / 1e3 / least;
}

const PROGRAM = `
import base64, sys, time, tiktoken
import tiktoken_ext.openai_public as tables
def load(_, expected_hash=None):
    with open(sys.argv[1], "rb") as file:
        return {base64.b64decode(a): int(b) for a, b in map(bytes.split, file)}
tables.load_tiktoken_bpe = load
e = tiktoken.get_encoding("${NAME}")
text = sys.stdin.buffer.read().decode("utf-8", "replace")
least = 1e9
for _ in range(3):
    t = time.perf_counter(); e.encode_ordinary(text); least = min(least, time.perf_counter() - t)
print(len(text.encode()) / 1e6 / least)
`;

const TABLE = join(
  dirname(createRequire(import.meta.url).resolve("gpt-tokenizer/package.json")),
  `data/${NAME}.tiktoken`,
);

function pythonSpeed(bytes) {
  if (!python) return "";
  const run = spawnSync(python, ["-c", PROGRAM, TABLE], { input: bytes });
  return run.status === 0 ? Number(run.stdout).toFixed(1) : "";
}

const names = [...Object.keys(real), ...Object.keys(hostile)];
const all = [...Object.values(real), ...Object.values(hostile)].map(fill);
const { open, rows } = engine(all);
const oracle = get_encoding(NAME);
console.log("| text, 1 MB | tokens | MB/s | npm tiktoken, MB/s | Python tiktoken, MB/s |");
console.log("| --- | --- | --- | --- | --- |");
names.forEach((name, i) => {
  const [count, us] = rows[i], cells = [name, count, (all[i].length / us).toFixed(1), "", ""];
  if (i < Object.keys(real).length) {
    const text = all[i].toString();
    cells[3] = best(all[i], 2, () => oracle.encode(text, [], [])).toFixed(1);
    cells[4] = pythonSpeed(all[i]);
  }
  console.log(`| ${cells.join(" | ")} |`);
});
const [count, us] = engine([all[0].subarray(0, 4800)]).rows[0];
console.log(`\nopening: ${open / 1000} ms; an English prompt of ${count} tokens, warm: ${us} µs`);
