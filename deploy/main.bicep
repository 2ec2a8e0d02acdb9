// ilastik-batch in one resource group. This file names and wires; each module says what it makes and why.
// deploy.sh deploys it and does what a template cannot: archive of ilastik, scripts, code package, checks.

import { operator } from 'modules/roles.bicep'
import { withNumbers } from 'modules/formula.bicep'

@description('Beginning of all names: lower-case letters and digits.')
@minLength(2)
@maxLength(8)
param prefix string = 'ilastik'

@description('End of the names that must be unique in the world.')
@minLength(4)
@maxLength(8)
param suffix string = take(uniqueString(resourceGroup().id), 8)

@description('Azure region.')
param location string = resourceGroup().location

@description('Tags on everything that is made.')
param tags object = {}

@description('People and groups who run the system: they put classifiers into `projects` and look at everything.')
param operators operator[] = []

@description('Object id of the Entra group of the operators: deploy.sh gives it their roles; nothing else reads this.')
#disable-next-line no-unused-params
param operatorsGroup string = ''

@description('Whether the app gets its role on all tables at once instead of each, and may read the whole Batch account.')
param wideRoles bool = false

@description('Sizes of nodes in the order of wish, with commas between: deploy.sh takes the cheapest that is to be had.')
#disable-next-line no-unused-params
param vmSizes string = ''

@description('Size of the nodes. Four cores a task slot suit ilastik; E sizes have twice the memory.')
param vmSize string = 'Standard_D4ds_v5'

@description('Task slots of a node: how many files it computes at a time.')
@minValue(1)
@maxValue(64)
param slotsPerNode int = 1

@description('Cores that ilastik may use in a slot.')
@minValue(1)
param slotThreads int = 4

@description('Memory that ilastik may use in a slot, in MB; leave a quarter of the node\'s to the system.')
@minValue(500)
param slotMemoryMb int = 12000

@description('Disk of a node that tasks can count on, in GB; larger files are rejected beforehand. 0: not checked.')
@minValue(0)
param nodeDiskGb int = 120

@description('System disk of a node in GB, for sizes without a local disk; 0: as the image has it.')
@minValue(0)
param osDiskGb int = 0

@description('Most nodes at any time, of both kinds together.')
@minValue(1)
@maxValue(1000)
param maxNodes int = 10

@description('How many of them may be spot nodes, at about a fifth of the price; Azure may take them back.')
@minValue(0)
param spotNodes int = 0

@description('Minutes for which one node stays after the last file.')
@minValue(0)
param keepMinutes int = 10

@description('Least nodes in working hours, for those who do not want to wait for a first machine; they cost.')
@minValue(0)
param minNodesWorkingHours int = 0

@description('First working hour, Monday to Friday.')
@minValue(0)
@maxValue(23)
param workStart int = 8

@description('Hour at which work ends.')
@minValue(1)
@maxValue(24)
param workEnd int = 18

@description('Local time minus UTC, in hours.')
@minValue(-12)
@maxValue(14)
param utcOffsetHours int = 0

@description('So many broken nodes the app removes on one day; it is given a role of its own for that. 0: none, and no role.')
@minValue(0)
param healNodesPerDay int = 0

@description('Minutes after which a task is ended; a project can ask for more.')
@minValue(1)
param wallClockMinutes int = 240

@description('What ilastik exports unless a project says otherwise.')
@allowed(['Simple Segmentation', 'Probabilities', 'Uncertainty'])
param exportSource string = 'Simple Segmentation'

@description('Which program computes: certified = the pixel engine in the place of ilastik, where it is proven to give its pixels.')
@allowed(['ilastik', 'certified'])
param engine string = 'ilastik'

@description('What nodes install, by names with commas between them: ilastik in any case, and tools of deploy/pool/tools.')
param tools string = 'ilastik'

@description('Largest image in GB (10^9 bytes); larger ones are rejected.')
@minValue(1)
param maxImageGb int = 200

@description('Whether files that succeeded are segmented again when their project changes.')
param rerunFinished bool = false

@description('Images older than the system that an operator asks for (`backfill`): so many start on one day.')
@minValue(0)
param backfillDailyLimit int = 1000

@description('Hours of a cycle of the sweep for files without an event, and for events that could not be delivered.')
@minValue(1)
param sweepHours int = 24

@description('Any other settings of README.md, as name: value; what this template sets itself goes before. No secrets.')
param moreSettings object = {}

@description('Whether people may look at the page, once there is a sign-in for it; false closes it.')
param page bool = true

@description('Application (client) id of the app registration by which people sign in to the page; empty: the sign-in stays as it is.')
@maxLength(36)
param pageClientId string = ''

@description('Whether people may send images from the page: gives the app the right to write `input`.')
param pageUpload bool = false

@description('When the state of tasks is looked up, as NCRONTAB with seconds.')
param reconcileSchedule string = '0 * * * * *'

@description('Most instances of the function app. Not every region takes less than 40; an idle app has none.')
@minValue(1)
@maxValue(1000)
param maxInstances int = 40

@description('Memory of an instance of the function app in MB.')
@allowed([512, 2048, 4096])
param instanceMemoryMb int = 2048

@description('How images and results are replicated.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param redundancy string = 'Standard_LRS'

@description('Whether app and nodes have a network of their own, and what they talk to is closed to all others.')
param private bool = false

@description('Public addresses that reach images and Batch in spite of that, such as 203.0.113.0/24,198.51.100.7.')
param allowedAddresses string = ''

@description('Addresses of that network: a /20 or larger.')
param networkAddresses string = '10.62.0.0/20'

@description('Days for which a deleted or overwritten blob can be brought back; 0 turns that off.')
@minValue(0)
@maxValue(365)
param undeleteDays int = 7

@description('Whether an overwritten blob keeps its older versions, for as long as a deleted one can be brought back.')
param keepVersions bool = false

@description('Whether a lock keeps the data account from being deleted. To make it takes the right to make locks.')
param deleteLock bool = false

@description('Days after which leftovers of tasks go.')
@minValue(2)
param stagingDays int = 8

@description('Days after which images in `input` go; 0 keeps them.')
@minValue(0)
param inputDays int = 0

@description('Days after which images in `input` move to the cool tier; 0 leaves them.')
@minValue(0)
param inputCoolDays int = 0

@description('Hours for which an event is delivered again and again before it becomes a dead letter.')
@minValue(1)
@maxValue(24)
param hoursToDeliver int = 24

@description('Days for which logs are kept.')
@minValue(30)
@maxValue(730)
param logDays int = 30

@description('Most GB of logs a day.')
@minValue(1)
param logGbPerDay int = 1

@description('Where alerts and budget warnings are mailed; empty: no alerts.')
param alertMail string = ''

@description('Budget of a month in the currency of the bill, of which 50, 80 and 100 % are mailed; 0: none.')
@minValue(0)
param monthlyBudget int = 0

@description('What files may cost in a month before new ones wait: an amount, or {"all": 200, "projects": {"a": 50}}; empty: no limit.')
param budgetMonth string = ''

@description('What an hour of a node costs, by size and kind, as NODE_PRICES of README.md. deploy.sh asks the public list.')
param nodePrices object = {}

@description('First day of the month in which the budget began. deploy.sh keeps that of an existing budget.')
param budgetStart string = utcNow('yyyy-MM-01')

@description('Name of the data account\'s Event Grid system topic where there is one already; empty: a new one.')
param topicName string = ''

@description('Whether the topic was made here. One of somebody else keeps its tags, and stays when the rest is removed.')
param topicIsOurs bool = true

@description('The tags of a topic that somebody else made.')
param topicTags object = {}

@description('Version of ilastik.')
param ilastikVersion string = '1.4.2'

@description('Blob of ilastik\'s archive in the container of tools.')
param ilastikArchive string = 'ilastik/ilastik-${ilastikVersion}-Linux.tar.bz2'

@description('SHA-256 of the archive. Empty: no pool is made.')
param ilastikSha256 string = ''

@description('Folder of the task\'s scripts in the container of tools.')
param taskScripts string = 'task/'

@description('Blob of the start task\'s script in the container of tools.')
param startTaskBlob string = 'pool/start_task.sh'

@description('Blob of the pixel engine in the container of tools; empty: the nodes have none. deploy.sh decides it.')
param engineBlob string = ''

@description('Blob of the installers of other tools in the container of tools; empty: the nodes have none. deploy.sh decides it.')
param toolsBlob string = ''

@description('Id of the pool. Whatever a pool cannot change later must be part of it.')
@maxLength(64)
param poolId string = 'ilastik-${uniqueString(vmSize, string(osDiskGb), string(slotsPerNode), ilastikArchive, ilastikSha256, startTaskBlob, engineBlob, toolsBlob)}${private ? '-private' : ''}'

@description('Whether to make the pool: only where it does not exist, as Azure refuses some second deployments.')
param createPool bool = true

@description('Options of deploy.sh that later runs keep; nothing else reads them.')
#disable-next-line no-unused-params
param options object = {}

// What modules share is named here: names that one module passed to another would hide from a what-if what they stand for.
@description('Names of what several modules speak of.')
var names = {
  dataAccount: '${prefix}data${suffix}'
  hostAccount: '${prefix}host${suffix}'
  batchAccount: '${prefix}batch${suffix}'
  insights: '${prefix}-insights'
  network: '${prefix}-network'
  topic: empty(topicName) ? '${prefix}-events-${suffix}' : topicName
}
@description('Tags of everything: those that are asked for, and the mark by which deploy.sh knows its own.')
var marked = union(tags, { 'ilastik-batch': '${prefix}${suffix}' })
@description('Addresses that are let in.')
var letIn = empty(allowedAddresses) ? [] : split(allowedAddresses, ',')
@description('Subnets of nodes and app.')
var subnets = {
  nodes: private ? resourceId('Microsoft.Network/virtualNetworks/subnets', names.network, 'nodes') : ''
  app: private ? resourceId('Microsoft.Network/virtualNetworks/subnets', names.network, 'app') : ''
}
@description('The formula as it is in the file.')
var formula = loadTextContent('pool/autoscale.formula')
@description('The numbers that this deployment puts into it.')
var scaling = {
  maxNodes: maxNodes
  spotNodes: spotNodes
  slotsPerNode: slotsPerNode
  keepMinutes: keepMinutes
  minNodesWorkingHours: minNodesWorkingHours
  workStart: workStart
  workEnd: workEnd
  utcOffsetHours: utcOffsetHours
}
@description('The formula of the pool.')
var scaleFormula = withNumbers(formula, scaling)

module identities 'modules/identities.bicep' = {
  params: {
    appIdentityName: '${prefix}-app-identity'
    poolIdentityName: '${prefix}-pool-identity'
    location: location
    tags: marked
  }
}

module monitoring 'modules/monitoring.bicep' = {
  params: {
    workspaceName: '${prefix}-logs-${suffix}'
    insightsName: names.insights
    location: location
    retentionDays: logDays
    dailyGb: logGbPerDay
    tags: marked
  }
}

module storage 'modules/storage.bicep' = {
  params: {
    dataAccountName: names.dataAccount
    hostAccountName: names.hostAccount
    location: location
    redundancy: redundancy
    undeleteDays: undeleteDays
    keepVersions: keepVersions
    deleteLock: deleteLock
    stagingDays: stagingDays
    inputDays: inputDays
    inputCoolDays: inputCoolDays
    closed: private
    allowedAddresses: letIn
    workspaceId: monitoring.outputs.workspaceId
    tags: marked
  }
}

module batch 'modules/batch.bicep' = {
  params: {
    name: names.batchAccount
    location: location
    closed: private
    allowedAddresses: letIn
    workspaceId: monitoring.outputs.workspaceId
    tags: marked
  }
}

module network 'modules/network.bicep' = if (private) {
  params: {
    name: names.network
    location: location
    addresses: networkAddresses
    dataAccountName: names.dataAccount
    hostAccountName: names.hostAccount
    batchAccountName: names.batchAccount
    tags: marked
  }
  dependsOn: [storage, batch]
}

module topic 'modules/topic.bicep' = {
  params: {
    name: names.topic
    storageAccountId: storage.outputs.dataAccountId
    location: location
    tags: topicIsOurs ? marked : topicTags
  }
}

module roles 'modules/roles.bicep' = {
  params: {
    // The name of a role's assignment follows its holder's id: an identity that was made anew gets an assignment of its
    // own, where the old one's could not be changed. A what-if knows these ids only once there are the identities.
    #disable-next-line what-if-short-circuiting
    principals: {
      app: identities.outputs.appPrincipalId
      pool: identities.outputs.poolPrincipalId
      topic: topic.outputs.principalId
    }
    operators: operators
    wide: wideRoles
    writesInput: pageUpload
    dataAccountName: names.dataAccount
    hostAccountName: names.hostAccount
    batchAccountName: names.batchAccount
    insightsName: names.insights
  }
  dependsOn: [batch]
}

module healing 'modules/healing.bicep' = if (healNodesPerDay > 0) {
  params: {
    batchAccountName: names.batchAccount
    // As with the other roles.
    #disable-next-line what-if-short-circuiting
    appPrincipalId: identities.outputs.appPrincipalId
    mark: '${prefix}${suffix}'
  }
  dependsOn: [batch]
}

module subscriptions 'modules/subscriptions.bicep' = {
  params: {
    topicName: names.topic
    storageAccountId: storage.outputs.dataAccountId
    hoursToDeliver: hoursToDeliver
  }
  dependsOn: [roles]
}

module pool 'modules/pool.bicep' = if (createPool && !empty(ilastikSha256)) {
  params: {
    accountName: names.batchAccount
    poolId: poolId
    vmSize: vmSize
    osDiskGb: osDiskGb
    slotsPerNode: slotsPerNode
    formula: scaleFormula
    identityId: identities.outputs.poolId
    identityClientId: identities.outputs.poolClientId
    toolsUrl: '${storage.outputs.blobEndpoint}tools'
    startTaskBlob: startTaskBlob
    engineBlob: engineBlob
    toolsBlob: toolsBlob
    tools: tools
    ilastikArchive: ilastikArchive
    ilastikSha256: ilastikSha256
    ilastikVersion: ilastikVersion
    subnetId: subnets.nodes
  }
  dependsOn: [roles, network]
}

module functions 'modules/functions.bicep' = {
  params: {
    name: '${prefix}-app-${suffix}'
    planName: '${prefix}-plan'
    location: location
    identityId: identities.outputs.appId
    identityClientId: identities.outputs.appClientId
    hostAccountName: names.hostAccount
    packageUrl: storage.outputs.packageUrl
    insightsConnectionString: monitoring.outputs.insightsConnectionString
    maxInstances: maxInstances
    instanceMemoryMb: instanceMemoryMb
    appSettings: {
      AZURE_CLIENT_ID: identities.outputs.appClientId
      DATA_STORAGE__blobServiceUri: storage.outputs.blobEndpoint
      DATA_STORAGE__queueServiceUri: storage.outputs.queueEndpoint
      DATA_STORAGE__tableServiceUri: storage.outputs.tableEndpoint
      DATA_STORAGE__credential: 'managedidentity'
      DATA_STORAGE__clientId: identities.outputs.appClientId
      BATCH_ACCOUNT_ENDPOINT: batch.outputs.endpoint
      BATCH_POOL_ID: poolId
      BATCH_POOL_IDENTITY: identities.outputs.poolId
      BLOB_CREATED_QUEUE: 'blob-created'
      COLLECT_QUEUE: 'collect'
      RECONCILE_SCHEDULE: reconcileSchedule
      TASK_SCRIPTS: taskScripts
      ILASTIK_VERSION: ilastikVersion
      EXPORT_SOURCE: exportSource
      ENGINE: engine
      NODE_TOOLS: tools
      TASK_SLOTS_PER_NODE: string(slotsPerNode)
      SLOT_THREADS: string(slotThreads)
      SLOT_MEMORY_MB: string(slotMemoryMb)
      TASK_WALL_CLOCK_MINUTES: string(wallClockMinutes)
      // Before the lifecycle rule would remove what the ledger still names.
      STAGING_KEPT_DAYS: string(stagingDays - 1)
      HEAL_NODES_PER_DAY: string(healNodesPerDay)
      NODE_DISK_GB: string(nodeDiskGb)
      MAX_IMAGE_BYTES: '${maxImageGb}000000000'
      RERUN_FINISHED: string(rerunFinished)
      BACKFILL_DAILY_LIMIT: string(backfillDailyLimit)
      SWEEP_HOURS: string(sweepHours)
      PAGE_UPLOAD: string(pageUpload)
    }
    moreSettings: union(
      moreSettings,
      empty(nodePrices) ? {} : { NODE_PRICES: string(nodePrices) },
      empty(budgetMonth) ? {} : { BUDGET_MONTH: budgetMonth }
    )
    subnetId: subnets.app
    page: page
    pageClientId: pageClientId
    tags: marked
  }
  dependsOn: [roles, network]
}

module alerts 'modules/alerts.bicep' = if (!empty(alertMail)) {
  params: {
    prefix: prefix
    location: location
    mail: alertMail
    batchAccountId: batch.outputs.id
    topicId: topic.outputs.id
    workspaceId: monitoring.outputs.workspaceId
    tags: marked
  }
}

module budget 'modules/budget.bicep' = if (monthlyBudget > 0 && !empty(alertMail)) {
  params: {
    name: '${prefix}-budget'
    monthly: max(monthlyBudget, 1)
    startDate: budgetStart
    mail: alertMail
  }
}

@description('Name of the account with images, classifiers and results.')
output dataAccount string = names.dataAccount
@description('Address of its blobs.')
output blobEndpoint string = storage.outputs.blobEndpoint
@description('Name of the Batch account.')
output batchAccount string = names.batchAccount
@description('Address of the Batch account.')
output batchEndpoint string = batch.outputs.endpoint
@description('Name of the function app.')
output functionApp string = functions.outputs.name
@description('Id of the pool.')
output poolId string = poolId
@description('What deploy.sh gives an existing pool.')
output scaleFormula string = scaleFormula
@description('What deploy.sh gives a pool that is to run empty.')
output drainFormula string = withNumbers(formula, union(scaling, { minNodesWorkingHours: 0, keepMinutes: 0 }))
