// Loaded into Azurite's process (node --require). Azurite answers a read with the length that a blob had when it was
// asked for, and the ETag that it has once its bytes are there: of a blob that is appended to meanwhile, a part under
// the ETag of the whole. The real service never does. Here a read is of the blob as it was asked for.
"use strict";

const { default: Store } = require("azurite/dist/src/blob/persistence/LokiBlobMetadataStore");
const { downloadBlob } = Store.prototype;

Store.prototype.downloadBlob = async function (...asked) {
  const blob = await downloadBlob.apply(this, asked);
  const blocks = blob.committedBlocksInOrder;
  return { ...blob, properties: { ...blob.properties }, committedBlocksInOrder: blocks && [...blocks] };
};
