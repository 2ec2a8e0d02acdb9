// The pool whose nodes run ilastik. Image, size, identity and start task of a pool with nodes cannot change, and a
// second deployment of the same pool has been refused: a changed pool has another id, an existing one is left out
// of the deployment (`deployed` of main.bicep).

@description('Name of the Batch account.')
param accountName string

@description('Id of the pool.')
@minLength(1)
@maxLength(64)
param poolId string

@description('Size of the machines.')
param vmSize string

@description('System disk in GB; 0: as the image has it. Sizes without a local disk keep their tasks there.')
@minValue(0)
param osDiskGb int

@description('Task slots of a node.')
@minValue(1)
@maxValue(256)
param slotsPerNode int

@description('Autoscale formula.')
param formula string

@description('Resource id of the identity that tasks use.')
param identityId string

@description('Client id of that identity.')
param identityClientId string

@description('URL of the container of tools.')
param toolsUrl string

@description('Blob of the start task\'s script in the container of tools.')
param startTaskBlob string

@description('Blob of the pixel engine in the container of tools; empty: none.')
param engineBlob string

@description('What its nodes install, for people.')
param tools string

@description('Blob of the installers of other tools in the container of tools; empty: none.')
param toolsBlob string

@description('Blob of ilastik\'s archive in the container of tools.')
param ilastikArchive string

@description('SHA-256 of that archive, in hexadecimal digits.')
param ilastikSha256 string

@description('Version of ilastik in that archive.')
param ilastikVersion string

@description('Id of the subnet in which the nodes have no public address; empty: they have one, in no network of ours.')
param subnetId string

@description('The script, what it installs the Python for tasks with, and what it tries ilastik with; all of them lie beside each other.')
var startFiles = [
  'start_task.sh'
  'install_python.py'
  'node-requirements.txt'
  'node-python.tar'
  'smoke.h5'
  'smoke.ilp'
]

@description('Name beside the script, and blob, of each file that the start task gets.')
var brought = concat(
  map(startFiles, name => { name: name, blob: replace(startTaskBlob, 'start_task.sh', name) }),
  empty(engineBlob) ? [] : [{ name: 'engine.whl', blob: engineBlob }],
  empty(toolsBlob) ? [] : [{ name: 'tools.tar', blob: toolsBlob }]
)

resource account 'Microsoft.Batch/batchAccounts@2025-06-01' existing = {
  name: accountName
}

resource pool 'Microsoft.Batch/batchAccounts/pools@2025-06-01' = {
  parent: account
  name: poolId
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    displayName: 'ilastik ${ilastikVersion}'
    // deploy.sh drains and deletes older pools that bear this mark, and no others.
    metadata: [{ name: 'made-by', value: 'ilastik-batch' }, { name: 'tools', value: tools }]
    vmSize: vmSize
    deploymentConfiguration: {
      virtualMachineConfiguration: union(
        {
          imageReference: {
            publisher: 'canonical'
            offer: 'ubuntu-24_04-lts'
            sku: 'server'
            version: 'latest'
          }
          nodeAgentSkuId: 'batch.node.ubuntu 24.04'
        },
        osDiskGb == 0 ? {} : { osDisk: { diskSizeGB: osDiskGb } }
      )
    }
    networkConfiguration: empty(subnetId)
      ? null
      : { subnetId: subnetId, publicIPAddressConfiguration: { provision: 'NoPublicIPAddresses' } }
    taskSlotsPerNode: slotsPerNode
    // Nodes that are full first become free first.
    taskSchedulingPolicy: { nodeFillType: 'Pack' }
    scaleSettings: {
      autoScale: { formula: formula, evaluationInterval: 'PT5M' }
    }
    startTask: {
      commandLine: '/bin/bash start_task.sh'
      resourceFiles: [
        for file in brought: {
          httpUrl: '${toolsUrl}/${file.blob}'
          filePath: file.name
          fileMode: '0755'
          identityReference: { resourceId: identityId }
        }
      ]
      environmentSettings: [
        { name: 'ILASTIK_ARCHIVE', value: ilastikArchive }
        { name: 'ILASTIK_SHA256', value: ilastikSha256 }
        { name: 'ILASTIK_VERSION', value: ilastikVersion }
        // Nodes with the engine fetch ilastik when a task needs it: the first that compares both, or one without a certificate.
        { name: 'ILASTIK_WHEN', value: empty(engineBlob) ? 'start' : 'needed' }
        { name: 'TOOLS_URL', value: toolsUrl }
        { name: 'POOL_IDENTITY_CLIENT_ID', value: identityClientId }
      ]
      userIdentity: { autoUser: { scope: 'Pool', elevationLevel: 'Admin' } }
      maxTaskRetryCount: 3
      waitForSuccess: true
    }
  }
}
