// Loaded into Azurite's process (node --require). Azurite keeps messages, rows and blobs in LokiJS, which sorts every
// index of a collection anew when a batch is removed, be it of one document or of none: and each deletion of a message
// first removes what has expired. In a burst of 10,000 messages that was more than half of Azurite's CPU time, for
// which nothing stands in the real service. Here none is nothing, and one is removed as LokiJS removes one.
"use strict";

const { prototype } = require("lokijs").Collection;
const { removeBatch, removeBatchByPositions } = prototype;

prototype.removeBatch = function (batch) {
  if (batch.length > 0) removeBatch.call(this, batch);
};

prototype.removeBatchByPositions = function (positions) {
  if (positions.length === 0) return;
  if (positions.length === 1) this.remove(this.data[positions[0]]);
  else removeBatchByPositions.call(this, positions);
};
