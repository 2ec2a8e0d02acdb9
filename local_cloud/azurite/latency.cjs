// Loaded into Azurite's process (node --require). Where AZURITE_LATENCY_MS is set it holds every request back for so
// long before Azurite sees it, as the way to a real service takes time. Where AZURITE_CALLS names a file, a benchmark
// counts: the number of requests by port, method, kind and container (or table, or queue) is written there once a
// second, and that of the entities that table queries answered with. A table query that names no partition is
// refused then: Azurite answers any scan in one call, the real service in one for every 1,000 entities.
"use strict";

const fs = require("fs");
const http = require("http");

const latency = Number(process.env.AZURITE_LATENCY_MS || 0);
const tally = process.env.AZURITE_CALLS;
const counts = {};

function count(name, more = 1) {
  counts[name] = (counts[name] || 0) + more;
}

function described(request) {
  const [path, query = ""] = request.url.split("?");
  const target = /^\/[^/]+\/([^/(]*)/.exec(path)?.[1] ?? "";
  const comp = /(?:^|&)comp=([a-z]+)/.exec(query)?.[1];
  const kind = [comp, request.headers["x-ms-copy-source"] && "copy"].filter(Boolean).join(" ");
  return { query, name: [request.socket.localPort, request.method, kind, target].filter(Boolean).join(" ") };
}

// Of a table, by a filter: "/account/table()"; an entity by its keys is no query.
function isQuery(request) {
  return request.method === "GET" && /^\/[^/]+\/[^/(]+\(\)(\?|$)/.test(request.url);
}

function countEntities(request, response) {
  const port = request.socket.localPort;
  let seen = 0;
  const look = (chunk) => {
    if (chunk && typeof chunk !== "function") seen += String(chunk).split('"RowKey"').length - 1;
  };
  for (const method of ["write", "end"]) {
    const original = response[method];
    response[method] = function (chunk, ...rest) {
      look(chunk);
      return original.call(this, chunk, ...rest);
    };
  }
  response.on("finish", () => count(`${port} entities`, seen));
}

function refuse(response) {
  const error = { code: "InvalidInput", message: { lang: "en-US", value: "A benchmark refuses a scan of a table." } };
  response.writeHead(400, { "Content-Type": "application/json", "x-ms-error-code": error.code });
  response.end(JSON.stringify({ "odata.error": error }));
}

if (latency > 0 || tally) {
  const emit = http.Server.prototype.emit;
  http.Server.prototype.emit = function (event, request, response, ...rest) {
    if (event !== "request") return emit.call(this, event, request, response, ...rest);
    if (tally) {
      const { query, name } = described(request);
      count(name);
      if (isQuery(request)) {
        if (!/PartitionKey(%20|\+| )eq/.test(query)) {
          refuse(response);
          return true;
        }
        countEntities(request, response);
      }
    }
    if (latency > 0) setTimeout(() => emit.call(this, event, request, response, ...rest), latency);
    else emit.call(this, event, request, response, ...rest);
    return true;
  };
}

if (tally) {
  setInterval(() => {
    fs.writeFileSync(`${tally}.partial`, JSON.stringify(counts));
    fs.renameSync(`${tally}.partial`, tally);
  }, 1000).unref();
}
