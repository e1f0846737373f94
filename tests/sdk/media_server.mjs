// A small provider of what is no chat: images, sound, moderations, files and batches, in
// OpenAI's and Anthropic's words. It holds what it is given for as long as it runs.

import http from "node:http";

const files = new Map();
let made = 0;
let input = null; // of the one batch there is

function part(body, name) {
  const at = body.indexOf(`name="${name}"`);
  if (at < 0) return null;
  const from = body.indexOf("\r\n\r\n", at) + 4;
  return body.subarray(from, body.indexOf("\r\n--", from));
}

function json(answer, value, status = 200) {
  answer.writeHead(status, { "content-type": "application/json" });
  answer.end(JSON.stringify(value));
}

function sound(answer) {
  answer.writeHead(200, { "content-type": "audio/mpeg" });
  let left = 4;
  const timer = setInterval(() => {
    answer.write(Buffer.from([255, 251, 0, left]));
    left -= 1;
    if (left > 0) return;
    clearInterval(timer);
    answer.end();
  }, 5);
}

function transcript(answer, body) {
  if (String(part(body, "stream")) === "true") {
    answer.writeHead(200, { "content-type": "text/event-stream" });
    for (const delta of ["one", " two"]) {
      answer.write(`data: ${JSON.stringify({ type: "transcript.text.delta", delta })}\n\n`);
    }
    const usage = { type: "tokens", input_tokens: 5, output_tokens: 2, total_tokens: 7 };
    return answer.end(`data: ${JSON.stringify({ type: "transcript.text.done", text: "one two", usage })}\n\n`);
  }
  json(answer, { text: `${part(body, "file").length} bytes for ${part(body, "model")}`,
    usage: { type: "duration", seconds: 2 } });
}

function keep(answer, body, type) {
  made += 1;
  const id = `file-${made}`;
  files.set(id, part(body, "file"));
  json(answer, { id, object: "file", type, bytes: files.get(id).length, purpose: String(part(body, "purpose")) });
}

function file(answer, method, id, rest) {
  if (!files.has(id)) return json(answer, { error: { message: `no ${id}`, type: "invalid_request_error" } }, 404);
  if (rest) {
    answer.writeHead(200, { "content-type": "application/octet-stream" });
    return answer.end(files.get(id));
  }
  if (method === "DELETE") files.delete(id);
  json(answer, { id, object: "file", deleted: method === "DELETE" });
}

function batch(answer, status) {
  files.set("file-out", files.get(input));
  json(answer, {
    id: "batch_1", object: "batch", status, input_file_id: input, model: "gpt-4o-mini",
    output_file_id: status === "completed" ? "file-out" : null,
    usage: { input_tokens: 1000, output_tokens: 10, total_tokens: 1010 },
  });
}

function messages(answer, host) {
  json(answer, { id: "msgbatch_1", type: "message_batch", processing_status: "ended",
    results_url: `http://${host}/v1/messages/batches/msgbatch_1/results` });
}

const POSTS = {
  "/v1/images/generations": (answer, body) => json(answer, {
    created: 1, data: Array.from({ length: JSON.parse(body).n ?? 1 }, () => ({ b64_json: "aGk=" })),
    usage: { input_tokens: 4, output_tokens: 10, total_tokens: 14 },
  }),
  "/v1/images/edits": (answer, body) => json(answer, {
    created: 1, data: [{ b64_json: part(body, "image").toString("base64") }],
  }),
  "/v1/audio/speech": (answer) => sound(answer),
  "/v1/audio/transcriptions": transcript,
  "/v1/audio/translations": transcript,
  "/v1/moderations": (answer, body) => json(answer, {
    id: "modr-1", model: JSON.parse(body).model, results: [{ flagged: false }],
  }),
  "/v1/files": keep,
  "/v1/batches": (answer, body) => {
    input = JSON.parse(body).input_file_id;
    batch(answer, "in_progress");
  },
  "/v1/batches/batch_1/cancel": (answer) => batch(answer, "cancelling"),
  "/v1/messages/batches": (answer, body, host) => messages(answer, host),
};

http.createServer((request, answer) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const body = Buffer.concat(pieces);
    const path = request.url.split("?")[0];
    const post = request.method === "POST" && POSTS[path];
    if (post) return post(answer, body, request.headers.host);
    const [, noun, id, rest] = path.match(/^\/v1\/(files|batches|messages\/batches)\/([\w-]+)(\/\w+)?$/) ?? [];
    if (noun === "files") return file(answer, request.method, id, rest);
    if (noun === "batches") return batch(answer, "completed");
    if (noun !== "messages/batches") return json(answer, { error: { message: path } }, 404);
    if (rest !== "/results") return messages(answer, request.headers.host);
    answer.writeHead(200, { "content-type": "application/x-jsonl" });
    answer.end('{"custom_id":"one","result":{"type":"succeeded"}}\n');
  });
}).listen(Number(process.argv[2]), "127.0.0.1");
