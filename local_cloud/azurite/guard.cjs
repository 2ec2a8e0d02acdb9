// Loaded into Azurite's process before Azurite itself (node --require).
// Its standard input is a pipe that the parent never writes to: it ends when the parent does, however
// the parent died. Azurite then gets the signal that makes it save its data and close.
"use strict";

// Nobody reads what it says then, and an unhandled EPIPE would end it before it has saved.
process.stdout.on("error", () => {});
process.stderr.on("error", () => {});
process.stdin.on("error", () => process.kill(process.pid, "SIGTERM"));
process.stdin.on("end", () => {
  process.kill(process.pid, "SIGTERM");
  // A request that never ends must not keep an orphan alive. Azurite saves within this time.
  setTimeout(() => process.exit(1), 10000).unref();
});
process.stdin.resume();
process.stdin.unref();
