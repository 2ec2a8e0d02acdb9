// One scenario for @azure/batch 8 and 10: pools, nodes, jobs, tasks and their files. `NODE_PATH` says where it is.
"use strict";

const { BatchServiceClient, BatchSharedKeyCredentials } = require("@azure/batch");
const { AZURE_BATCH_ACCOUNT, AZURE_BATCH_ACCESS_KEY, AZURE_BATCH_ENDPOINT } = process.env;

const client = new BatchServiceClient(
  new BatchSharedKeyCredentials(AZURE_BATCH_ACCOUNT, AZURE_BATCH_ACCESS_KEY),
  AZURE_BATCH_ENDPOINT,
);
const [NO_TARGETS, POOL, JOB] = ["no-targets", "p", "j"];
const machine = {
  imageReference: { publisher: "canonical", offer: "0001-com-ubuntu-server-jammy", sku: "22_04-lts" },
  nodeAgentSKUId: "batch.node.ubuntu 22.04",
};
const sorted = (found) => [...found].sort();

async function operation(name, attempt) {
  let error = null;
  try {
    await attempt();
  } catch (thrown) {
    error = `${thrown.code ?? thrown.name} ${thrown.statusCode ?? ""} ${thrown.message}`.slice(0, 600);
  }
  console.log(JSON.stringify({ operation: name, error }));
}

function equal(found, wanted) {
  const [is, should] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (is !== should) throw new Error(`${should} was expected, not ${is}`);
}

async function until(look, seconds = 20) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`this did not come true in ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function refused(code, call) {
  let found = null;
  await call().catch((error) => (found = error.body?.code ?? error.code));
  equal(found, code);
}

async function all(first, next) {
  const found = [...first];
  for (let page = first; page.odatanextLink; ) {
    page = await next(page.odatanextLink);
    found.push(...page);
  }
  return found;
}

async function text(download) {
  const parts = [];
  for await (const part of download.readableStreamBody) parts.push(part);
  return Buffer.concat(parts).toString();
}

const steady = (pool, nodes) =>
  until(async () => {
    const shown = await client.pool.get(pool);
    return shown.allocationState === "steady" && shown.currentDedicatedNodes === nodes;
  });
const taskIn = (state, task, job = JOB) =>
  until(async () => {
    const shown = await client.task.get(job, task);
    return shown.state === state && shown;
  });

async function pools() {
  await operation("account.listSupportedImages", async () => {
    const images = await client.account.listSupportedImages();
    equal(images.some((image) => image.nodeAgentSKUId.includes("ubuntu 22.04")), true);
  });
  await operation("pool.add without targets", async () => {
    await client.pool.add({ id: NO_TARGETS, vmSize: "standard_d2_v2", virtualMachineConfiguration: machine });
    equal((await client.pool.get(NO_TARGETS)).targetDedicatedNodes, 0);
  });
  await operation("pool.add", async () => {
    await client.pool.add({
      id: POOL,
      vmSize: "standard_d2_v2",
      virtualMachineConfiguration: machine,
      targetDedicatedNodes: 1,
      taskSlotsPerNode: 2,
      startTask: { commandLine: "/bin/sh -c 'echo ready > $AZ_BATCH_NODE_SHARED_DIR/word'", waitForSuccess: true },
      metadata: [{ name: "team", value: "imaging" }],
    });
    await steady(POOL, 1);
  });
  await operation("pool.get", async () => equal((await client.pool.get(POOL)).taskSlotsPerNode, 2));
  await operation("pool.exists", async () => equal((await client.pool.exists(POOL)).body, true));
  await operation("pool.get of none", () => refused("PoolNotFound", () => client.pool.get("none")));
  await operation("pool.list", async () => {
    const options = { poolListOptions: { filter: `startswith(id,'${POOL}')`, select: "id,state", maxResults: 1 } };
    equal((await client.pool.list(options)).map((pool) => pool.id), [POOL]);
    const listed = await all(await client.pool.list({ poolListOptions: { maxResults: 1 } }), (link) => client.pool.listNext(link));
    equal(sorted(listed.map((pool) => pool.id)), ["ilastik", NO_TARGETS, POOL]);
  });
  await operation("pool.patch", async () => {
    await client.pool.patch(POOL, { metadata: [{ name: "a", value: "b" }] });
    equal((await client.pool.get(POOL)).metadata, [{ name: "a", value: "b" }]);
  });
  await operation("pool.enableAutoScale, evaluateAutoScale, disableAutoScale", async () => {
    await client.pool.enableAutoScale(NO_TARGETS, { autoScaleFormula: "$TargetDedicatedNodes=0;", autoScaleEvaluationInterval: "PT6M" });
    const run = await client.pool.evaluateAutoScale(NO_TARGETS, "$TargetDedicatedNodes=3;");
    equal(run.results.includes("$TargetDedicatedNodes=3"), true);
    await steady(NO_TARGETS, 0);
    await client.pool.disableAutoScale(NO_TARGETS);
  });
  await operation("pool.resize, pool.removeNodes", async () => {
    await client.pool.resize(NO_TARGETS, { targetDedicatedNodes: 1 });
    await steady(NO_TARGETS, 1);
    const [node] = await client.computeNode.list(NO_TARGETS);
    await client.pool.removeNodes(NO_TARGETS, { nodeList: [node.id] });
    await steady(NO_TARGETS, 0);
  });
  await operation("account.listPoolNodeCounts", async () => {
    equal((await client.account.listPoolNodeCounts()).find((entry) => entry.poolId === POOL).dedicated.total, 1);
  });
}

async function nodes() {
  let node;
  await operation("computeNode.list", async () => {
    [node] = await until(async () => {
      const found = await client.computeNode.list(POOL);
      return found[0].state === "idle" && found;
    });
  });
  await operation("computeNode.get", async () =>
    equal((await client.computeNode.get(POOL, node.id)).startTaskInfo.result, "success"));
  await operation("computeNode.addUser, updateUser, deleteUser", async () => {
    await client.computeNode.addUser(POOL, node.id, { name: "me", password: "Secret-1" });
    await client.computeNode.updateUser(POOL, node.id, "me", { password: "Secret-2" });
    await client.computeNode.deleteUser(POOL, node.id, "me");
  });
  await operation("computeNode.getRemoteLoginSettings", async () => {
    const settings = await client.computeNode.getRemoteLoginSettings(POOL, node.id);
    equal(typeof settings.remoteLoginIPAddress, "string");
  });
  await operation("computeNode.disableScheduling, enableScheduling", async () => {
    await client.computeNode.disableScheduling(POOL, node.id);
    await client.computeNode.enableScheduling(POOL, node.id);
  });
  await operation("computeNode.reboot", async () => {
    await client.computeNode.reboot(POOL, node.id, { nodeRebootOption: "terminate" });
    await until(async () => (await client.computeNode.get(POOL, node.id)).state === "idle");
  });
  await operation("file.listFromComputeNode, getFromComputeNode", async () => {
    const files = await client.file.listFromComputeNode(POOL, node.id, { recursive: true });
    equal(files.some((file) => file.name === "shared/word"), true);
    equal(await text(await client.file.getFromComputeNode(POOL, node.id, "shared/word")), "ready\n");
  });
}

async function jobs() {
  await operation("job.add", () => client.job.add({ id: JOB, poolInfo: { poolId: POOL }, priority: 1 }));
  await operation("job.add twice", () => refused("JobExists", () => client.job.add({ id: JOB, poolInfo: { poolId: POOL } })));
  await operation("job.patch, job.get", async () => {
    await client.job.patch(JOB, { priority: 2 });
    const shown = await client.job.get(JOB);
    equal([shown.priority, shown.state], [2, "active"]);
  });
  await operation("job.list", async () =>
    equal((await client.job.list({ jobListOptions: { filter: "state eq 'active'" } })).map((job) => job.id), [JOB]));
  await operation("task.add", async () => {
    await client.task.add(JOB, {
      id: "one",
      commandLine: "/bin/sh -c 'echo $WORD; mkdir d; echo x > \"d/a b.txt\"'",
      environmentSettings: [{ name: "WORD", value: "hello" }],
    });
    equal((await taskIn("completed", "one")).executionInfo.exitCode, 0);
  });
  await operation("task.addCollection", async () => {
    const many = Array.from({ length: 100 }, (_, number) => ({ id: `m${number}`, commandLine: "true" }));
    const added = await client.task.addCollection(JOB, many);
    equal(added.value.every((entry) => entry.status.toLowerCase() === "success"), true);
  });
  await operation("task.list", async () => {
    const first = await client.task.list(JOB, { taskListOptions: { filter: "startswith(id,'m')", select: "id", maxResults: 40 } });
    equal((await all(first, (link) => client.task.listNext(link))).length, 100);
  });
  await operation("job.getTaskCounts", () =>
    until(async () => {
      const shown = await client.job.getTaskCounts(JOB);
      const counts = shown.taskCounts ?? shown;
      return counts.completed === 101 && counts.failed === 0;
    }, 60));
  await operation("file.listFromTask, getFromTask", async () => {
    const files = (await client.file.listFromTask(JOB, "one", { recursive: true })).map((file) => file.name);
    equal(["stdout.txt", "wd/d/a b.txt"].every((name) => files.includes(name)), true);
    equal(await text(await client.file.getFromTask(JOB, "one", "stdout.txt")), "hello\n");
    equal(await text(await client.file.getFromTask(JOB, "one", "wd/d/a b.txt")), "x\n");
  });
  await operation("file.getPropertiesFromTask", async () => {
    const properties = await client.file.getPropertiesFromTask(JOB, "one", "stdout.txt");
    equal([properties.contentLength, properties.ocpBatchFileMode], [6, "0o100644"]);
  });
  await operation("file.deleteFromTask", async () => {
    await client.file.deleteFromTask(JOB, "one", "stdout.txt");
    equal((await client.file.listFromTask(JOB, "one")).some((file) => file.name === "stdout.txt"), false);
  });
  await operation("task.terminate", async () => {
    await client.task.add(JOB, { id: "long", commandLine: "sleep 600" });
    await taskIn("running", "long");
    await client.task.terminate(JOB, "long");
    equal((await taskIn("completed", "long")).executionInfo.failureInfo.code, "TaskEnded");
  });
  await operation("task.reactivate", async () => {
    await client.task.reactivate(JOB, "long");
    await taskIn("running", "long");
  });
  await operation("task.update", async () => {
    await client.task.update(JOB, "long", { constraints: { maxTaskRetryCount: 3 } });
    equal((await client.task.get(JOB, "long")).constraints.maxTaskRetryCount, 3);
  });
  await operation("task.deleteMethod", async () => {
    await client.task.deleteMethod(JOB, "long");
    await refused("TaskNotFound", () => client.task.get(JOB, "long"));
  });
}

async function ends() {
  await operation("job.disable, job.enable", async () => {
    await client.job.disable(JOB, "requeue");
    await until(async () => (await client.job.get(JOB)).state === "disabled");
    await client.job.enable(JOB);
  });
  await operation("task.add with dependsOn", async () => {
    await client.job.add({ id: "ordered", poolInfo: { poolId: POOL }, usesTaskDependencies: true });
    await client.task.add("ordered", { id: "then", commandLine: "true", dependsOn: { taskIds: ["first"] } });
    await client.task.add("ordered", { id: "first", commandLine: "true" });
    await taskIn("completed", "then", "ordered");
  });
  await operation("job.add with a preparation task", async () => {
    const prepare = "/bin/sh -c 'echo p > $AZ_BATCH_NODE_SHARED_DIR/p'";
    await client.job.add({ id: "prepared", poolInfo: { poolId: POOL }, jobPreparationTask: { commandLine: prepare } });
    await client.task.add("prepared", { id: "t", commandLine: "/bin/sh -c 'cat $AZ_BATCH_NODE_SHARED_DIR/p'" });
    await taskIn("completed", "t", "prepared");
    equal(await text(await client.file.getFromTask("prepared", "t", "stdout.txt")), "p\n");
  });
  await operation("job.terminate", async () => {
    await client.job.terminate(JOB, { jobTerminateParameter: { terminateReason: "enough" } });
    await until(async () => (await client.job.get(JOB)).state === "completed");
  });
  await operation("job.deleteMethod", async () => {
    await client.job.deleteMethod(JOB);
    await until(async () => !(await client.job.list()).some((job) => job.id === JOB));
  });
  await operation("certificate.list", async () => equal((await client.certificate.list()).length, 0));
  await operation("application.list", async () => equal((await client.application.list()).length, 0));
  await operation("jobSchedule.list", async () => equal((await client.jobSchedule.list()).length, 0));
  await operation("pool.getAllLifetimeStatistics", async () => equal(typeof (await client.pool.getAllLifetimeStatistics()).startTime, "object"));
  await operation("pool.deleteMethod", async () => {
    await client.pool.deleteMethod(POOL);
    await until(async () => !(await client.pool.list()).some((pool) => pool.id === POOL));
  });
}

(async () => {
  for (const part of [pools, nodes, jobs, ends]) await part();
})();
