// Loaded into Azurite's process (node --require). Only requests to a loopback name pass, and no web page of another
// host: as `local_cloud/doors.py` has it for our own servers.
"use strict";

const http = require("http");

const LOOPBACK = "(?:127\\.0\\.0\\.1|localhost|\\[::1\\])(?::\\d{1,5})?";
const HOST = new RegExp(`^${LOOPBACK}$`, "i");
const ORIGIN = new RegExp(`^https?://${LOOPBACK}$`, "i");

const emit = http.Server.prototype.emit;
http.Server.prototype.emit = function (event, request, response, ...rest) {
  if (event !== "request") return emit.call(this, event, request, response, ...rest);
  const { host, origin } = request.headers;
  if (HOST.test(host || "") && (origin === undefined || ORIGIN.test(origin))) {
    return emit.call(this, event, request, response, ...rest);
  }
  response.writeHead(403, { "Content-Type": "text/plain", Connection: "close" });
  response.end("This server answers to programs of this machine at 127.0.0.1 and localhost only.\n");
  request.resume();
  return true;
};
