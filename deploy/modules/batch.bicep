// The Batch account: Entra ID only, so that there is no key to lose.

@description('Name of the account.')
@minLength(3)
@maxLength(24)
param name string

@description('Azure region.')
param location string

@description('Log Analytics workspace for the account\'s events.')
param workspaceId string

@description('Whether the account is reached from the network of app and nodes, and from no other but these addresses.')
param closed bool

@description('Public addresses, or ranges of them, from which jobs may be looked at all the same.')
param allowedAddresses string[]

@description('Tags of the deployment.')
param tags object

@description('The same addresses, as rules.')
var letIn = [for address in allowedAddresses: { value: address, action: 'Allow' }]

resource account 'Microsoft.Batch/batchAccounts@2025-06-01' = {
  name: name
  location: location
  tags: union(tags, { 'ilastik-batch-part': 'batch' })
  properties: union(
    {
      allowedAuthenticationModes: ['AAD', 'TaskAuthenticationToken']
      poolAllocationMode: 'BatchService'
      publicNetworkAccess: 'Enabled'
    },
    closed
      ? {
          networkProfile: {
            accountAccess: { defaultAction: 'Deny', ipRules: letIn }
            nodeManagementAccess: { defaultAction: 'Deny' }
          }
        }
      : {}
  )
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
