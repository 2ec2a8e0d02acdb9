// Loaded into Azurite's process (node --require) where AZURITE_LATENCY_MS is set: holds every request back for so
// long before Azurite sees it, as the way to a real service takes time. Where AZURITE_CALLS names a file, the number
// of requests by port, method and kind is written there once a second, so that a benchmark can count them.
"use strict";

const fs = require("fs");
const http = require("http");

const latency = Number(process.env.AZURITE_LATENCY_MS || 0);
const tally = process.env.AZURITE_CALLS;
const counts = {};

function kind(request) {
  const comp = /[?&]comp=([a-z]+)/.exec(request.url);
  const batch = request.url.includes("$batch") ? " $batch" : "";
  return `${request.socket.localPort} ${request.method}${batch}${comp ? " " + comp[1] : ""}`;
}

if (latency > 0 || tally) {
  const emit = http.Server.prototype.emit;
  http.Server.prototype.emit = function (event, request, ...rest) {
    if (event !== "request") return emit.call(this, event, request, ...rest);
    const name = kind(request);
    counts[name] = (counts[name] || 0) + 1;
    if (latency > 0) setTimeout(() => emit.call(this, event, request, ...rest), latency);
    else emit.call(this, event, request, ...rest);
    return true;
  };
}

if (tally) {
  setInterval(() => {
    fs.writeFileSync(`${tally}.partial`, JSON.stringify(counts));
    fs.renameSync(`${tally}.partial`, tally);
  }, 1000).unref();
}
