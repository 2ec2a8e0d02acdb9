// Loaded into Azurite's process before Azurite itself (node --require): writes one line of JSON for every
// request that committed a blob. Node's own diagnostics channel tells of each answered request, so Azurite
// runs unmodified and an answer is recorded with the very ETag that it carried.
// UPLOAD_JOURNAL names the folder. A file is closed when it is full and a next one begun; the reader deletes
// those that it has done with.
"use strict";

const channel = require("diagnostics_channel");
const fs = require("fs");
const path = require("path");

const FULL = 1 << 20; // bytes
const folder = process.env.UPLOAD_JOURNAL;

let file;
let written = 0;
let lastSequence = 0;

function open() {
  fs.mkdirSync(folder, { recursive: true });
  // Names sort by age, also over restarts: the clock's milliseconds, thirteen digits until the year 2286.
  file = fs.openSync(path.join(folder, `${nextSequence()}.jsonl`), "a");
  written = 0;
}

// Microseconds since 1970, but always more than the one before.
function nextSequence() {
  lastSequence = Math.max(lastSequence + 1, Date.now() * 1000);
  return lastSequence;
}

function operation(request, query) {
  const comp = query.get("comp");
  if (comp === "blocklist") return "PutBlockList";
  if (comp !== null || query.has("restype")) return null;
  if (request.headers["x-ms-copy-source"]) return "CopyBlob";
  return request.headers["x-ms-blob-type"] ? "PutBlob" : null;
}

function record({ request, response }) {
  if (request.method !== "PUT" || (response.statusCode !== 201 && response.statusCode !== 202)) return;
  const url = request.originalUrl ?? request.url;
  const mark = url.indexOf("?");
  const query = new URLSearchParams(mark < 0 ? "" : url.slice(mark + 1));
  const api = operation(request, query);
  if (api === null) return;
  const line =
    JSON.stringify({
      sequence: nextSequence(),
      time: new Date().toISOString(),
      api,
      path: mark < 0 ? url : url.slice(0, mark),
      etag: response.getHeader("etag") ?? "",
      blob_type: request.headers["x-ms-blob-type"] ?? "BlockBlob",
      content_length: Number(request.headers["content-length"] ?? 0),
      content_type:
        request.headers["x-ms-blob-content-type"] ?? request.headers["content-type"] ?? "application/octet-stream",
      client_request_id: request.headers["x-ms-client-request-id"] ?? "",
      request_id: response.getHeader("x-ms-request-id") ?? "",
    }) + "\n";
  if (written > FULL) {
    fs.closeSync(file);
    open();
  }
  fs.writeSync(file, line);
  written += Buffer.byteLength(line);
}

if (folder) {
  open();
  channel.subscribe("http.server.response.finish", record);
}
