// Compares the engine's counts with OpenAI's own tokenizer, on texts made to find differences.
//
//     node exact.mjs COUNTER VOCABULARIES [MANY]
//
// MANY: hostile strings in all (20000; the others scale with it). Its last line counts.

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { get_encoding } from "tiktoken";
import { codePoints, golden, hostile, long, real } from "./texts.mjs";

const [counter, vocabularies, many = "20000"] = process.argv.slice(2);
const HOSTILE = Number(many);
const SEED = 20261122;

// The engine's counts of many texts: a process, fed and read at once.
function engineCounts(file, texts) {
  return new Promise((resolve, reject) => {
    const child = spawn(counter, [file], { stdio: ["pipe", "pipe", "inherit"] });
    let out = "";
    child.stdout.on("data", (bytes) => (out += bytes));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code !== 0) reject(new Error(`${counter} ended with ${code}`));
      else resolve(out.split("\n").slice(0, -1));
    });
    child.stdin.on("error", () => {}); // its exit status says why
    const parts = texts.flatMap((bytes) => [Buffer.from(`${bytes.length}\n`), bytes]);
    child.stdin.end(Buffer.concat(parts));
  });
}

let passed = 0;
let failed = 0;

async function compare(name, encoding, what, list) {
  const texts = list.map((text) => Buffer.from(text)); // as UTF-8: a lone half is U+FFFD
  const counts = await engineCounts(join(vocabularies, `${name}.mgv`), texts);
  let differences = 0;
  texts.forEach((bytes, i) => {
    const want = encoding.encode(bytes.toString(), [], []).length;
    if (counts[i] === String(want)) return;
    if (++differences > 5) return;
    console.log(`${name}, ${what}: ${JSON.stringify(bytes.toString().slice(0, 200))}`);
    console.log(`  OpenAI's ${want}, the engine's ${counts[i]}`);
  });
  passed += list.length - differences;
  failed += differences;
  console.log(`${name}, ${what}: ${list.length} texts, ${differences} differ`);
}

const plans = createRequire(import.meta.url).resolve("gpt-tokenizer/package.json");
const vectors = golden(readFileSync(join(dirname(plans), "data/TestPlans.txt"), "utf8"));
for (const name of ["o200k_base", "cl100k_base", "p50k_base", "r50k_base"]) {
  if (!existsSync(join(vocabularies, `${name}.mgv`))) {
    console.log(`${name}: no vocabulary: skipped`);
    continue;
  }
  const encoding = get_encoding(name);
  const main = name === "o200k_base" || name === "cl100k_base";
  await compare(name, encoding, "golden vectors", vectors.get(name) ?? []);
  await compare(name, encoding, "real texts", real());
  await compare(name, encoding, "hostile strings", hostile(SEED, main ? HOSTILE : HOSTILE / 4));
  await compare(name, encoding, "long pieces", long(SEED, (main ? HOSTILE : HOSTILE / 4) / 20));
  if (name === "o200k_base") {
    for (const [frame, texts] of codePoints(Math.max(1, Math.floor(200000 / HOSTILE)))) {
      await compare(name, encoding, `code points, ${frame}`, texts);
    }
  }
  encoding.free();
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
