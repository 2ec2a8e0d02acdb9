// The right to remove broken nodes. Azure has no narrower one than to change pools, and no built-in role that has just
// that; to make a role of one's own takes roleDefinitions/write, which many who deploy do not have.

@description('Name of the Batch account.')
param batchAccountName string

@description('Object id of the function app\'s identity.')
param appPrincipalId string

@description('By what deploy.sh knows the role again when it is to be removed: names of roles are unique in a tenant.')
param mark string

resource batch 'Microsoft.Batch/batchAccounts@2025-06-01' existing = {
  name: batchAccountName
}

resource healer 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, 'ilastik-batch pool healer')
  properties: {
    roleName: 'ilastik-batch pool healer ${mark}'
    description: 'Looks at pools and changes them: ilastik-batch removes broken nodes.'
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [
      {
        actions: ['Microsoft.Batch/batchAccounts/pools/read', 'Microsoft.Batch/batchAccounts/pools/write']
      }
    ]
  }
}

resource heals 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(batch.id, appPrincipalId, healer.id)
  scope: batch
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: healer.id
  }
}
