// Two accounts: one for the images, one for the function host. Whoever may write code packages must not thereby
// be able to write classifiers, and the other way round.

import { containers, packageContainer, queues, tables } from 'names.bicep'

@description('Name of the account with images, classifiers and results.')
@minLength(3)
@maxLength(24)
param dataAccountName string

@description('Name of the account with the function host\'s own state and the code package.')
@minLength(3)
@maxLength(24)
param hostAccountName string

@description('Azure region.')
param location string

@description('How the data account is replicated.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param redundancy string

@description('Days for which a deleted or overwritten blob can be brought back; 0 turns that off.')
@minValue(0)
@maxValue(365)
param undeleteDays int

@description('Whether an overwritten blob keeps its older versions, for as long as a deleted one can be brought back.')
param keepVersions bool

@description('Whether nobody can delete the account with images and results before a lock is taken off it.')
param deleteLock bool

@description('Days after which leftovers in staging go.')
@minValue(1)
param stagingDays int

@description('Days after which images in input go; 0 keeps them.')
@minValue(0)
param inputDays int

@description('Days after which images in input move to the cool tier; 0 leaves them.')
@minValue(0)
param inputCoolDays int

@description('Log Analytics workspace for what was put into the poison queues.')
param workspaceId string

@description('Whether the accounts are reached from the network of app and nodes, and from no other but these addresses.')
param closed bool

@description('Public addresses, or ranges of them, that reach the data account all the same.')
param allowedAddresses string[]

@description('Tags of the deployment.')
param tags object

@description('What holds for both accounts.')
var secured = {
  allowBlobPublicAccess: false
  allowCrossTenantReplication: false
  allowSharedKeyAccess: false
  defaultToOAuthAuthentication: true
  minimumTlsVersion: 'TLS1_2'
  publicNetworkAccess: 'Enabled'
  supportsHttpsTrafficOnly: true
}

@description('The same addresses, as rules.')
var letIn = [for address in allowedAddresses: { value: address, action: 'Allow' }]

@description('Rules for what is left over.')
var always = [
  {
    name: 'staging'
    enabled: true
    type: 'Lifecycle'
    definition: {
      filters: { blobTypes: ['blockBlob'], prefixMatch: ['staging/'] }
      actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: stagingDays } } }
    }
  }
  {
    name: 'dead-letter'
    enabled: true
    type: 'Lifecycle'
    definition: {
      filters: { blobTypes: ['blockBlob'], prefixMatch: ['dead-letter/'] }
      actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: 60 } } }
    }
  }
]
@description('Images that go after a while, if wanted.')
var expiring = inputDays == 0
  ? []
  : [
      {
        name: 'input'
        enabled: true
        type: 'Lifecycle'
        definition: {
          filters: { blobTypes: ['blockBlob'], prefixMatch: ['input/'] }
          actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: inputDays } } }
        }
      }
    ]
@description('Images that become cheaper to keep after a while, if wanted.')
var cooling = inputCoolDays == 0
  ? []
  : [
      {
        name: 'input-cool'
        enabled: true
        type: 'Lifecycle'
        definition: {
          filters: { blobTypes: ['blockBlob'], prefixMatch: ['input/'] }
          actions: { baseBlob: { tierToCool: { daysAfterModificationGreaterThan: inputCoolDays } } }
        }
      }
    ]

// Versions cost like the blobs themselves: they go when a deleted blob would, and those of leftovers after a day.
@description('How long older versions stay.')
var versions = [
  {
    name: 'versions'
    enabled: true
    type: 'Lifecycle'
    definition: {
      filters: { blobTypes: ['blockBlob'] }
      actions: { version: { delete: { daysAfterCreationGreaterThan: max(undeleteDays, 1) } } }
    }
  }
  {
    name: 'versions-of-staging'
    enabled: true
    type: 'Lifecycle'
    definition: {
      filters: { blobTypes: ['blockBlob'], prefixMatch: ['staging/'] }
      actions: { version: { delete: { daysAfterCreationGreaterThan: 1 } } }
    }
  }
]

resource data 'Microsoft.Storage/storageAccounts@2026-04-01' = {
  name: dataAccountName
  location: location
  tags: union(tags, { 'ilastik-batch-part': 'data' })
  kind: 'StorageV2'
  sku: { name: redundancy }
  properties: union(
    secured,
    { accessTier: 'Hot' },
    closed ? { networkAcls: { defaultAction: 'Deny', bypass: 'AzureServices', ipRules: letIn } } : {}
  )

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      isVersioningEnabled: keepVersions
      deleteRetentionPolicy: undeleteDays == 0 ? { enabled: false } : { enabled: true, days: max(undeleteDays, 1) }
      containerDeleteRetentionPolicy: undeleteDays == 0
        ? { enabled: false }
        : { enabled: true, days: max(undeleteDays, 1) }
    }

    resource container 'containers' = [
      for name in containers: {
        name: name
        properties: { publicAccess: 'None' }
      }
    ]
  }

  resource queueService 'queueServices' = {
    name: 'default'

    resource queue 'queues' = [
      for name in queues: {
        name: name
      }
    ]
  }

  resource tableService 'tableServices' = {
    name: 'default'

    resource table 'tables' = [
      for name in tables: {
        name: name
      }
    ]
  }

  resource lifecycle 'managementPolicies' = {
    name: 'default'
    properties: { policy: { rules: concat(always, expiring, cooling, keepVersions ? versions : []) } }
    dependsOn: [blobs]
  }
}

// Its name stands in lib/teardown.sh too.
resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (deleteLock) {
  name: 'ilastik-batch-keep'
  scope: data
  properties: {
    level: 'CanNotDelete'
    notes: 'Images, classifiers and results of ilastik-batch are in here.'
  }
}

resource host 'Microsoft.Storage/storageAccounts@2026-04-01' = {
  name: hostAccountName
  location: location
  tags: union(tags, { 'ilastik-batch-part': 'host' })
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: union(secured, { accessTier: 'Hot' }, closed ? { publicNetworkAccess: 'Disabled' } : {})

  resource blobs 'blobServices' = {
    name: 'default'

    resource package 'containers' = {
      name: packageContainer
      properties: { publicAccess: 'None' }
    }
  }
}

// Metrics of a queue account are daily and know no single queue; this log knows which queue got a message.
resource queueLog 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'queue-writes'
  scope: data::queueService
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'StorageWrite', enabled: true }]
  }
}

@description('Id of the data account.')
output dataAccountId string = data.id
@description('Address of its blobs.')
output blobEndpoint string = data.properties.primaryEndpoints.blob
@description('Address of its queues.')
output queueEndpoint string = data.properties.primaryEndpoints.queue
@description('Address of its tables.')
output tableEndpoint string = data.properties.primaryEndpoints.table
@description('Address of the container with the code package.')
output packageUrl string = '${host.properties.primaryEndpoints.blob}${packageContainer}'
