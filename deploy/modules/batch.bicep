// The Batch account: Entra ID only, so that there is no key to lose.

@description('Name of the account.')
@minLength(3)
@maxLength(24)
param name string

@description('Azure region.')
param location string

@description('Log Analytics workspace for the account\'s events.')
param workspaceId string

@description('Tags of the deployment.')
param tags object

resource account 'Microsoft.Batch/batchAccounts@2025-06-01' = {
  name: name
  location: location
  tags: union(tags, { 'ilastik-batch-part': 'batch' })
  properties: {
    allowedAuthenticationModes: ['AAD', 'TaskAuthenticationToken']
    poolAllocationMode: 'BatchService'
    publicNetworkAccess: 'Enabled'
  }
}

resource log 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'events'
  scope: account
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'ServiceLog', enabled: true }]
  }
}

@description('Id of the account.')
output id string = account.id
@description('Address of the account.')
output endpoint string = 'https://${account.properties.accountEndpoint}'
