// Loaded into Azurite's process (node --require). Azurite looks a row up in LokiJS by partition and row key, in this
// order: LokiJS takes every row of the partition from its index and compares them all, so that each write costs as much
// as the partition is long. The real service has one index over both keys. Here the row key is looked up first, which
// few rows share.
"use strict";

const { prototype } = require("lokijs").Collection;
const { findOne } = prototype;

prototype.findOne = function (query) {
  if (query && query.PartitionKey !== undefined && query.RowKey !== undefined) {
    const { PartitionKey, RowKey, ...rest } = query;
    return findOne.call(this, { RowKey, PartitionKey, ...rest });
  }
  return findOne.call(this, query);
};
