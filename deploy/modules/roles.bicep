// Who may do what, and nothing more. `tests/deploy` compares these lists with the calls that the code makes.

@description('Object ids of the function app\'s identity, the pool\'s identity and the Event Grid topic.')
param principals { app: string, pool: string, topic: string }

@description('People and groups who run the system: they put classifiers into `projects` and look at everything.')
param operators operator[]

@description('Name of the account with images, classifiers and results.')
param dataAccountName string

@description('Name of the function host\'s own account.')
param hostAccountName string

@description('Name of the Batch account.')
param batchAccountName string

@description('Name of the Application Insights component.')
param insightsName string

@description('Whether the app gets wider roles: on all tables at once, and to read everything in the Batch account.')
param wide bool

@description('Whether the app may write images, for those who send them from the page.')
param writesInput bool

@export()
@description('Somebody who runs the system.')
type operator = {
  @description('Object id in Microsoft Entra ID.')
  id: string
  @description('What it is the id of.')
  type: 'User' | 'Group' | 'ServicePrincipal'
}

@description('Ids of the built-in roles.')
var roles = {
  batchAccountReader: '11076f67-66f6-4be0-8f6b-f0609fd05cc9'
  batchDataContributor: '6aaa78f1-f7de-44ca-8722-c64a23943cae'
  batchJobSubmitter: '48e5e92e-a480-4e71-aa9c-2778f4c13781'
  metricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
  storageBlobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  storageBlobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  storageBlobDataReader: '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
  storageQueueDataContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  storageQueueDataMessageSender: 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'
  storageTableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
}

// With a role on the whole data account the app could write `projects`, and a classifier can run code.
@description('Roles on containers.')
var onContainers = [
  { who: 'app', name: 'input', role: 'storageBlobDataReader' }
  { who: 'app', name: 'projects', role: 'storageBlobDataReader' }
  { who: 'app', name: 'frozen', role: 'storageBlobDataContributor' }
  { who: 'app', name: 'staging', role: 'storageBlobDataContributor' }
  { who: 'app', name: 'results', role: 'storageBlobDataContributor' }
  { who: 'app', name: 'dead-letter', role: 'storageBlobDataContributor' }
  { who: 'pool', name: 'input', role: 'storageBlobDataReader' }
  { who: 'pool', name: 'frozen', role: 'storageBlobDataReader' }
  { who: 'pool', name: 'tools', role: 'storageBlobDataReader' }
  { who: 'pool', name: 'staging', role: 'storageBlobDataContributor' }
  { who: 'topic', name: 'dead-letter', role: 'storageBlobDataContributor' }
]

@description('Roles on queues.')
var onQueues = [
  { who: 'app', name: 'blob-created', role: 'storageQueueDataContributor' }
  { who: 'app', name: 'blob-created-poison', role: 'storageQueueDataContributor' }
  { who: 'app', name: 'collect', role: 'storageQueueDataContributor' }
  { who: 'app', name: 'collect-poison', role: 'storageQueueDataContributor' }
  { who: 'topic', name: 'blob-created', role: 'storageQueueDataMessageSender' }
]

@description('Roles on tables.')
var onTables = [
  { who: 'app', name: 'files', role: 'storageTableDataContributor' }
  { who: 'app', name: 'work', role: 'storageTableDataContributor' }
]

@description('Roles on the Batch account.')
var onBatch = [
  { who: 'app', role: 'batchJobSubmitter' }
]

// The function host keeps leases, timers and its package there; nothing else is in that account.
@description('Roles on the account of the function host.')
var onHostAccount = [
  { who: 'app', role: 'storageBlobDataOwner' }
  { who: 'app', role: 'storageQueueDataContributor' }
  { who: 'app', role: 'storageTableDataContributor' }
]

@description('Roles of each operator on the data account.')
var onDataAccountOfOperators = [
  'storageBlobDataContributor'
  'storageQueueDataContributor'
  'storageTableDataContributor'
]
@description('The same, operator by operator.')
var operatorGrants = flatten(map(
  operators,
  person => map(onDataAccountOfOperators, role => { id: person.id, type: person.type, role: role })
))

resource data 'Microsoft.Storage/storageAccounts@2026-04-01' existing = {
  name: dataAccountName

  resource blobs 'blobServices' existing = {
    name: 'default'
  }

  resource queueService 'queueServices' existing = {
    name: 'default'
  }

  resource tableService 'tableServices' existing = {
    name: 'default'
  }
}

resource host 'Microsoft.Storage/storageAccounts@2026-04-01' existing = {
  name: hostAccountName
}

resource batch 'Microsoft.Batch/batchAccounts@2025-06-01' existing = {
  name: batchAccountName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-04-01' existing = [
  for grant in onContainers: {
    parent: data::blobs
    name: grant.name
  }
]

resource containerRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (grant, i) in onContainers: {
    name: guid(containers[i].id, principals[grant.who], roles[grant.role])
    scope: containers[i]
    properties: {
      principalId: principals[grant.who]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[grant.role])
    }
  }
]

resource queues 'Microsoft.Storage/storageAccounts/queueServices/queues@2026-04-01' existing = [
  for grant in onQueues: {
    parent: data::queueService
    name: grant.name
  }
]

resource queueRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (grant, i) in onQueues: {
    name: guid(queues[i].id, principals[grant.who], roles[grant.role])
    scope: queues[i]
    properties: {
      principalId: principals[grant.who]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[grant.role])
    }
  }
]

resource tables 'Microsoft.Storage/storageAccounts/tableServices/tables@2026-04-01' existing = [
  for grant in onTables: {
    parent: data::tableService
    name: grant.name
  }
]

resource tableRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (grant, i) in onTables: {
    name: guid(tables[i].id, principals[grant.who], roles[grant.role])
    scope: tables[i]
    properties: {
      principalId: principals[grant.who]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[grant.role])
    }
  }
]

// Where Azure should not take a transaction with a role on one table alone: the documents do not say.
resource wideTableRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (wide) {
  name: guid(data::tableService.id, principals.app, roles.storageTableDataContributor)
  scope: data::tableService
  properties: {
    principalId: principals.app
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roles.storageTableDataContributor
    )
  }
}

// For images from the page: on this container alone. The built-in role can delete as well; a narrower one would be a
// custom role, which not everybody may make.
resource inputContainer 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-04-01' existing = {
  parent: data::blobs
  name: 'input'
}

resource uploadRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (writesInput) {
  name: guid(inputContainer.id, principals.app, roles.storageBlobDataContributor)
  scope: inputContainer
  properties: {
    principalId: principals.app
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roles.storageBlobDataContributor
    )
  }
}

// Where the role to submit jobs should not allow to look at nodes.
resource wideBatchRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (wide) {
  name: guid(batch.id, principals.app, roles.batchAccountReader)
  scope: batch
  properties: {
    principalId: principals.app
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.batchAccountReader)
  }
}

resource hostRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in onHostAccount: {
    name: guid(host.id, principals[grant.who], roles[grant.role])
    scope: host
    properties: {
      principalId: principals[grant.who]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[grant.role])
    }
  }
]

resource batchRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in onBatch: {
    name: guid(batch.id, principals[grant.who], roles[grant.role])
    scope: batch
    properties: {
      principalId: principals[grant.who]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[grant.role])
    }
  }
]

resource telemetryRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, principals.app, roles.metricsPublisher)
  scope: insights
  properties: {
    principalId: principals.app
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.metricsPublisher)
  }
}

resource operatorRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in operatorGrants: {
    name: guid(data.id, grant.id, roles[grant.role])
    scope: data
    properties: {
      principalId: grant.id
      principalType: grant.type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[grant.role])
    }
  }
]

resource operatorBatchRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for person in operators: {
    name: guid(batch.id, person.id, roles.batchDataContributor)
    scope: batch
    properties: {
      principalId: person.id
      principalType: person.type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.batchDataContributor)
    }
  }
]
