// Loaded into Azurite's process (node --require). On SIGUSR2 every connection is cut at once, requests under way
// included: what was asked may have been done or not, as when a network fails. For tests of other processes.
"use strict";

const channel = require("diagnostics_channel");

const open = new Set();
channel.subscribe("net.server.socket", ({ socket }) => {
  open.add(socket);
  socket.once("close", () => open.delete(socket));
});

process.on("SIGUSR2", () => {
  for (const socket of open) socket.resetAndDestroy();
});
