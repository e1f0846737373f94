// The official clients for Node: images, speech, transcripts, moderations, files and batches of
// OpenAI's; batches of Anthropic's. Counts its checks.

import Anthropic from "@anthropic-ai/sdk";
import OpenAI, { toFile } from "openai";

const root = process.argv[2];
const client = new OpenAI({ baseURL: `${root}/v1`, apiKey: "any", maxRetries: 0 });
const at = { headers: { "x-moongate-model": "files" } };

let passed = 0;
let failed = 0;

function check(what, holds) {
  if (holds) { passed += 1; return; }
  failed += 1;
  console.log(`node-media: not so: ${what}`);
}

async function attempt(what, body) {
  try {
    await body();
  } catch (error) {
    check(`${what}: ${error}`, false);
  }
}

const picture = () => toFile(Buffer.from([137, 80, 78, 71, 0, 13, 10]), "a.png", { type: "image/png" });
const sound = () => toFile(Buffer.alloc(5000, 7), "a.mp3", { type: "audio/mpeg" });

await attempt("images", async () => {
  const { data, response } = await client.images.generate(
    { model: "paints", prompt: "a moon", n: 2 }).withResponse();
  check("images are as many as asked", data.data.length === 2);
  check("images have counts", data.usage.total_tokens === 14);
  check("images cost something", Number(response.headers.get("x-moongate-cost")) > 0);
});

await attempt("an edited image", async () => {
  const data = await client.images.edit({ model: "paints", prompt: "more", image: await picture() });
  check("an image goes up byte for byte", data.data[0].b64_json === Buffer.from(
    [137, 80, 78, 71, 0, 13, 10]).toString("base64"));
});

await attempt("speech", async () => {
  const answer = await client.audio.speech.create({ model: "speaks", voice: "alloy", input: "hi" });
  const bytes = Buffer.from(await answer.arrayBuffer());
  check("speech is sound", bytes.length === 16 && bytes[0] === 255 && bytes[15] === 1);
  check("speech says its kind", answer.headers.get("content-type") === "audio/mpeg");
});

await attempt("a transcript", async () => {
  const data = await client.audio.transcriptions.create({ model: "hears", file: await sound() });
  check("a transcript is of the whole sound", data.text === "5000 bytes for whisper-1");
  const other = await client.audio.translations.create({ model: "hears", file: await sound() });
  check("so is a translation", other.text === "5000 bytes for whisper-1");
});

await attempt("a streamed transcript", async () => {
  const stream = await client.audio.transcriptions.create(
    { model: "hears", file: await sound(), stream: true });
  let text = "", last = null;
  for await (const event of stream) {
    text += event.delta ?? "";
    last = event;
  }
  check("pieces come", text === "one two");
  check("the end comes", last.type === "transcript.text.done" && last.usage.total_tokens === 7);
});

await attempt("a moderation", async () => {
  const data = await client.moderations.create({ model: "judges", input: "hello" });
  check("a moderation has a result", data.results[0].flagged === false);
  check("a moderation names its model", data.model === "omni-moderation-latest");
});

await attempt("files and batches", async () => {
  const lines = Buffer.from('{"custom_id":"1"}\n');
  const file = await client.files.create(
    { purpose: "batch", file: await toFile(lines, "x.jsonl") }, at);
  check("a file is kept", file.id.startsWith("file-") && file.bytes === lines.length);
  check("a file is shown", (await client.files.retrieve(file.id)).id === file.id);
  check("a file is read", await (await client.files.content(file.id)).text() === String(lines));
  const batch = await client.batches.create(
    { input_file_id: file.id, endpoint: "/v1/chat/completions", completion_window: "24h" });
  check("a batch is made", batch.status === "in_progress" && batch.input_file_id === file.id);
  const { data, response } = await client.batches.retrieve(batch.id).withResponse();
  check("a batch ends", data.status === "completed");
  check("a batch costs something", Number(response.headers.get("x-moongate-cost")) > 0);
  check("its output is read",
    await (await client.files.content(data.output_file_id)).text() === String(lines));
  check("a batch is cancelled", (await client.batches.cancel(batch.id)).status === "cancelling");
  check("a file is deleted", (await client.files.delete(file.id)).deleted === true);
});

await attempt("what is not there", async () => {
  for (const id of ["file-1", `file-1-mg${"0".repeat(40)}`]) {
    try {
      await client.files.retrieve(id);
      check("a foreign file is refused", false);
    } catch (error) {
      check("a foreign file is not found", error instanceof OpenAI.NotFoundError);
    }
  }
});

await attempt("Anthropic's batches", async () => {
  const claude = new Anthropic({ baseURL: root, apiKey: "any", maxRetries: 0 });
  const batch = await claude.messages.batches.create({ requests: [{
    custom_id: "one",
    params: { model: "zz-batches", max_tokens: 9, messages: [{ role: "user", content: "hi" }] },
  }] });
  check("a batch of messages is made", batch.id.startsWith("msgbatch_1-mg"));
  let results = 0;
  for await (const one of await claude.messages.batches.results(batch.id)) {
    check("a result is whose it was", one.custom_id === "one");
    results += 1;
  }
  check("results come through the gateway", results === 1);
});

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
